"""understudy: replace a performer's face on film plates with a cleared talent's face.

Types of targets: the whole show (default), `preview`, `wedge`, `review`, `models`, `verify`, `collect_stale`, `doctor`.
"""

from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/stamps.smk"
include: "rules/models.smk"
include: "rules/plates.smk"
include: "rules/faces.smk"
include: "rules/swap.smk"
include: "rules/composite.smk"
include: "rules/deliver.smk"
include: "rules/review.smk"
include: "rules/keep.smk"


rule all:
    """Every selected shot finished, the review page over them, and no shot failed by QC."""
    default_target: True
    input:
        every_shot,
        page_and_verdict,
