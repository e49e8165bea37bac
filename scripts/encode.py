"""Rule `encode`: see `understudy.stages.encode`."""

from understudy.runtime.job import run
from understudy.stages.encode import encode

run(snakemake, encode)
