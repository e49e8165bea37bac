"""Rule `review`: see `understudy.stages.review`."""

from pathlib import Path

from understudy.runtime.job import spoken
from understudy.stages.review import review

given = snakemake.input
page = Path(snakemake.output[0])
with spoken(Path(snakemake.log[0])):
    review([Path(p) for p in given.shots], [Path(p) for p in given.movies], page, snakemake.params.show)
