"""Rule `doctor`: look at this machine, print a line per finding with the command that mends it."""

import sys
from pathlib import Path

from understudy.runtime.doctor import examine, report

asked = snakemake.params
findings = examine(
    Path(asked.project),
    Path(asked.root),
    Path(asked.store),
    asked.models,
    Path(asked.lock),
    asked.provider,
)
Path(snakemake.log[0]).write_text(report(findings), encoding="utf-8")
print(report(findings), file=sys.stderr)
sys.exit(not all(finding.well for finding in findings))
