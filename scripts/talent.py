"""Rule `talent`: see `understudy.stages.talent`."""

from understudy.runtime.job import run
from understudy.stages.talent import talent

run(snakemake, talent)
