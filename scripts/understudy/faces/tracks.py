"""Tracks: which face of one frame is which of the next, over a whole shot, filled and smoothed in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.errors import FaceError
from understudy.faces.align import five_of_mesh
from understudy.faces.detect import Face
from understudy.faces.geometry import (
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_EYE,
    STABLE,
    face_space,
    placement,
    pose,
    to_face,
    to_frame,
)

Array = NDArray[np.float64]

# One unit each of the cost of taking a face for the next of a track, beside the jump (which settings limit):
# log of the size ratio, rms difference of proportions in inter-ocular distances, log of the ratio of lightness.
SIZE_UNIT, SHAPE_UNIT, LIGHT_UNIT = 0.25, 0.06, 0.5
SIZE_LIMIT = 0.5
# What the shape filter takes for process noise over measurement noise, and how many times that on lids and lips.
SHAPE_RATIO, EXPRESSION_GAIN = 0.5, 8.0
LIGHT_RATIO = 0.02
# The five points follow the 468 in the filter; all but the tip of the nose are of lids or lips.
FIVE_ON_LIDS_AND_LIPS = 468 + np.array([0, 1, 3, 4])
RATIOS = np.logspace(-6, 1, 29)


@dataclass(frozen=True)
class FrameRow:
    """What detection left of one frame; ``signature`` is that of `detect.signature`."""

    frame: int
    faces: Sequence[Face]
    signature: NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """One performer on consecutive frames.

    Attributes
    ----------
    id:
        ``t01``, ``t02``, ...: by first frame, then from left to right.
    frames:
        Frame numbers, int [n], without holes.
    points:
        Landmarks in pixels of the frame, float32 [n, 468, 3].
    transform:
        The face's place (cx, cy, log scale, angle), float64 [n, 4]; see `geometry.to_frame`. The angle is unwrapped.
    pose:
        Yaw, pitch, roll in degrees, [n, 3].
    light:
        As `Face.light`, [n, 3].
    score:
        The detector's score, or half the landmark network's confidence where only that saw the face; 0 where none
        did; [n].
    seen:
        False where the landmarks are filled in, bool [n].
    five:
        As `Face.five`, float32 [n, 5, 2].
    embeddings:
        As `Face.embedding`, float32 [n, d], NaN on frames without one; d is 0 where no recogniser is configured.
    """

    id: str
    frames: NDArray[np.intp]
    points: NDArray[np.float32]
    transform: Array
    pose: Array
    light: Array
    score: Array
    seen: NDArray[np.bool_]
    five: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class Edits(Protocol):
    """What a person corrected by hand; the part of a shot's overrides that concerns tracks."""

    @property
    def ignore(self) -> Sequence[str]: ...
    @property
    def merge(self) -> Sequence[Sequence[str]]: ...
    @property
    def split(self) -> Sequence[tuple[str, int]]: ...
    @property
    def landmarks(self) -> Mapping[int, Mapping[str, Mapping[int, tuple[float, float]]]]: ...


def link(rows: Sequence[FrameRow], width: int, height: int, settings: Mapping[str, Any]) -> list[Track]:
    """Tracks of a shot, as measured: gaps filled by straight lines, nothing smoothed.

    Parameters
    ----------
    rows:
        All frames of the shot, ascending, without holes.
    width, height:
        Size of the frame in pixels; a face whose middle is outside is not taken.
    settings:
        ``max_gap``: frames a face may be away; ``max_jump``: how far, in inter-ocular distances, a face may be from
        where its track's own motion or rest puts it, one frame later (with the root of the frames in between);
        ``min_length``: frames a track must be seen on, or the length of its take if that is less; ``cut``: see
        `cuts`.
    """
    starts = [rows[0].frame, *cuts(rows, settings["cut"]), rows[-1].frame + 1] if rows else []
    tracks = []
    for first, after in zip(starts[:-1], starts[1:], strict=True):
        take = [row for row in rows if first <= row.frame < after]
        least = min(settings["min_length"], len(take))
        chains = _link_take(take, width, height, settings)
        tracks += [_measured(chain) for chain in chains if len(chain) >= least]
    return _named(tracks)


def cuts(rows: Sequence[FrameRow], limit: float) -> list[int]:
    """First frames of new takes.

    The change between two frames is 1 minus the correlation of their signatures, blind to brightness. A cut is a
    change above ``limit``, and above three times the usual change around it (a whip pan is no cut), that neither the
    next nor the last frame takes back (a flash is no cut), with no face that goes on across it.
    """
    change = np.array([_change(a.signature, b.signature) for a, b in zip(rows[:-1], rows[1:], strict=True)])
    found = []
    for index in range(1, len(rows)):
        around = np.delete(change, index - 1)[max(0, index - 9) : index + 7]
        usual = float(np.median(around)) if len(around) else 0.0
        if change[index - 1] <= max(limit, 3 * usual):
            continue
        before, here = rows[index - 1], rows[index]
        bridges = [(rows[index - 2], here)] if index >= 2 else []
        bridges += [(before, rows[index + 1])] if index + 1 < len(rows) else []
        returns = any(_change(a.signature, b.signature) <= limit for a, b in bridges)
        if not returns and not _goes_on(before, here):
            found.append(here.frame)
    return found


def _change(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    x, y = (np.asarray(s, np.float64) - np.mean(s, axis=(0, 1)) for s in (a, b))
    # Noise of 1 % keeps flat frames from correlating by chance.
    floor = 1e-4 * x.size
    return float(
        np.clip(1 - (np.sum(x * y) + floor) / np.sqrt((np.sum(x**2) + floor) * (np.sum(y**2) + floor)), 0, 1)
    )


def _goes_on(before: FrameRow, here: FrameRow) -> bool:
    for a in before.faces:
        for b in here.faces:
            one, other = _Sighting(0, a), _Sighting(1, b)
            moved = np.hypot(*(one.place[:2] - other.place[:2])) / np.exp(one.place[2])
            if (
                moved < 0.25
                and abs(one.place[2] - other.place[2]) < 0.1
                and one.unlike(other.shape) < SHAPE_UNIT
            ):
                return True
    return False


class _Sighting:
    """A face on a frame, with what linking compares."""

    def __init__(self, frame: int, face: Face) -> None:
        self.frame, self.face = frame, face
        self.place = placement(face.points).params
        shape = face_space(face.points, to_face(self.place))[STABLE]
        self.shape: Array = shape

    def unlike(self, shape: Array) -> float:
        """Rms difference of proportions on the picture, in inter-ocular distances."""
        return float(np.sqrt(np.mean(np.sum((self.shape - shape)[:, :2] ** 2, axis=1))))


def _link_take(
    rows: Sequence[FrameRow], width: int, height: int, settings: Mapping[str, Any]
) -> list[list[_Sighting]]:
    """Sightings grouped into tracks, frame by frame, each frame's faces assigned at least total cost."""
    done: list[list[_Sighting]] = []
    open_: list[list[_Sighting]] = []
    for row in rows:
        for track in [track for track in open_ if row.frame - track[-1].frame > settings["max_gap"] + 1]:
            open_.remove(track)
            done.append(track)
        sightings = [_Sighting(row.frame, face) for face in row.faces]
        sightings = [s for s in sightings if 0 <= s.place[0] <= width and 0 <= s.place[1] <= height]
        cost = np.array([[_cost(track, s, settings["max_jump"]) for s in sightings] for track in open_])
        taken = set()
        for i, j in assign(cost.reshape(len(open_), len(sightings))):
            open_[i].append(sightings[j])
            taken.add(j)
        open_ += [[s] for j, s in enumerate(sightings) if j not in taken]
    return done + open_


def _cost(track: Sequence[_Sighting], sighting: _Sighting, max_jump: float) -> float:
    """How unlikely a sighting is as a track's next; infinite where it cannot be."""
    last = track[-1]
    steps = sighting.frame - last.frame
    recent = [s for s in track[-5:] if s.frame >= last.frame - 8]
    velocity = (last.place[:2] - recent[0].place[:2]) / max(1, last.frame - recent[0].frame)
    moved = sighting.place[:2] - last.place[:2]
    # Heads stop as suddenly as they start: both going on and staying are what one expects of them.
    jump = min(np.hypot(*(moved - steps * velocity)), np.hypot(*moved)) / np.exp(last.place[2])
    jump /= max_jump * np.sqrt(steps)
    size = abs(sighting.place[2] - last.place[2])
    if jump > 1 or size > SIZE_LIMIT:
        return np.inf
    shape = sighting.unlike(np.mean([s.shape for s in recent], axis=0))
    light = abs(np.log(max(sighting.face.light[0], 0.02) / max(last.face.light[0], 0.02)))
    going_on = np.hypot(*(moved - steps * velocity)) / np.exp(last.place[2]) / max_jump
    return float(jump + 0.5 * going_on + size / SIZE_UNIT + shape / SHAPE_UNIT + min(light / LIGHT_UNIT, 2.0))


def assign(cost: Array) -> list[tuple[int, int]]:
    """Pairs (row, column) of a cost matrix: as many as can be of finite cost, at the least total cost.

    The Hungarian method with potentials, O(n^2 m): Kuhn 1955, in the form of Jonker and Volgenant 1987.
    """
    rows, columns = cost.shape
    if not rows or not columns:
        return []
    if rows > columns:
        return sorted((i, j) for j, i in assign(cost.T))
    finite = cost[np.isfinite(cost)]
    # Dearer than all finite pairs together: never taken where a finite one can be.
    never = 1.0 + 2 * float(np.sum(np.abs(finite)))
    matrix = np.where(np.isfinite(cost), cost, never)
    u, v = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, int)
    for row in range(1, rows + 1):
        owner[0], column = row, 0
        least, before = np.full(columns + 1, np.inf), np.zeros(columns + 1, int)
        used = np.zeros(columns + 1, bool)
        while owner[column]:
            used[column] = True
            reduced = matrix[owner[column] - 1] - u[owner[column]] - v[1:]
            better = ~used[1:] & (reduced < least[1:])
            least[1:][better], before[1:][better] = reduced[better], column
            following = int(np.argmin(np.where(used, np.inf, least)[1:])) + 1
            delta = least[following]
            u[owner[used]] += delta
            v[used] -= delta
            least[~used] -= delta
            column = following
        while column:
            owner[column], column = owner[before[column]], before[column]
    pairs = [(int(owner[column]) - 1, column - 1) for column in range(1, columns + 1) if owner[column]]
    return sorted((i, j) for i, j in pairs if np.isfinite(cost[i, j]))


def _measured(sightings: Sequence[_Sighting]) -> Track:
    frames = np.arange(sightings[0].frame, sightings[-1].frame + 1)
    known = np.array([s.frame for s in sightings])
    seen = np.isin(frames, known)

    def lines(values: Sequence[Any]) -> Array:
        table = np.array(values, np.float64).reshape(len(known), -1)
        return np.column_stack([np.interp(frames, known, column) for column in table.T])

    points = lines([s.face.points for s in sightings]).reshape(len(frames), -1, 3).astype(np.float32)
    five = lines([s.face.five for s in sightings]).reshape(len(frames), 5, 2).astype(np.float32)
    score = np.zeros(len(frames))
    score[seen] = [_score(s.face) for s in sightings]
    transform = np.array([placement(p).params for p in points])
    transform[:, 3] = np.unwrap(transform[:, 3])
    return Track(
        "",
        frames,
        points,
        transform,
        np.array([pose(p) for p in points]),
        lines([s.face.light for s in sightings]),
        score,
        seen,
        five,
        _embeddings(sightings, frames),
    )


def _embeddings(sightings: Sequence[_Sighting], frames: NDArray[np.intp]) -> NDArray[np.float32]:
    known = [(s.frame, s.face.embedding) for s in sightings if s.face.embedding is not None]
    table = np.full((len(frames), len(known[0][1]) if known else 0), np.nan, np.float32)
    for frame, embedding in known:
        table[frame - frames[0]] = embedding
    return table


def _score(face: Face) -> float:
    return face.score or face.confidence / 2


def _named(tracks: Sequence[Track]) -> list[Track]:
    ordered = sorted(tracks, key=lambda track: (int(track.frames[0]), float(track.transform[0, 0])))
    return [replace(track, id=f"t{number:02d}") for number, track in enumerate(ordered, 1)]


def missing(track: Track) -> list[int]:
    """Frames on which the track's landmarks are only filled in, to be looked at again near ``points``.

    From both ends of each hole inwards, so that each has a known or just found neighbour to start from.
    """
    holes = np.flatnonzero(~track.seen)
    ends = np.flatnonzero(track.seen)
    distance = np.abs(holes[:, None] - ends[None]).min(axis=1) if len(holes) else holes
    return [int(track.frames[i]) for i in holes[np.argsort(distance, kind="stable")]]


def with_faces(track: Track, found: Mapping[int, Face]) -> Track:
    """The track with faces that were found later (by frame number); what is still missing is filled anew."""
    here = {int(frame): index for index, frame in enumerate(track.frames)}
    sightings = [_Sighting(frame, _face(track, i)) for frame, i in here.items() if track.seen[i]]
    sightings += [_Sighting(frame, face) for frame, face in found.items()]
    return replace(_measured(sorted(sightings, key=lambda s: s.frame)), id=track.id)


def _face(track: Track, i: int) -> Face:
    """What a track knows of its i-th frame, as a face again."""
    flat, embedding = track.points[i, :, :2], track.embeddings[i]
    return Face(
        box=np.concatenate([flat.min(axis=0), flat.max(axis=0)]),
        score=float(track.score[i]),
        confidence=1.0,
        points=track.points[i],
        light=track.light[i].astype(np.float32),
        five=track.five[i],
        embedding=embedding if len(embedding) and np.isfinite(embedding).all() else None,
    )


def smooth(track: Track, settings: Mapping[str, Any]) -> Track:
    """The track without the networks' noise: no lag, no holes.

    Place, size and turn go through a constant-velocity Kalman filter and the Rauch-Tung-Striebel smoother (1965), its
    noise found by maximum likelihood on the track itself, frames of low score trusted less, outliers hardly at all.
    The landmarks within the face go through the same with a light hand, lids and lips nearly untouched; so do the five
    points, as those of the landmarks they stand for.

    ``settings``: ``smooth`` and ``smooth_shape``, strengths of the two; 0 leaves as measured, 1 is what the noise asks
    for, 2 assumes half as much motion.
    """
    if len(track.frames) < 3:
        return track
    noise = np.where(track.seen, 1 / np.maximum(track.score, 0.2), np.inf)
    flat_five = np.pad(track.five, ((0, 0), (0, 0), (0, 1)))
    measured = np.concatenate([track.points, flat_five], axis=1)
    local = np.array([face_space(p, to_face(t)) for p, t in zip(measured, track.transform, strict=True)])
    transform = track.transform
    if settings["smooth"] > 0:
        columns = [_smooth_column(column, noise, settings["smooth"]) for column in transform.T]
        transform = np.column_stack(columns)
    if settings["smooth_shape"] > 0:
        ratio = np.full(local.shape[1:], SHAPE_RATIO / settings["smooth_shape"])
        ratio[np.concatenate([LEFT_EYE, RIGHT_EYE, LIPS_INNER, LIPS_OUTER, FIVE_ON_LIDS_AND_LIPS])] *= (
            EXPRESSION_GAIN
        )
        flat = local.reshape(len(local), -1)
        local = kalman(flat, noise, ratio.ravel())[0].reshape(local.shape)
    filtered = np.array(
        [face_space(p, to_frame(t)) for p, t in zip(local, transform, strict=True)], np.float32
    )
    points, five = filtered[:, :-5], filtered[:, -5:, :2]
    light = kalman(track.light, noise, np.full(3, LIGHT_RATIO))[0]
    return replace(
        track,
        points=points,
        transform=transform,
        pose=np.array([pose(p) for p in points]),
        light=light,
        five=five,
    )


def _smooth_column(values: Array, noise: Array, strength: float) -> Array:
    grid = np.repeat(values[:, None], len(RATIOS), axis=1)
    trust = noise
    for _ in range(3):
        likelihood = kalman(grid, trust, RATIOS)[1]
        ratio = np.array([RATIOS[int(np.argmax(likelihood))] / strength**2])
        smoothed = kalman(values[:, None], trust, ratio)[0][:, 0]
        residual = np.abs(values - smoothed)
        spread = 1.4826 * float(np.median(residual[np.isfinite(noise)])) + 1e-9
        trust = noise * np.maximum(1.0, residual / (3 * spread)) ** 2
    return smoothed


def kalman(values: Array, noise: Array, ratio: Array) -> tuple[Array, Array]:
    """Constant-velocity Kalman filter with the Rauch-Tung-Striebel smoother, each column for itself.

    Parameters
    ----------
    values:
        Measurements [n, k], one per frame.
    noise:
        Variance of each frame's measurement over the usual one, [n]; infinite where there is none.
    ratio:
        Density of the process noise (per frame cubed) over the usual variance of a measurement, [k].

    Returns
    -------
    smoothed [n, k], and the log-likelihood [k] of the measurements, the variance's own scale taken at its best.
    """
    n, k = values.shape
    first = int(np.flatnonzero(np.isfinite(noise))[0])
    x, v = values[first].astype(np.float64), np.zeros(k)
    a, b, c = np.full(k, 1e6), np.zeros(k), np.full(k, 1e6)
    states = np.empty((n, 2, 5, k))
    squares, logs, count = np.zeros(k), np.zeros(k), 0
    for i in range(n):
        if i:
            x = x + v
            a, b, c = a + 2 * b + c + ratio / 3, b + c + ratio / 2, c + ratio
        states[i, 0] = x, v, a, b, c
        if np.isfinite(noise[i]):
            spread = a + noise[i]
            error = values[i] - x
            if count >= 2:
                squares, logs = squares + error**2 / spread, logs + np.log(spread)
            count += 1
            x, v = x + a / spread * error, v + b / spread * error
            a, b, c = a * noise[i] / spread, b * noise[i] / spread, c - b * b / spread
        states[i, 1] = x, v, a, b, c
    smoothed = np.empty((n, k))
    smoothed[-1] = x
    for i in range(n - 2, -1, -1):
        ahead_x, ahead_v, pa, pb, pc = states[i + 1, 0]
        fx, fv, a, b, c = states[i, 1]
        determinant = pa * pc - pb * pb
        # Gain: filtered covariance times the transposed step times the inverse of the predicted covariance.
        g00 = ((a + b) * pc - b * pb) / determinant
        g01 = (b * pa - (a + b) * pb) / determinant
        g10 = ((b + c) * pc - c * pb) / determinant
        g11 = (c * pa - (b + c) * pb) / determinant
        dx, dv = x - ahead_x, v - ahead_v
        x, v = fx + g00 * dx + g01 * dv, fv + g10 * dx + g11 * dv
        smoothed[i] = x
    used = max(count - 2, 1)
    likelihood = -0.5 * (used * np.log(squares / used + 1e-12) + logs)
    return smoothed, likelihood


def edit(tracks: Sequence[Track], edits: Edits, where: str = "") -> list[Track]:
    """Tracks split, merged and ignored as a person asked; to be called before `smooth`.

    A split's second part gets the next free id; merged tracks go by the first one's; where two of them have the same
    frame, the one named first stays.

    Raises
    ------
    FaceError
        A track or frame is named that does not exist.
    """
    held = {track.id: track for track in tracks}
    free = 1 + max((int(name[1:]) for name in held), default=0)
    for name, frame in edits.split:
        track = _held(held, name, "split", where)
        if not track.frames[0] < frame <= track.frames[-1]:
            raise FaceError(
                f"split names {name} at frame {frame}, but {name} has frames {track.frames[0]}-{track.frames[-1]}",
                where=where,
                fix="a split is at a frame after the track's first",
            )
        new = f"t{free:02d}"
        free += 1
        held[name] = _part(track, name, track.frames < frame)
        held[new] = _part(track, new, track.frames >= frame)
    for group in edits.merge:
        parts = [_held(held, name, "merge", where) for name in group]
        for name in group[1:]:
            del held[name]
        held[group[0]] = _merged(parts)
    for name in edits.ignore:
        _held(held, name, "ignore", where)
    return [track for name, track in held.items() if name not in set(edits.ignore)]


def pin(tracks: Sequence[Track], edits: Edits, where: str = "") -> list[Track]:
    """Tracks with the landmarks that a person put in place, to be called after `smooth`: they are taken as given.

    Raises
    ------
    FaceError
        A track is named that does not exist, or not on that frame.
    """
    held = {track.id: track for track in tracks}
    for frame, by_track in edits.landmarks.items():
        for name, places in by_track.items():
            track = _held(held, name, "landmarks", where)
            if not track.frames[0] <= frame <= track.frames[-1]:
                raise FaceError(
                    f"landmarks name {name} at frame {frame}, but {name} has frames"
                    f" {track.frames[0]}-{track.frames[-1]}",
                    where=where,
                    fix="correct the frame or the track in the shot's overrides",
                )
            i, points, five = frame - int(track.frames[0]), track.points.copy(), track.five.copy()
            for index, place in places.items():
                points[i, int(index), :2] = place
            five[i] += five_of_mesh(points[i]) - five_of_mesh(track.points[i])
            held[name] = replace(track, points=points, five=five)
    return list(held.values())


def _held(held: Mapping[str, Track], name: str, what: str, where: str) -> Track:
    if name not in held:
        there = (
            ", ".join(f"{track.id} ({track.frames[0]}-{track.frames[-1]})" for track in held.values())
            or "none"
        )
        raise FaceError(
            f"{what} names track {name}, which does not exist; the tracks are: {there}",
            where=where,
            fix="correct the shot's overrides",
        )
    return held[name]


def _part(track: Track, name: str, keep: NDArray[np.bool_]) -> Track:
    arrays = {
        field: getattr(track, field)[keep]
        for field in ("frames", "points", "transform", "pose", "light", "score", "seen", "five", "embeddings")
    }
    return Track(name, **arrays)


def _merged(parts: Sequence[Track]) -> Track:
    faces: dict[int, _Sighting] = {}
    for track in parts:
        for i in np.flatnonzero(track.seen):
            frame = int(track.frames[i])
            faces.setdefault(frame, _Sighting(frame, _face(track, int(i))))
    return replace(_measured([faces[frame] for frame in sorted(faces)]), id=parts[0].id)
