"""What a person should look at, in words: where, why, and what to do next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from understudy.qc import measures, motion

LEVELS: Final = ("info", "warn", "fail")
STATES: Final = ("ok", "warn", "fail")
VISIBLE: Final = measures.STEP / 2
"""A deliverable of fewer bits than the plate may round by less than this."""


@dataclass(frozen=True)
class Limits:
    """Where a number becomes a flag: proposals, until a show has calibrated its own.

    The first seven are settings of the stage `qc` and say where a warning begins; a failure begins at the
    distances of :func:`checks`. Texture is in dB, jitter in IOD, colour in CIEDE2000, flicker and pop in log
    brightness; seam and warping are ratios to the plate; score, occlusion and coverage are shares.
    """

    texture_soft: float = -3.0
    texture_hard: float = 2.0
    seam: float = 1.3
    colour: float = 2.0
    jitter: float = 0.005
    score: float = 0.5
    occlusion: float = 0.15
    flicker: float = 0.004
    pop: float = 0.03
    texture_flicker: float = 0.7
    warping: float = 1.15
    coverage: float = 0.5

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Limits:
        """Limits from a stage's settings; names that are not limits are left alone."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: float(value) for name, value in settings.items() if name in known})


@dataclass(frozen=True)
class Finding:
    """One frame's reason to be looked at, before neighbours are joined.

    ``words`` is a sentence with ``{worst}`` where the number of the worst frame goes; the highest ``badness``
    is the worst.
    """

    frame: int
    track: str | None
    kind: str
    level: str
    words: str
    action: str
    value: float | None = None
    badness: float = 0.0
    show: str = "{:.2f}"


@dataclass(frozen=True)
class Check:
    """A number with limits: ``low`` says that smaller is worse."""

    name: str
    kind: str
    warn: float
    fail: float | None
    words: str
    action: str
    show: str
    low: bool = False

    def of(self, row: Mapping[str, Any]) -> Finding | None:
        """The finding of a row, ``None`` where its number is inside the limits or unknown."""
        value = row.get(self.name)
        if value is None:
            return None
        sign = -1.0 if self.low else 1.0
        if sign * value <= sign * self.warn:
            return None
        fails = self.fail is not None and sign * value > sign * self.fail
        return Finding(
            frame=int(row["frame"]),
            track=row.get("track"),
            kind=self.kind,
            level="fail" if fails else "warn",
            words=self.words,
            action=self.action,
            value=float(value),
            badness=sign * float(value),
            show=self.show,
        )


def checks(limits: Limits) -> tuple[Check, ...]:
    """Every number that is held against a limit, frame by frame."""
    return (
        Check(
            "score",
            "low score",
            limits.score,
            None,
            "the landmarks are uncertain: score {worst}",
            "check the face at this frame; fix its landmarks or exclude it in the shot's override file",
            "{:.2f}",
            low=True,
        ),
        Check(
            "texture_index",
            "too soft",
            limits.texture_soft,
            2 * limits.texture_soft,
            "the new skin is softer than the plate's: {worst} dB",
            "use sharper or larger talent pictures, or raise the look's texture settings",
            "{:+.1f}",
            low=True,
        ),
        Check(
            "texture_index",
            "over-enhanced",
            limits.texture_hard,
            1.5 * limits.texture_hard,
            "the new skin has more texture than the plate's: {worst} dB",
            "lower the look's texture or grain settings",
            "{:+.1f}",
        ),
        Check(
            "seam",
            "seam visible",
            limits.seam,
            limits.seam + 0.7,
            "the matte's edge shows: {worst} times the plate's contrast across it",
            "widen the matte's softness or shrink the matte in the look",
            "{:.2f}",
        ),
        Check(
            "colour_distance",
            "colour off",
            limits.colour,
            2 * limits.colour,
            "the new skin does not match the skin around it: CIEDE2000 {worst} above the plate's",
            "check the colour match; choose a talent picture in similar light",
            "{:.1f}",
        ),
        Check(
            "jitter",
            "jitter",
            limits.jitter,
            2 * limits.jitter,
            "the face is unsteady: {worst} of the distance between the eyes",
            "raise the track's smoothing, or fix the landmarks of this frame in the shot's override file",
            "{:.4f}",
        ),
        Check(
            "flicker",
            "brightness pop",
            limits.pop,
            None,
            "the face's brightness jumps where the plate's does not: {worst} (log)",
            "check the light and colour match at this frame",
            "{:.3f}",
        ),
        Check(
            "coverage",
            "little coverage",
            limits.coverage,
            None,
            "only {worst} of the face lies under the matte",
            "check the matte; if something is in front of the face this may be right",
            "{:.0%}",
            low=True,
        ),
    )


def bounds(limits: Limits) -> dict[str, dict[str, list[float | None] | None]]:
    """Per number the limits on either side, ``[warn, fail]``, for the page's strips."""
    sides: dict[str, dict[str, list[float | None] | None]] = {}
    for check in checks(limits):
        own = sides.setdefault(check.name, {"low": None, "high": None})
        own["low" if check.low else "high"] = [check.warn, check.fail]
    return sides


def missing(rows: Sequence[Mapping[str, Any]], shot: Mapping[str, Any]) -> Iterable[Finding]:
    """Frames of the shot on which nobody was replaced and that no override leaves alone."""
    replaced = {int(row["frame"]) for row in rows}
    excluded = set(shot.get("excluded", ()))
    for frame in range(int(shot["first"]), int(shot["last"]) + 1):
        if frame in excluded:
            yield Finding(
                frame,
                None,
                "excluded",
                "info",
                "left as shot by the shot's override file",
                "nothing, if that is what you want",
            )
        elif frame not in replaced:
            yield Finding(
                frame,
                None,
                "no face",
                "warn" if replaced else "fail",
                "no cast face was found: the plate is passed through",
                "if there is a face, lower the detector's score or add landmarks; if not, exclude the frames "
                "in the shot's override file",
            )


def of_row(row: Mapping[str, Any], tests: Iterable[Check], limits: Limits) -> Iterable[Finding]:
    """All that is wrong with one face on one frame."""
    frame, track = int(row["frame"]), row.get("track")
    if row.get("seen") is False:
        yield Finding(
            frame,
            track,
            "filled",
            "warn",
            "the face was not seen: its place comes from the frames around",
            "check that the face sits right; add landmarks or exclude the frames in the shot's override file",
        )
    if row.get("matte") is False:
        yield Finding(
            frame,
            track,
            "matte missing",
            "fail",
            "the matte is empty: nothing was replaced",
            "check the roto images and the matte settings of this shot",
        )
    occlusion = row.get("occlusion")
    if occlusion is not None and occlusion > limits.occlusion and not row.get("roto"):
        yield Finding(
            frame,
            track,
            "occluded",
            "warn",
            "something seems to be in front of the face and is painted over: {worst} of it",
            "give a roto matte for these frames in the shot's override file",
            occlusion,
            occlusion,
            "{:.0%}",
        )
    if (row.get("untouched") or 0.0) > VISIBLE:
        yield Finding(
            frame,
            track,
            "plate changed",
            "fail",
            "pixels outside the matte differ from the plate, by up to {worst}",
            "this is a fault of the composite: keep the shot's work folder and report it",
            row["untouched"],
            row["untouched"],
            "{:.4f}",
        )
    for check in tests:
        found = check.of(row)
        if found is not None and not (row.get("matte") is False and check.name == "coverage"):
            yield found


def ends(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where a flag stands that is said of a whole track."""
    frames = [int(row["frame"]) for row in rows]
    return {
        "first": min(frames),
        "last": max(frames),
        "worst": min(frames),
        "track": rows[0].get("track"),
        "whole": True,
    }


def of_track(rows: Sequence[Mapping[str, Any]], limits: Limits) -> Iterable[dict[str, Any]]:
    """What can only be said of a whole track: brightness and texture that flicker, texture that does not stick."""
    level = measures.rms([row.get("flicker") for row in rows])
    if level is not None and level > limits.flicker:
        yield ends(rows) | {
            "kind": "flicker",
            "level": "fail" if level > 2.5 * limits.flicker else "warn",
            "value": level,
            "reason": f"the face's brightness flickers: rms {level:.4f} (log)",
            "action": "raise the smoothing of the colour and light match over time",
        }
    wobble = measures.spread([row.get("texture_index") for row in rows])
    if wobble is not None and wobble > limits.texture_flicker:
        yield ends(rows) | {
            "kind": "texture flicker",
            "level": "warn",
            "value": wobble,
            "reason": f"the skin's texture comes and goes: it varies by {wobble:.1f} dB",
            "action": "check focus and motion blur; give the shot a look with a steadier texture setting",
        }
    ratio = motion.warping(rows)
    # The same miss by a fraction of a pixel costs crisper skin more, in proportion to its energy.
    crisper = max(measures.median([row.get("texture_index") for row in rows]) or 0.0, 0.0)
    if ratio is not None and ratio > limits.warping * 10 ** (crisper / 10):
        yield ends(rows) | {
            "kind": "unsteady texture",
            "level": "warn",
            "value": ratio,
            "reason": f"the new skin is less steady than the plate's: its warping error is {ratio:.2f} times as large",
            "action": "where the skin is over-enhanced, mend that first; then set steady.window to 1 or 2 in the look",
        }


def join(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Neighbouring frames of the same kind and track become one flag, of the level of its worst frame."""
    runs: list[list[Finding]] = []
    for found in sorted(findings, key=lambda found: (found.kind, found.track or "", found.frame)):
        before = runs[-1][-1] if runs else None
        if before and (before.kind, before.track, before.frame + 1) == (found.kind, found.track, found.frame):
            runs[-1].append(found)
        else:
            runs.append([found])
    flags = []
    for run in runs:
        worst = max(run, key=lambda found: (found.badness, -found.frame))
        number = "" if worst.value is None else worst.show.format(worst.value)
        reason = worst.words.replace("{worst}", number)
        if worst.value is not None and len(run) > 1:
            reason += f" at worst (frame {worst.frame})"
        flags.append(
            {
                "first": run[0].frame,
                "last": run[-1].frame,
                "worst": worst.frame,
                "track": worst.track,
                "whole": False,
                "kind": worst.kind,
                "level": max((found.level for found in run), key=LEVELS.index),
                "value": worst.value,
                "reason": reason,
                "action": worst.action,
            }
        )
    return flags


def flags(
    rows: Sequence[Mapping[str, Any]],
    shot: Mapping[str, Any],
    limits_at: Callable[[int], Limits] = lambda _: Limits(),
) -> list[dict[str, Any]]:
    """Every flag of a shot, by first frame.

    Parameters
    ----------
    rows:
        One per replaced face and frame: ``frame``, ``track``, ``seen`` (False where the track was filled),
        ``score``, ``matte`` (False where it is empty), ``roto`` (whether a roto matte was given), and any of
        the numbers of :mod:`understudy.qc.measures`. What a row does not have is not judged.
    shot:
        ``first``, ``last``, and ``excluded``: the frames that the override file leaves alone.
    limits_at:
        The limits that hold on a frame; those of the shot's first frame hold for a track as a whole.

    Returns
    -------
    JSON objects: ``first``, ``last``, ``worst`` (frame), ``track`` (or None), ``whole`` (said of the track as
    a whole, not of its frames), ``kind``, ``level`` (``info``, ``warn``, ``fail``), ``value`` (or None),
    ``reason`` (a sentence), ``action`` (the next step).
    """
    excluded = set(shot.get("excluded", ()))
    judged = [row for row in rows if int(row["frame"]) not in excluded]
    found = list(missing(rows, shot))
    for row in judged:
        limits = limits_at(int(row["frame"]))
        found.extend(of_row(row, checks(limits), limits))
    joined = join(found)
    tracks: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in sorted(judged, key=lambda row: int(row["frame"])):
        tracks.setdefault(row.get("track"), []).append(row)
    for own in tracks.values():
        joined.extend(of_track(own, limits_at(int(shot["first"]))))
    return in_order(joined)


def in_order(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Flags by first frame, kind and track."""
    return sorted(found, key=lambda flag: (flag["first"], flag["kind"], flag["track"] or "", flag["level"]))


def state(flags_of_shot: Iterable[Mapping[str, Any]]) -> str:
    """``ok``, ``warn`` or ``fail``: the worst level among a shot's flags."""
    worst = max((LEVELS.index(flag["level"]) for flag in flags_of_shot), default=0)
    return STATES[worst]


def failed(shots: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the run should end non-zero: a shot's ``state`` is ``fail``."""
    return any(shot["state"] == "fail" for shot in shots)
