"""Rule `ingest`: see `understudy.stages.ingest`."""

import sys
from pathlib import Path

from understudy.errors import UnderstudyError
from understudy.stages.ingest import ingest

try:
    ingest(Path(snakemake.params.plate), *map(Path, snakemake.output))
except UnderstudyError as error:
    Path(snakemake.log[0]).write_text(f"{error}\n", encoding="utf-8")
    sys.exit(f"understudy: shot {snakemake.wildcards.shot}: {error}")
