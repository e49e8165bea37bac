"""Rule `fetch_model`: see `understudy.runtime.fetch.fetch`."""

from pathlib import Path

from understudy.runtime.fetch import fetch
from understudy.runtime.job import spoken

name, card = snakemake.params.card
lock = snakemake.params.get("lock")
# Not from the params: when one changes, Snakemake deletes the file and runs the rule anew, and where a file was taken
# from is no reason to take it once more.
wheel, mirror = (snakemake.config.get(key) for key in ("wheel", "mirror"))
with spoken(Path(snakemake.log[0])):
    fetch(
        name,
        card,
        Path(snakemake.output[0]).parent,
        Path(wheel) if wheel else None,
        mirror=mirror or "",
        lock=Path(lock) if lock else None,
    )
