"""Rule `match`: see `understudy.stages.match`."""

from understudy.runtime.job import run
from understudy.stages.match import match

run(snakemake, match)
