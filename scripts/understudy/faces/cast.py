"""Who becomes whom: performers, as a shot list names them, to tracks. Decided per track, never per frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from understudy.errors import FaceError
from understudy.faces.boxes import overlaps
from understudy.faces.tracks import Track

FIX = "correct the shot's cast or its overrides"


class Entry(Protocol):
    """One performer and the talent put on them, as the shot list says it."""

    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> str | tuple[int, float, float, float, float] | None: ...
    @property
    def talent(self) -> str: ...


class CastEdits(Protocol):
    """The part of a shot's overrides that concerns the cast."""

    @property
    def cast(self) -> Mapping[str, str]: ...


def cast(
    tracks: Sequence[Track], entries: Sequence[Entry], overrides: CastEdits, where: str = ""
) -> dict[str, str]:
    """Track id to talent id.

    A track or a box names one track. ``largest``, ``leftmost`` and ``rightmost`` name one performer at any time: a
    track for each stretch of the shot, so that one lost between two tracks, or cut away from, is found again. Largest
    is the track with the largest sum of inter-ocular distances over its frames; leftmost (rightmost) one that no other
    track is left (right) of, by the medians of where both are. ``everyone`` is who is not named otherwise. What
    ``overrides.cast`` says of a track replaces all this.

    Raises
    ------
    FaceError
        A performer is named that no track is, or a track would get two talents. ``where`` begins the message.
    """
    held = {track.id: track for track in tracks}
    roles: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for entry in sorted(entries, key=lambda one: one.kind == "everyone"):
        chosen = _performers(tracks, entry, where)
        for name in chosen:
            if (entry.kind == "everyone" and name in roles) or name in overrides.cast:
                continue
            if roles.setdefault(name, entry.talent) != entry.talent:
                raise FaceError(
                    f"track {name} would become both {roles[name]} ({reasons[name]})"
                    f" and {entry.talent} ({_told(entry)})",
                    where=where,
                    fix=FIX,
                )
            reasons[name] = _told(entry)
    for name, talent in overrides.cast.items():
        if name not in held:
            raise _absent(f"the overrides cast track {name}, which does not exist", tracks, where)
        roles[name] = talent
    return {track.id: roles[track.id] for track in tracks if track.id in roles}


def _performers(tracks: Sequence[Track], entry: Entry, where: str) -> list[str]:
    if not tracks:
        raise FaceError(
            f"no face was found in the shot, so {_told(entry)} is nobody",
            where=where,
            fix="lower detect.threshold or track.min_length, or take the shot out of the list",
        )
    if entry.kind == "everyone":
        return [track.id for track in tracks]
    if entry.kind == "track":
        if entry.value not in {track.id for track in tracks}:
            raise _absent(f"track {entry.value} does not exist", tracks, where)
        return [str(entry.value)]
    if entry.kind == "box":
        return [_in_box(tracks, entry, where)]
    if entry.kind == "largest":
        return _one_at_a_time(tracks)
    side = 1 if entry.kind == "leftmost" else -1
    return _one_at_a_time(
        [track for track in tracks if all(_beside(track, other) * side <= 0 for other in tracks)]
    )


def _one_at_a_time(tracks: Sequence[Track]) -> list[str]:
    """The largest track, the largest of those that share no frame with it, and so on."""
    chosen: list[Track] = []
    for track in sorted(tracks, key=lambda one: -float(np.sum(np.exp(one.transform[:, 2])))):
        if not any(len(np.intersect1d(track.frames, other.frames)) for other in chosen):
            chosen.append(track)
    return sorted(track.id for track in chosen)


def _beside(track: Track, other: Track) -> float:
    """How far right of another track one is, in pixels, by medians over the frames of both; 0 if they share none."""
    _, here, there = np.intersect1d(track.frames, other.frames, return_indices=True)
    if not len(here):
        return 0.0
    return float(np.median(track.transform[here, 0]) - np.median(other.transform[there, 0]))


def _in_box(tracks: Sequence[Track], entry: Entry, where: str) -> str:
    assert isinstance(entry.value, tuple)
    frame, *corners = entry.value
    there = [track for track in tracks if track.frames[0] <= frame <= track.frames[-1]]
    boxes = {}
    for track in there:
        flat = track.points[frame - track.frames[0], :, :2]
        boxes[track.id] = np.concatenate([flat.min(axis=0), flat.max(axis=0)]).astype(np.float64)
    shares = {name: overlaps(np.array(corners, np.float64), box[None])[0] for name, box in boxes.items()}
    best = max(shares, key=lambda name: shares[name], default="")
    if not best or shares[best] <= 0:
        faces = (
            "; ".join(f"{name} {','.join(f'{x:.0f}' for x in box)}" for name, box in boxes.items()) or "none"
        )
        raise FaceError(f"{_told(entry)} touches no face; the faces there are: {faces}", where=where, fix=FIX)
    return best


def _told(entry: Entry) -> str:
    if isinstance(entry.value, tuple):
        frame, *corners = entry.value
        return f"box {','.join(f'{x:g}' for x in corners)} on frame {frame}"
    return entry.value or entry.kind


def _absent(what: str, tracks: Sequence[Track], where: str) -> FaceError:
    there = ", ".join(f"{track.id} ({track.frames[0]}-{track.frames[-1]})" for track in tracks) or "none"
    return FaceError(f"{what}; the tracks are: {there}", where=where, fix=FIX)
