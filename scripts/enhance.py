"""Rule `enhance`: see `understudy.stages.enhance`."""

from understudy.runtime.job import run
from understudy.stages.enhance import enhance

run(snakemake, enhance)
