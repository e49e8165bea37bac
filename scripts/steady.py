"""Rule `steady`: see `understudy.stages.steady`."""

from understudy.runtime.job import run
from understudy.stages.steady import steady

run(snakemake, steady)
