"""Rule `track`: see `understudy.stages.track`."""

from understudy.runtime.job import run
from understudy.stages.track import track

run(snakemake, track)
