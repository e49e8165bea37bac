"""Rule `qc`: see `understudy.stages.qc`."""

from understudy.runtime.job import run
from understudy.stages.qc import qc

run(snakemake, qc)
