"""Rule `extract`: see `understudy.stages.extract`."""

from understudy.runtime.job import run
from understudy.stages.extract import extract

run(snakemake, extract)
