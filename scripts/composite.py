"""Rule `composite`: see `understudy.stages.composite`."""

from understudy.runtime.job import run
from understudy.stages.composite import composite

run(snakemake, composite)
