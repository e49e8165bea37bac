"""The built-in engine: the talent's own pixels, bent along a mesh of 468 points.

Nothing is learned and nothing is invented: each pixel of the new face is read once from a picture of the
talent, at the plate's full resolution. The pose, the expression and the outline of the face stay the
performer's; features and skin become the talent's. What a still picture cannot know (a blink, the inside of
an open mouth, a cheek that the picture does not show) is left to the plate through the engine's matte.
"""

from __future__ import annotations

from collections.abc import Mapping as Settings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.comp.mattes.features import (
    CLOSED,
    EYES_FADE,
    MOUTH_FADE,
    PARTED,
    lids_closed,
    lips_apart,
    transition,
)
from understudy.engines.atlas import choose, crossfade
from understudy.engines.base import Card, FaceContext, Image, NewFace, Performance, TalentAtlas
from understudy.engines.pictures import source
from understudy.engines.warp import (
    Pyramid,
    affines,
    bounds,
    facing,
    mapping,
    polygon,
    pull,
    smoothstep,
    stretch,
)
from understudy.errors import ConfigError
from understudy.faces import geometry as g

F64 = NDArray[np.float64]

POLICIES = ("auto", "plate", "talent")
CROSSFADE = 5  # frames
PATIENCE = 10  # frames at a difference that an eye notices, for which a switch is worth its cost of 1
RELIEF = 0.45
"""Share of the shift along the face that a nod gives to brows, nose and mouth and that the new face follows.

A mesh of one picture overstates how far a nose stands out, and a nose warped out of a frontal picture shows no
nostrils: with all of the shift it gets too long. The outline follows all of it.
"""
LEAST_SMOOTH = 3.0
"""Least sigma in pixels of the warp's smoothing: less leaves steps where thin triangles cross, as at mouth corners."""
UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)


@dataclass(frozen=True)
class Picture:
    """One picture of the atlas, ready to be warped.

    Attributes
    ----------
    source:
        Its face: display RGB, and as fourth channel 1 where it is bare, 0 where hair hangs over the forehead.
    points:
        Mesh [468, 3] in pixels of the picture.
    facing:
        [468], how far each point faces the camera in the picture.
    offset:
        [468, 3], from the performer's mean proportions to the talent's, in the picture's pose and pixels; 0
        on the outline.
    inner:
        [468], 0 on the outline and 1 well within.
    yaw:
        [frames], how far the performer's head is turned away from the picture's pose, degrees.
    eyes, mouth:
        [frames], how much of the performer's own eyes and inner mouth stays with this picture, 0 to 1, where the
        settings leave it to the engine.
    """

    source: Pyramid
    points: F64
    facing: F64
    offset: F64
    inner: F64
    yaw: F64
    eyes: F64
    mouth: F64


@dataclass(frozen=True)
class MeshState:
    """What `MeshEngine.prepare` found out about a shot.

    Attributes
    ----------
    pictures:
        The atlas.
    weights:
        [frames, pictures]; rows sum to one.
    regions:
        Influence of the eyes and of the mouth on each point, [468] each, 1 on their rims and 0 far away.
    settings:
        ``shape``, ``eyes``, ``mouth`` and ``max_yaw`` where a frame has none of its own.
    """

    pictures: tuple[Picture, ...]
    weights: F64
    regions: tuple[F64, F64]
    settings: Settings[str, Any]


@dataclass(frozen=True)
class MeshEngine:
    """Piecewise-affine face replacement from an atlas of stills."""

    @property
    def card(self) -> Card:
        """Boxes of the frame at its own pixels, one frame at a time."""
        return Card(name="mesh", template="plate", range=(0.0, 1.0), window=0)

    def prepare(self, talent: TalentAtlas, track: Performance, settings: Settings[str, Any]) -> MeshState:
        """Choose pictures over the shot and measure how talent and performer differ.

        Parameters
        ----------
        talent:
            At least one picture.
        track:
            The whole shot, whatever part of it will be rendered.
        settings:
            ``shape`` (0 to 1: the talent's proportions), ``eyes`` and ``mouth`` (``auto``, ``plate``,
            ``talent``), ``max_yaw`` (degrees between the performer's head and the picture's at which the new
            face has faded out) and ``switch_cost``.

        Raises
        ------
        ConfigError
            No picture, or a policy that does not exist.
        """
        if not talent.pictures:
            raise ConfigError(
                "the talent has no picture to take a face from",
                where=f"talent {talent.id}",
                fix="name at least one picture of the talent in the talent list",
            )
        for key in ("eyes", "mouth"):
            if settings[key] not in POLICIES:
                raise ConfigError(
                    f"{key}: {settings[key]!r} is not a policy of the mesh engine",
                    where=f"talent {talent.id}",
                    fix=f"choose one of {', '.join(POLICIES)}",
                )
        points = np.asarray(track.points, np.float64)
        meshes = [np.asarray(p, np.float64) for p in talent.points]
        path = choose(costs(track, talent), PATIENCE * float(settings["switch_cost"]))
        yaw = np.asarray(track.pose, np.float64)[:, 0]
        pictures = tuple(
            Picture(
                source=source(picture, mesh),
                points=mesh,
                facing=facing(mesh, g.TRIANGLES),
                offset=proportions(mesh, points),
                inner=inner(mesh),
                yaw=np.abs(yaw - g.pose(mesh)[0]),
                eyes=keep_eyes(points),
                mouth=keep_mouth(mesh, points),
            )
            for picture, mesh in zip(talent.pictures, meshes, strict=True)
        )
        neutral = meshes[0]
        regions = (
            influence(neutral, [*g.LEFT_EYE, *g.RIGHT_EYE]),
            influence(neutral, list(g.LIPS_INNER)),
        )
        return MeshState(pictures, crossfade(path, len(meshes), CROSSFADE), regions, dict(settings))

    def swap(
        self, crops: Sequence[Image], state: MeshState, context: Sequence[FaceContext]
    ) -> list[NewFace]:
        """Warp the talent's face onto each crop, which is its own page. See `understudy.engines.base.Engine.swap`."""
        results = [render(crop, state, face) for crop, face in zip(crops, context, strict=True)]
        return [NewFace(face, matte, np.eye(2, 3)) for face, matte in results]


def render(crop: Image, state: MeshState, face: FaceContext) -> tuple[Image, Image]:
    """New face and matte of one crop. Outside the mesh the face is the crop itself and the matte is 0."""
    plate = np.asarray(face.points, np.float64)
    unit = g.iod(plate)
    weights = state.weights[face.index]
    used = [(w, p) for w, p in zip(weights, state.pictures, strict=True) if w > 0]
    now = {**state.settings, **face.settings}
    eyes = sum(w * kept(now["eyes"], p.eyes[face.index]) for w, p in used)
    mouth = sum(w * kept(now["mouth"], p.mouth[face.index]) for w, p in used)
    limit = float(now["max_yaw"])

    # What is kept must lie where it lies on the plate; lips that are closed have nothing to keep, and may move.
    teeth = mouth * float(smoothstep(np.asarray(g.mouth_open(plate)), 0.03, 0.1))
    free = (1 - eyes * state.regions[0]) * (1 - teeth * state.regions[1])
    target = plate.copy()
    for weight, picture in used:
        scale, rotation, _ = similarity(picture.points, plate)
        target += weight * scale * (float(now["shape"]) * picture.offset * free[:, None]) @ rotation.T
        too_far = (1 - RELIEF) * nod(picture.points, plate) * (picture.inner * free)[:, None]
        target[:, :2] -= weight * too_far

    box = bounds(target, crop.shape[:2], pad=int(np.ceil(0.1 * unit)) + 2)
    if box is None:
        return crop.copy(), np.zeros(crop.shape[:2], np.float32)
    x0, y0, x1, y1 = box
    shape = (y1 - y0, x1 - x0)
    new = np.zeros((*shape, 3), np.float32)
    matte = np.zeros(shape, np.float32)
    for weight, picture in used:
        shown = visibility(picture, target)
        where = mapping(picture.points, target, shown, g.TRIANGLES, (x0, y0), shape, max(0.035 * unit, LEAST_SMOOTH))
        pulled = pull(picture.source, where)
        new += np.float32(weight) * pulled[..., :3]
        turn = smoothstep(picture.yaw[face.index], limit, max(limit - 15.0, 0.0))
        matte += np.float32(weight * turn) * where.visible * np.clip(pulled[..., 3], 0, 1)
    for hole, strength in ((g.LEFT_EYE, eyes), (g.RIGHT_EYE, eyes), (g.LIPS_INNER, teeth)):
        if strength > 0:
            matte *= 1 - np.float32(strength) * polygon(target[list(hole), :2] - (x0, y0), shape, 0.03 * unit)

    full_face = crop.astype(np.float32, copy=True)
    full_matte = np.zeros(crop.shape[:2], np.float32)
    full_face[y0:y1, x0:x1] = new
    full_matte[y0:y1, x0:x1] = np.clip(matte, 0, 1)
    return full_face, full_matte


def visibility(picture: Picture, target: F64) -> F64:
    """How far the picture can show each point of the target, [468], 0 to 1.

    Fades points that turn away from the camera on the plate, points that turn away in the picture, and points
    around which the picture would be pulled apart.
    """
    maps, area = affines(picture.points[:, :2], target[:, :2], g.TRIANGLES)
    share = np.abs(area)
    _, whole = affines(target[:, :2], picture.points[:, :2], g.TRIANGLES)
    usual = float(np.sqrt(share.sum() / np.abs(whole).sum()))
    ratio = np.minimum(stretch(maps) / usual, 20.0)
    total, count = np.zeros(len(target)), np.zeros(len(target))
    for k in range(3):
        np.add.at(total, g.TRIANGLES[:, k], share * ratio)
        np.add.at(count, g.TRIANGLES[:, k], share)
    fade = smoothstep(total / np.maximum(count, 1e-9), 3.6, 2.0)
    now = facing(target, g.TRIANGLES)
    # At its own silhouette the picture fits the plate's as long as the head has not turned.
    away = (1 - smoothstep(now, 0.0, 0.3)) * smoothstep(picture.facing - now, 0.1, 0.3)
    shown = (1 - away) * fade
    # A little stretch beside the nose or under it is seen less than a second nose shining through.
    return 1 - smoothstep(np.abs(g.CANONICAL[:, 0]), 0.35, 0.65) * (1 - shown)


def similarity(source: F64, target: F64) -> tuple[float, F64, F64]:
    """Scale, rotation [k, k] and shift [k] that bring points [n, k] onto others, flat or in space (Umeyama, 1991)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.ones(len(s))
    sign[-1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / np.sum(a * a))
    return scale, rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0)


def nod(mesh: F64, plate: F64) -> F64:
    """How far a mesh's points move along the face when its head is turned as the plate's is, [468, 2] plate pixels.

    What the head's place, size and roll do is left out, and so is what it does across the face.
    """
    scale, rotation, shift = similarity(mesh, plate)
    turned = (scale * mesh @ rotation.T + shift)[:, :2]
    scale, rotation, shift = similarity(mesh[:, :2], plate[:, :2])
    moved = turned - (scale * mesh[:, :2] @ rotation.T + shift)
    down = rotation[:, 1]
    return np.outer((moved - moved.mean(axis=0)) @ down, down)


def inner(mesh: F64) -> F64:
    """0 on the outline of a mesh, 1 from half an inter-ocular distance within. Shape [468]."""
    reach = np.linalg.norm(mesh[:, None] - mesh[None, list(g.OVAL)], axis=2).min(axis=1) / g.iod(mesh)
    return smoothstep(reach, 0.0, 0.5)


def proportions(mesh: F64, track: F64) -> F64:
    """How the talent's face is built differently from the performer's, [468, 3], in the picture's pose and
    pixels.

    Each frame's mesh is brought into the picture's pose in space, so that a turned head is not taken for a
    narrow one; frames near the picture's pose count most. What is expression and not build is taken out: lips
    keep the distance between upper and lower that they have on the plate. Fades to 0 at the outline.
    """
    total, mean = 0.0, np.zeros_like(mesh)
    for points in track:
        scale, rotation, shift = similarity(points, mesh)
        turn = np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
        weight = np.exp(-0.5 * (turn / 15.0) ** 2) + 1e-4
        mean += weight * (scale * points @ rotation.T + shift)
        total += weight
    offset = mesh - mean / total
    upper, lower = list(UPPER_LIP), list(LOWER_LIP)
    half = (offset[upper] - offset[lower]) / 2
    lips = influence(mesh, [*upper, *lower])
    for rows, error in ((upper, half), (lower, -half)):
        distance = np.linalg.norm(mesh[:, None, :2] - mesh[None, rows, :2], axis=2)
        share = np.exp(-0.5 * (distance / (0.1 * g.iod(mesh))) ** 2) + 1e-12
        side = (share / share.sum(axis=1, keepdims=True)) @ error
        across = mesh[:, 1] - mesh[[13, 14], 1].mean()
        mine = across <= 0 if rows is upper else across > 0
        offset = offset - np.where(mine, lips, 0.0)[:, None] * side
    return offset * inner(mesh)[:, None]


def influence(mesh: F64, rim: list[int]) -> F64:
    """1 on a rim of points, falling to 0 at .4 inter-ocular distances from it. Shape [468]."""
    distance = np.linalg.norm(mesh[:, None] - mesh[None, rim], axis=2).min(axis=1) / g.iod(mesh)
    return smoothstep(distance, 0.4, 0.05)


def kept(policy: str, auto: float) -> float:
    """How much of the performer's own stays by a policy: ``plate`` all, ``talent`` nothing, ``auto`` as measured."""
    return {"plate": 1.0, "talent": 0.0, "auto": auto}[policy]


def keep_eyes(track: F64) -> F64:
    """How much of the performer's eyes stays by their expression, [frames]: while they close.

    Against how this performer holds them: narrow eyes are build.
    """
    return transition(lids_closed(track), *CLOSED, EYES_FADE)


def keep_mouth(mesh: F64, track: F64) -> F64:
    """How much of the performer's inner mouth stays by its expression, [frames]: where one is more open than the
    other.
    """
    return transition(lips_apart(track, g.mouth_open(mesh)), *PARTED, MOUTH_FADE)


def costs(track: Performance, talent: TalentAtlas) -> F64:
    """How badly each picture fits each frame, [frames, pictures]; 1 is a difference that an eye notices."""
    pose = np.asarray(track.pose, np.float64)
    points = np.asarray(track.points, np.float64)
    mouth = np.array([g.mouth_open(p) for p in points])
    eyes = np.array([g.eye_open(p) for p in points])
    light = np.asarray(track.light, np.float64)
    columns = []
    for i, mesh in enumerate(talent.points):
        turned = np.linalg.norm((pose - np.asarray(g.pose(mesh)))[:, :2] / 15.0, axis=1)
        mouthed = np.abs(mouth - g.mouth_open(mesh)) / 0.15
        looked = np.abs(eyes - g.eye_open(mesh)) / 0.15
        lit = (
            np.linalg.norm((light - np.asarray(talent.lights[i]))[:, 1:], axis=1) / 0.3
            if talent.lights
            else 0.0
        )
        columns.append(turned + mouthed + looked + lit)
    return np.stack(columns, axis=1)
