"""Rule `preview`: see `understudy.stages.preview`."""

from pathlib import Path

from understudy.runtime.job import spoken
from understudy.stages.preview import preview

with spoken(Path(snakemake.log[0])):
    preview([Path(path) for path in snakemake.input.shots], Path(snakemake.output[0]))
