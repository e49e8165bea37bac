"""Stage `verdict`: whether a supervisor must look before anything of this leaves the house."""

from __future__ import annotations

import json
from pathlib import Path

from understudy.qc.flags import failed
from understudy.runtime.records import read_record


def verdict(records: list[Path]) -> tuple[str, bool]:
    """What QC says of every shot, in lines, and whether any shot failed.

    Flags of level ``fail`` are written out; what only warns is counted.
    """
    lines, reports = [], []
    for path in records:
        record = read_record(path)
        shot = record.subject["shot"]
        report = json.loads(record.path(f"out/{shot}/qc.json").read_text(encoding="utf-8"))
        reports.append(report)
        warnings = sum(flag["level"] == "warn" for flag in report["flags"])
        lines.append(f"{shot}: {report['state']}" + (f", {warnings} warnings" if warnings else ""))
        for flag in report["flags"]:
            if flag["level"] == "fail":
                lines.append(f"  frames {flag['first']}-{flag['last']} {flag['track'] or ''}: {flag['reason']}")
                lines.append(f"    -> {flag['action']}")
    return "\n".join(lines) + "\n", failed(reports)
