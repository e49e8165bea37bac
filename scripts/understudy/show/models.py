"""Which models a look asks for, stage by stage, and whether its settings go together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from understudy.engines.boost import cost
from understudy.errors import ConfigError
from understudy.show.mattes import check_mattes
from understudy.tables import nearest
from understudy.trust.licences import closure

Cards = Mapping[str, Mapping[str, Any]]
Settings = Mapping[str, Mapping[str, Any]]

DETECTOR: Final = "blazeface_full_range"
LANDMARKER: Final = "face_mesh_468"
EMBEDDED: Final = (DETECTOR, LANDMARKER)

ROLES: Final = (
    ("detect", "detectors", "detector"),
    ("detect", "landmarker", "landmarker"),
    ("detect", "recogniser", "recogniser"),
    ("swap", "model", "swapper"),
    ("enhance", "model", "restorer"),
    ("matte", "occluders", "occluder"),
    ("matte", "parser", "parser"),
)
"""Stage and setting that name models, and the role these must have."""

LEAST_SCORE: Final = 0.3
WHY_LEAST_SCORE: Final = (
    "below 0.3 these networks take hands, patterns and blurred background for faces, and each of them costs a landmark"
    " look and may become a track; .5 is usual; for faces that are missed add a size or an angle"
)
MOST_RESTORED: Final = 0.85
MOST_BOOST: Final = 768
MOST_DEBT: Final = 6.0
"""Resolution debt in dB from which a look is warned of: the network shows half of the face's pixels on a side."""


def models_of(stage: str, settings: Settings, cards: Cards, *, by_picture: bool = False) -> tuple[str, ...]:
    """The models that a stage is given under some settings, with all that feeds them.

    Parameters
    ----------
    stage:
        A stage of the plan; ``hero`` does the work of several.
    settings:
        Of a shot, by stage (see `understudy.show.load.Show.settings`).
    by_picture:
        Whether a performer of the shot is cast by a picture.
    """
    detect = settings["detect"]
    finding = [LANDMARKER, *_named(detect["landmarker"]), *_named(detect["recogniser"])]
    if detect["faces"] == "embedded":
        finding.append(DETECTOR)
    elif detect["faces"] == "cards":
        finding += detect["detectors"]
    else:
        finding += pack_models(detect["pack"], cards)
    swap = _named(settings["swap"]["model"])
    restore = _named(settings["enhance"]["model"])
    mattes = [*settings["matte"]["occluders"], *_named(settings["matte"]["parser"])]
    asked: dict[str, list[str]] = {
        "detect": finding,
        "track": finding if by_picture else [LANDMARKER],
        "swap": swap,
        "enhance": restore,
        "matte": mattes,
        "hero": [*swap, *restore, *mattes],
    }
    return closure(asked.get(stage, ()), cards)


def pack_models(pack: str, cards: Cards) -> list[str]:
    """Detector and recogniser of one of insightface's model packs: the cards whose file is a member of it."""
    return [
        name
        for name, card in cards.items()
        if card["role"] in ("detector", "recogniser")
        and any(source.get("pack") == pack for source in card["sources"])
    ]


def recognisers_of(settings: Settings, cards: Cards) -> tuple[str, ...]:
    """The recognisers whose vectors of the talent's pictures the look's swapper is fed by."""
    swapper = closure(_named(settings["swap"]["model"]), cards)
    return tuple(name for name in swapper if cards[name]["role"] == "recogniser")


def every_model(settings: Settings, cards: Cards) -> tuple[str, ...]:
    """All models that a shot needs under some settings, the talents' pictures included."""
    found = [*EMBEDDED]
    for stage in ("detect", "swap", "enhance", "matte"):
        found += models_of(stage, settings, cards)
    return tuple(dict.fromkeys(found))


def check_models(settings: Settings, cards: Cards, where: str) -> None:
    """Refuse settings that name models that do not exist or cannot do what they are asked for.

    Raises
    ------
    ConfigError
        Naming the setting and what may stand there.
    """
    for stage, key, role in ROLES:
        value = settings[stage][key]
        for name in value if isinstance(value, list) else _named(value):
            able = [other for other, card in cards.items() if card["role"] == role]
            if name not in able:
                is_one = f"{name} is {_a(cards[name]['role'])}" if name in cards else f"there is no model {name!r}"
                raise ConfigError(
                    f"{stage}.{key}: {is_one}", where=where, fix=f"name {_a(role)}: {nearest(name, able)}"
                )
    check_mattes(settings["matte"], where)
    detect, swap = settings["detect"], settings["swap"]
    if swap["engine"] == "mesh" and swap["model"]:
        raise ConfigError(
            f"swap.model names {swap['model']}, and the engine mesh has no model",
            where=where,
            fix="set swap.engine to onnx (dfm and external for models of these families)",
        )
    if swap["engine"] == "mesh" and swap["donor"]:
        raise ConfigError(
            "swap.donor lays the talent's own skin over a network's face, and the engine mesh shows that skin already",
            where=where,
            fix="set swap.donor to false, or swap.engine to onnx with a swap.model",
        )
    if swap["engine"] != "mesh" and not swap["model"]:
        raise ConfigError(f"swap.engine {swap['engine']} needs swap.model", where=where, fix="name a swapper")
    if detect["faces"] == "embedded":
        if detect["five"] == "detector":
            raise ConfigError(
                "detect.five is detector, and the embedded detector has no five points of that kind",
                where=where,
                fix="set detect.faces to cards or insightface, or detect.five to mesh",
            )
    elif any(score < LEAST_SCORE for score in _scores(detect)):
        raise ConfigError(f"detect.threshold is under {LEAST_SCORE:g}", where=where, fix=WHY_LEAST_SCORE)
    if detect["faces"] == "cards" and not detect["detectors"]:
        raise ConfigError("detect.detectors is empty", where=where, fix="name one, or set detect.faces to embedded")
    if detect["five"] == "landmarker" and not detect["landmarker"]:
        raise ConfigError("detect.five is landmarker, and detect.landmarker names none", where=where, fix="name one")
    for key in ("restored", "gain"):
        least, most = settings["match"][key]
        if least > most:
            raise ConfigError(
                f"match.{key} is [{least:g}, {most:g}]", where=where, fix="write the least first, then the most"
            )
    _passes(settings, cards, where)
    if swap["strength"] != 1 and swap["engine"] == "onnx":
        feeders = recognisers_of(settings, cards)
        if feeders and detect["recogniser"] not in feeders:
            raise ConfigError(
                f"swap.strength is {swap['strength']:g}: it moves away from the performer's own vector",
                where=where,
                fix=f"set detect.recogniser to {feeders[0]}, which {swap['model']} is fed by, or strength to 1",
            )


def warnings(settings: Settings) -> Iterator[str]:
    """What a person should know before they spend a night on a look."""
    most = settings["match"]["restored"][1]
    if settings["enhance"]["model"] and most > MOST_RESTORED:
        yield (
            f"match.restored goes up to {most:g}: over {MOST_RESTORED:g} a restorer's invented texture shows as"
            " plastic skin, and flickers"
        )
    boost = settings["swap"]["boost"]
    if boost > MOST_BOOST:
        yield (
            f"swap.boost is {boost}: over {MOST_BOOST} the cost goes on growing with the square, and no detail comes"
            " with it"
        )


def costs(settings: Settings, cards: Cards) -> Iterator[str]:
    """What a look takes many times over, for settings that `check_models` lets pass."""
    swap = settings["swap"]
    passes = _passes(settings, cards, "")
    if passes > 1:
        size = cards[swap["model"]]["size"]
        yield f"{passes} passes of {swap['model']} a face (boost {swap['boost']} over {size})"


def network_px(settings: Settings, cards: Cards) -> int | None:
    """Side in pixels that the look's swapper sees a face in; None for the embedded engine and for cards without one."""
    swap = settings["swap"]
    size: int | None = cards[swap["model"]].get("size") if swap["model"] else None
    return size and max(size, swap["boost"] if swap["engine"] == "onnx" else 0)


def debt(extent: float, network: int | None) -> float | None:
    """Resolution debt of a face of so many pixels, in dB: 20 log10 (extent / network).

    What a swap will lack before any network has run; 0 and less is no debt.
    """
    return 20 * math.log10(extent / network) if network and extent > 0 else None


def debts(settings: Settings, cards: Cards, extents: Mapping[str, float]) -> Iterator[str]:
    """What a person should know of a shot's tracks before they spend a night on its look.

    Parameters
    ----------
    extents:
        Largest extent of each cast track in pixels.
    """
    network = network_px(settings, cards)
    for track, extent in sorted(extents.items()):
        owed = debt(extent, network)
        if owed is not None and owed > MOST_DEBT:
            yield (
                f"track {track}: a face of up to {extent:.0f} pixels goes through {network} of"
                f" {settings['swap']['model']}: a resolution debt of {owed:.1f} dB, which is soft skin;"
                f" {_relief(settings)}"
            )


def _relief(settings: Settings) -> str:
    rest = "" if settings["enhance"]["model"] else " or name a restorer in enhance.model"
    return f"raise swap.boost, take a larger network{rest}"


def _passes(settings: Settings, cards: Cards, where: str) -> int:
    """Runs of the swapper that one face takes; a ConfigError for a boost that the network's side does not divide."""
    swap = settings["swap"]
    card = cards[swap["model"]] if swap["engine"] == "onnx" else {}
    if "size" not in card:
        return 1
    return cost(card["size"], swap["boost"], card.get("settings", {}).get("boost", ()), where)


def _a(role: str) -> str:
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def _named(name: str) -> list[str]:
    return [name] if name else []


def _ranged(settings: Mapping[str, Any], key: str) -> list[float]:
    """Values that a setting has on ranges and keys."""
    ranged = [entry["set"][key] for entry in settings.get("ranges", ()) if key in entry["set"]]
    return [*ranged, *(value for _, value in settings.get("keys", {}).get(key, ()))]


def _scores(detect: Mapping[str, Any]) -> list[float]:
    return [detect["threshold"], *_ranged(detect, "threshold")]
