"""Rule `collect_stale`: remove payloads that no record names any more."""

import sys
from pathlib import Path

from understudy.runtime.records import collect

gone = collect(Path(snakemake.params.root))
print(f"collect: {len(gone)} stale payloads removed", file=sys.stderr)
Path(snakemake.log[0]).write_text("".join(f"{path}\n" for path in gone), encoding="utf-8")
