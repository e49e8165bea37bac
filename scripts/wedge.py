"""Rule `cells`: see `understudy.stages.wedge`."""

from understudy.runtime.job import run
from understudy.stages.wedge import wedge

run(snakemake, wedge)
