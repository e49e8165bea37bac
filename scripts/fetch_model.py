"""Rule `fetch_model`: see `understudy.stages.fetch`."""

from pathlib import Path

from understudy.runtime.job import spoken
from understudy.stages.fetch import fetch_model

with spoken(Path(snakemake.log[0])):
    fetch_model(Path(snakemake.output[0]), **snakemake.params.job)
