"""Rule `matte`: see `understudy.stages.matte`."""

from understudy.runtime.job import run
from understudy.stages.matte import matte

run(snakemake, matte)
