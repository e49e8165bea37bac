"""Rule `swap`: see `understudy.stages.swap`."""

from understudy.runtime.job import run
from understudy.stages.swap import swap

run(snakemake, swap)
