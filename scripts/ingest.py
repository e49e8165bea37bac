"""Rule `ingest`: see `understudy.stages.ingest`."""

from pathlib import Path

from understudy.runtime.job import spoken
from understudy.stages.ingest import ingest

with spoken(Path(snakemake.log[0]), f"shot {snakemake.wildcards.shot}: "):
    ingest(Path(snakemake.params.plate), *map(Path, snakemake.output))
