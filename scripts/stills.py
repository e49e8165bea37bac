"""Rule `stills`: see `understudy.stages.stills`."""

from understudy.runtime.job import run
from understudy.stages.stills import stills

run(snakemake, stills)
