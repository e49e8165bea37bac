"""Rule `hero`: see `understudy.stages.hero`."""

from understudy.runtime.job import run
from understudy.stages.hero import hero

run(snakemake, hero)
