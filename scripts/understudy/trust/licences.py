"""Licences: which weights a purpose allows, with everything that feeds them.

A network that may be used is of no use if the recogniser whose numbers it eats may not: GHOST's weights are
Apache-2.0, and every one of its faces begins with an embedding whose weights are for research only. So it is the
closure that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from understudy.errors import ConfigError, LicenceError
from understudy.tables import nearest

Purpose = Literal["commercial", "research", "test"]
Cards = Mapping[str, Mapping[str, Any]]
"""Name of a model to its card, as in ``config/models.yaml``."""


def closure(names: Iterable[str], cards: Cards) -> tuple[str, ...]:
    """The models named, each followed by all that feed it, however far; each once.

    Raises
    ------
    ConfigError
        A name without a card.
    """
    found: dict[str, str] = {}
    ahead = [(name, "") for name in names]
    while ahead:
        name, by = ahead.pop(0)
        if name in found:
            continue
        if name not in cards:
            raise ConfigError(
                f"there is no model {name!r}",
                where=f"model {by} (fed_by)" if by else "list of models",
                fix=nearest(name, cards),
            )
        found[name] = by
        ahead[:0] = [(feeder, name) for feeder in cards[name].get("fed_by", ())]
    return tuple(found)


def check_purpose(purpose: Purpose, names: Iterable[str], cards: Cards, where: str) -> None:
    """Refuse weights that may not be used for a purpose, and name what may be used instead.

    Parameters
    ----------
    names:
        What is asked for: detectors, recognisers, swappers and so on; what feeds them is found here.
    where:
        Shot, look or file that asks for them.

    Raises
    ------
    LicenceError
        Naming every file that is not allowed, its licence, the evidence and who needs it; and for each model that was
        asked for and cannot be used, the models of the same role that can, down to the last file that feeds them.
    """
    asked = tuple(dict.fromkeys(names))
    every = closure(asked, cards)
    refused = [name for name in every if not _allows(purpose, name, cards)]
    if not refused:
        return
    told = "".join(f"\n  {_told(name, asked, cards)}" for name in refused)
    fed = {feeder for name in asked for feeder in closure([name], cards)[1:]}
    instead = [
        _instead(purpose, name, cards)
        for name in asked
        if name not in fed and not set(refused).isdisjoint(closure([name], cards))
    ]
    raise LicenceError(
        f"{len(refused)} of {len(every)} model files may not be used for the purpose {purpose!r}:{told}",
        where=where,
        fix=f"{'; '.join(instead)}; or write the purpose that the work really has (nothing was rendered)",
    )


def licence_rows(names: Iterable[str], cards: Cards) -> list[dict[str, Any]]:
    """What runs, for the record: one row per file of the closure."""
    return [
        {
            "name": name,
            "file": cards[name]["file"],
            "licence": cards[name]["licence"],
            "evidence": cards[name]["evidence"],
        }
        for name in closure(names, cards)
    ]


def _allows(purpose: Purpose, name: str, cards: Cards) -> bool:
    return purpose in cards[name]["uses"]


def _told(name: str, asked: tuple[str, ...], cards: Cards) -> str:
    """One refused file: what it is, what it may be used for, where that is stated, who needs it."""
    card = cards[name]
    needing = [other for other in asked if other != name and name in closure([other], cards)]
    needed = f"; needed by {', '.join(needing)}" if needing else ""
    return (
        f"{name} ({card['role']}, {card['file']}): {card['licence']}, for {' and '.join(card['uses']) or 'nothing'}; "
        f"see {card['evidence']}{needed}"
    )


def _instead(purpose: Purpose, name: str, cards: Cards) -> str:
    """What may be used in the place of a model."""
    role = cards[name]["role"]
    able = [
        other
        for other in cards
        if cards[other]["role"] == role
        and all(_allows(purpose, one, cards) for one in closure([other], cards))
        and _demands(other, cards) <= _demands(name, cards)
    ]
    if able:
        return f"instead of {name}: {', '.join(able)}"
    return f"instead of {name}: a {role} of your own, as a card (none at hand can take its place)"


def _demands(name: str, cards: Cards) -> set[str]:
    """The roles that must be filled for a model to run."""
    return {cards[feeder]["role"] for feeder in closure([name], cards)[1:]}
