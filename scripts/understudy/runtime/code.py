"""Which code a stage's result depends on.

Snakemake judges a script by its modification time and never sees the library it imports; a digest over the modules
that a stage reaches re-runs exactly what an edit touches, and nothing after a fresh checkout.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent.parent
IMPORT = re.compile(
    r"^\s*(?:from\s+(understudy[.\w]*)\s+import\s+(\([^)]*\)|[^#\n]+)|import\s+(understudy[.\w]+))", re.MULTILINE
)
# What only says how work is run, recorded or refused: it never changes a pixel. In the runtime room, what runs networks
# does.
NOT_PIXELS = ("runtime", "errors.py", "__init__.py")
PIXELS = ("batching.py", "cards.py", "graphs.py", "network.py", "sessions.py", "tensors.py")
ENGINES = {"mesh": "mesh", "onnx": "onnx", "dfm": "dfm", "insightface": "insight", "external": "external"}
"""Engine to its module, which the other engines do without."""


@cache
def _imports(module: Path) -> frozenset[Path]:
    text = module.read_text(encoding="utf-8")
    found = set()
    for source, names, plain in IMPORT.findall(text):
        base = LIBRARY.joinpath(*(plain or source).split(".")[1:])
        candidates = [base, *(base / name for name in re.findall(r"\w+", names))]
        found |= {path.with_suffix(".py") for path in candidates if path.with_suffix(".py").is_file()}
    return frozenset(found)


def modules_of(stage: str, engine: str = "") -> list[Path]:
    """The library files that decide what a stage makes: its own, and all it imports, however far.

    With an engine named, the modules of the others are left out.
    """
    others = {LIBRARY / "engines" / f"{module}.py" for name, module in ENGINES.items() if engine and name != engine}
    seen: set[Path] = set()
    ahead = [LIBRARY / "stages" / f"{stage}.py"]
    while ahead:
        module = ahead.pop()
        room, *rest = module.relative_to(LIBRARY).parts
        if module in seen or module in others or (room in NOT_PIXELS and not set(rest) & set(PIXELS)):
            continue
        seen.add(module)
        ahead.extend(_imports(module))
    return sorted(seen)


@cache
def code_of(stage: str, engine: str = "") -> str:
    """First 12 hexadecimal digits of the SHA-256 over the modules of a stage (see `modules_of`)."""
    digest = hashlib.sha256()
    for module in modules_of(stage, engine):
        digest.update(str(module.relative_to(LIBRARY)).encode())
        digest.update(module.read_bytes())
    return digest.hexdigest()[:12]
