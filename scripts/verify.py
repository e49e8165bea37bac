"""Rule `verify`: check every record; drop those that no longer hold and name what was damaged."""

import sys
from pathlib import Path

from understudy.runtime.records import verify

broken = verify(Path(snakemake.params.root))
for record, files in broken.items():
    print(record, *(f"  missing or damaged: {name}" for name in files), sep="\n", file=sys.stderr)
words = f"{len(broken)} records dropped; run snakemake again to make them anew" if broken else "every record holds"
Path(snakemake.log[0]).write_text(f"{words}\n", encoding="utf-8")
print(f"verify: {words}", file=sys.stderr)
sys.exit(1 if broken else 0)
