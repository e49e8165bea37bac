"""Rule `fetch_model`: see `understudy.runtime.models.fetch`."""

from pathlib import Path

from understudy.runtime.models import fetch

name, card = snakemake.params.card
wheel = snakemake.params.wheel
fetch(name, card, Path(snakemake.output[0]).parent, Path(wheel) if wheel else None)
