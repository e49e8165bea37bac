"""Engines by name."""

from __future__ import annotations

from typing import Any

from understudy.engines.base import Engine
from understudy.engines.mesh import MeshEngine
from understudy.errors import ConfigError


def load_engine(name: str) -> Engine[Any]:
    """The engine that a look names.

    Raises
    ------
    ConfigError
        No engine has that name.
    """
    known = {engine.card.name: engine for engine in (MeshEngine(),)}
    if name not in known:
        raise ConfigError(
            f"there is no engine {name!r}", where="setting swap.engine", fix=f"use {', '.join(known)}"
        )
    return known[name]
