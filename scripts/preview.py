"""Rule `preview`: see `understudy.stages.preview`."""

from pathlib import Path

from understudy.stages.preview import preview

preview([Path(path) for path in snakemake.input.shots], Path(snakemake.output[0]))
