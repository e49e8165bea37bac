"""Rule `align`: see `understudy.stages.align`."""

from understudy.runtime.job import run
from understudy.stages.align import align

run(snakemake, align)
