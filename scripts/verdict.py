"""Rule `verdict`: see `understudy.stages.verdict`."""

import sys
from pathlib import Path

from understudy.stages.verdict import verdict

words, bad = verdict([Path(path) for path in snakemake.input.shots])
Path(snakemake.log[0]).write_text(words, encoding="utf-8")
if bad:
    hint = "the frames are finished; look at the review page, mend, or change the look's qc limits"
    sys.exit(f"understudy: QC failed:\n{words}{hint}")
Path(snakemake.output[0]).write_text(words, encoding="utf-8")
