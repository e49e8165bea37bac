"""Rule `detect`: see `understudy.stages.detect`."""

from understudy.runtime.job import run
from understudy.stages.detect import detect

run(snakemake, detect)
