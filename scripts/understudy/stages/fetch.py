"""Stage `fetch`: one model in the store, and a stamp for the show that says which file it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy.runtime.fetch import fetch
from understudy.runtime.models import sha256_of
from understudy.runtime.records import write_text


def fetch_model(
    stamp: Path, model: str, card: Mapping[str, Any], store: str, lock: str, wheel: str, mirror: str
) -> None:
    """Bring a model into the store unless it is there, and write its stamp: ``file`` and ``sha256``.

    A store may be shared by shows; the stamp is the show's own, and what its jobs depend on.
    """
    path = fetch(model, card, Path(store), Path(wheel) if wheel else None, mirror=mirror, lock=Path(lock))
    write_text(stamp, json.dumps({"file": path.name, "sha256": sha256_of(path)}))
