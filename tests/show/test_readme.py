"""`config/README.md` describes every key; its tables are made from the schemas.

``PYTHONPATH=scripts python tests/show/test_readme.py`` writes them anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from understudy.show.schema import schema

README = Path(__file__).resolve().parents[2] / "config" / "README.md"


def _allowed(below: Mapping[str, Any]) -> str:
    if "enum" in below:
        return ", ".join(f"`{value}`" for value in below["enum"] if value is not None)
    if below["type"] == "array":
        items = below["items"]
        if "properties" in items:
            return "list of mappings"
        return f"list of {_allowed(items)}" if "enum" in items or "maximum" in items else "list of names"
    if below["type"] == "boolean":
        return "`true`, `false`"
    if "maximum" in below:
        return f"{below.get('minimum', below.get('exclusiveMinimum'))} to {below['maximum']}"
    return "text" if below["type"] == "string" else str(below["type"])


def settings_table() -> str:
    lines = ["| setting | default | allowed | per frame | |", "|---|---|---|---|---|"]
    for stage, known in schema("settings")["properties"].items():
        for key, below in known["properties"].items():
            default = str(below["default"]).lower() if below["default"] not in ("", []) else ""
            if isinstance(below["default"], list):
                default = ", ".join(map(str, below["default"]))
            free = "yes" if below.get("perFrame") else ""
            lines.append(
                f"| `{stage}.{key}` | {default} | {_allowed(below)} | {free} | {below['description']} |"
            )
    return "\n".join(lines)


def keys_table(name: str) -> str:
    of = schema(name)
    lines = ["| key | default | |", "|---|---|---|"]
    for key, below in of["properties"].items():
        default = below.get("default") or ""
        shown = "required" if key in of.get("required", ()) else f"`{default}`" if default else ""
        lines.append(f"| `{key}` | {shown} | {below['description']} |")
    return "\n".join(lines)


TABLES = {
    "settings": settings_table,
    "config": lambda: keys_table("config"),
    "shots": lambda: keys_table("shots"),
    "clearances": lambda: keys_table("clearances"),
    "overrides": lambda: keys_table("overrides"),
}


def rewritten(text: str) -> str:
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        assert text.count(begin) == text.count(end) == 1
        head, rest = text.split(begin)
        text = f"{head}{begin}\n\n{table()}\n\n{end}{rest.split(end)[1]}"
    return text


def test_tables_are_those_of_the_schemas() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == rewritten(text), "run: PYTHONPATH=scripts python tests/show/test_readme.py"


@pytest.mark.parametrize("name", ["talent", "models", "looks"])
def test_other_keys_are_described(name: str) -> None:
    text = README.read_text(encoding="utf-8")
    of = schema(name)
    keys = of["properties"] if "properties" in of else of["additionalProperties"]["properties"]
    for key in keys:
        assert re.search(rf"`{key}`|^ *{key}:", text, re.MULTILINE), key


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text(encoding="utf-8")), encoding="utf-8")
