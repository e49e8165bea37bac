"""Engines by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.engines.base import Engine
from understudy.errors import ConfigError
from understudy.runtime.cards import ModelCard, Weights
from understudy.runtime.sessions import Device

ENGINES = ("mesh", "onnx", "dfm", "insightface", "external")


def load_engine(
    name: str,
    model: str = "",
    models: Mapping[str, Weights] | None = None,
    device: Device = Device(),  # noqa: B008 - frozen
) -> Engine[Any]:
    """The engine that a look names, with its networks loaded and checked against their cards.

    Parameters
    ----------
    name:
        ``mesh`` (no model), ``onnx``, ``dfm``, ``insightface`` or ``external``.
    model:
        Name of the swapper.
    models:
        The swapper and all that feeds it, by name.
    device:
        Where networks run.

    Raises
    ------
    ConfigError
        No engine has that name, or the model is not among those given, or is none for this engine.
    ModelError
        A file is missing or is not what its card says.
    """
    # Each engine brings its own libraries, and a job needs those of one.
    if name == "mesh":
        from understudy.engines.mesh import MeshEngine

        return MeshEngine()
    if name not in ENGINES:
        raise ConfigError(
            f"there is no engine {name!r}", where="setting swap.engine", fix=f"use {', '.join(ENGINES)}"
        )
    given = models or {}
    weights = _pick(given, model, "setting swap.model")
    _check_engine(name, weights.card)
    feeds = _closure(given, weights.card)
    recognisers = [one for one in feeds if one.card.role == "recogniser"]
    converters = [one for one in feeds if one.card.role == "converter"]
    if name == "dfm":
        from understudy.engines.dfm import DfmEngine

        return DfmEngine(weights.card, weights.file, device)
    if name == "external":
        from understudy.engines.external import ExternalEngine

        return ExternalEngine(weights.card)
    if name == "insightface":
        from understudy.engines.insight import InsightEngine

        return InsightEngine(
            weights.card, weights.file, [(one.card, one.file) for one in recognisers], device
        )
    from understudy.engines.onnx import OnnxEngine
    from understudy.runtime.network import Network

    return OnnxEngine(
        Network(weights.card, weights.file, device),
        recognisers[0].card.name if recognisers else "",
        Network(converters[0].card, converters[0].file, device) if converters else None,
    )


def engine_for(card: ModelCard) -> str:
    """The engine that runs a swapper of this card."""
    return card.family if card.family in ("dfm", "external") else "onnx"


def _check_engine(name: str, card: ModelCard) -> None:
    if card.role != "swapper":
        raise ConfigError(
            f"{card.name} is a {card.role}",
            where="setting swap.model",
            fix="choose a model whose role is swapper",
        )
    fits = card.family == "inswapper" if name == "insightface" else engine_for(card) == name
    if not fits:
        raise ConfigError(
            f"engine {name} does not run {card.name}, which is of family {card.family}",
            where="setting swap.engine",
            fix=f"use {engine_for(card)}",
        )


def _pick(models: Mapping[str, Weights], name: str, where: str) -> Weights:
    if name not in models:
        raise ConfigError(
            f"model {name!r} was not handed over; there are {', '.join(models) or 'none'}",
            where=where,
            fix="choose a model of the list of models",
        )
    return models[name]


def _closure(models: Mapping[str, Weights], card: ModelCard) -> list[Weights]:
    """What feeds a model, and what feeds that, nearest first."""
    found: list[Weights] = []
    for name in card.fed_by:
        one = _pick(models, name, f"model {card.name}, fed_by")
        found += [one, *_closure(models, one.card)]
    return list({one.card.name: one for one in found}.values())
