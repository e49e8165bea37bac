"""Who becomes whom: performers, as a shot list names them, to tracks. Decided per track, never per frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.errors import FaceError
from understudy.faces.boxes import overlaps
from understudy.faces.identity import of_track, unit
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


@dataclass(frozen=True)
class References:
    """What performers look like who are cast by picture.

    Attributes
    ----------
    embeddings:
        The entry's value (the picture's path as the shot list has it) to the embedding [d] of the face on it, by the
        recogniser that the tracks' embeddings are by.
    least:
        Least cosine of a track to a picture of the same person.
    margin:
        By how much a match must be better than any other that it rules out.
    """

    embeddings: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    least: float = 0.4
    margin: float = 0.05


def cast(
    tracks: Sequence[Track],
    entries: Sequence[Entry],
    overrides: CastEdits,
    where: str = "",
    references: References = References(),
) -> dict[str, str]:
    """Track id to talent id.

    A track or a box names one track. ``largest``, ``leftmost`` and ``rightmost`` name one performer at any time: a
    track for each stretch of the shot, so that one lost between two tracks, or cut away from, is found again. Largest
    is the track with the largest sum of inter-ocular distances over its frames; leftmost (rightmost) one that no other
    track is left (right) of, by the medians of where both are. ``like`` names who is on a picture (see `_alike`).
    ``everyone`` is who is not named otherwise. What ``overrides.cast`` says of a track replaces all this.

    Raises
    ------
    FaceError
        A performer is named that no track is, that two may be, or a track would get two talents. ``where`` begins the
        message.
    """
    held = {track.id: track for track in tracks}
    roles: dict[str, str] = {}
    reasons: dict[str, str] = {}
    pictures = [entry for entry in entries if entry.kind == "like"]
    free = [track for track in tracks if track.id not in overrides.cast]
    alike = _alike(free, pictures, references, where) if pictures and tracks else {}
    for entry in sorted(entries, key=lambda one: one.kind == "everyone"):
        chosen = alike[entry.value] if entry.kind == "like" and tracks else _performers(tracks, entry, where)
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


def _alike(
    tracks: Sequence[Track], entries: Sequence[Entry], references: References, where: str
) -> dict[object, list[str]]:
    """Each picture to the tracks of the performer on it.

    Decided once per track, by the robust mean of its embeddings over the whole shot, so that frames that look like
    nobody, or like somebody else, change nothing. The best pair of track and picture goes first, then the best of what
    it leaves: a track is one performer, and a performer is on a frame once, so tracks that share a frame are two.
    """
    looks = {track.id: one.direction for track in tracks if (one := of_track(track)) is not None}
    held = [track for track in tracks if track.id in looks]
    if not held:
        raise FaceError(
            f"no track has an embedding, so {_told(entries[0])} cannot be found",
            where=where,
            fix="set detect.recogniser to a recogniser, or cast by track, box or place",
        )
    names = [str(entry.value) for entry in entries]
    pictures = unit(np.array([references.embeddings[name] for name in names]))
    cosines = np.array([looks[track.id] for track in held]) @ pictures.T
    free = cosines >= references.least
    matches: dict[object, list[str]] = {entry.value: [] for entry in entries}
    while free.any():
        i, j = divmod(int(np.argmax(np.where(free, cosines, -np.inf))), len(names))
        # What this match rules out: the track as anybody else, and whoever shares its frames as this performer.
        out = np.zeros_like(free)
        out[i] = True
        out[[k for k, other in enumerate(held) if np.intersect1d(other.frames, held[i].frames).size], j] = (
            True
        )
        out[i, j] = False
        for k, m in np.argwhere(out & free & (cosines > cosines[i, j] - references.margin)).tolist():
            if k != i or entries[m].talent != entries[j].talent:
                raise FaceError(
                    f"{names[j]} is like track {held[i].id} ({cosines[i, j]:.2f}) hardly more than {names[m]} is like"
                    f" track {held[k].id} ({cosines[k, m]:.2f}), and only one of the two can be",
                    where=where,
                    fix=f"cast one of them by name, for example {held[i].id}={entries[j].talent}, or take a picture"
                    " that tells them apart",
                )
        matches[entries[j].value].append(held[i].id)
        free &= ~out
        free[i, j] = False
    for entry, name, column in zip(entries, names, cosines.T, strict=True):
        # A second picture of a performer may have lost all tracks to the first.
        same = {each for other in entries if other.talent == entry.talent for each in matches[other.value]}
        if not any(
            track.id in same and cosine >= references.least
            for track, cosine in zip(held, column, strict=True)
        ):
            told = ", ".join(f"{track.id} {cosine:.2f}" for track, cosine in zip(held, column, strict=True))
            raise FaceError(
                f"no track is like {name}: {told}, where {references.least:g} is needed",
                where=where,
                fix="take a clearer picture of the performer, lower track.like, or cast by track, box or place",
            )
    return matches


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
    return f"like {entry.value}" if entry.kind == "like" else entry.value or entry.kind


def _absent(what: str, tracks: Sequence[Track], where: str) -> FaceError:
    there = ", ".join(f"{track.id} ({track.frames[0]}-{track.frames[-1]})" for track in tracks) or "none"
    return FaceError(f"{what}; the tracks are: {there}", where=where, fix=FIX)
