"""Faces of one picture: detector, then landmarks in a turned region, then in the landmarks' own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.faces.geometry import LEFT_EYE, RIGHT_EYE, SKIN, face_space, placement, to_face
from understudy.faces.networks import (
    MESH_SIZE,
    BlazeFace,
    Detection,
    FaceMesh,
    Image,
    overlaps,
    unit_float,
    weighted_nms,
)

# How much of its surroundings the landmark network was trained to see.
REGION = 1.5
# Side of a tile of the second look over the picture's short side.
TILE = 0.6
# Two sets of landmarks whose boxes share this much are one face.
SAME_FACE = 0.5
# Least confidence of the landmark network.
SURE = 0.5
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Face:
    """One face of one frame, in pixels of the frame (pixel centres at .5).

    Attributes
    ----------
    box:
        Bounds (x0, y0, x1, y1) of the landmarks, float32 [4].
    score:
        The detector's score 0..1; 0 when the landmarks were found without it, from a neighbouring frame's.
    confidence:
        The landmark network's belief 0..1 that there is a face.
    points:
        Landmarks, float32 [468, 3]; z in pixels too, smaller is nearer.
    light:
        Mean display luma of the skin, and its gradients to the picture's right of the face and down the face per
        inter-ocular distance, over that mean; float32 [3].
    """

    box: NDArray[np.float32]
    score: float
    confidence: float
    points: NDArray[np.float32]
    light: NDArray[np.float32]


def find_faces(
    image: Image, detector: BlazeFace, landmarker: FaceMesh, settings: Mapping[str, Any]
) -> list[Face]:
    """Every face of a picture, from left to right.

    Parameters
    ----------
    image:
        [h, w, 3] RGB, uint8 or float32 display values 0..1.
    settings:
        ``threshold`` 0..1: lowest score of a face; ``refine``: looks of the landmark network, each in the region
        that the one before found; ``tiles``: whether the picture is searched again in overlapping tiles, for faces
        too small for the first look: ``never``, ``always``, or ``auto``, when it has fewer than ``min_faces``. When
        it still has fewer, it is searched turned by a quarter to either side, for faces that lie down.
    """
    threshold, enough = settings["threshold"], settings["min_faces"]
    faces = _landmarks_of(image, detector(image, threshold), landmarker, settings["refine"])
    tiles = settings["tiles"]
    if tiles == "always" or (tiles == "auto" and len(faces) < enough):
        more = _landmarks_of(image, _tiled(image, detector, threshold), landmarker, settings["refine"])
        faces = _distinct(faces + more)
    if len(faces) < enough:
        more = _landmarks_of(image, _turned(image, detector, threshold), landmarker, settings["refine"])
        faces = _distinct(faces + more)
    return sorted(faces, key=lambda face: float(face.box[0] + face.box[2]))


def landmarks_near(
    image: Image, landmarker: FaceMesh, guess_points: NDArray[np.floating], settings: Mapping[str, Any]
) -> Face | None:
    """The face of a picture near where its landmarks are guessed to be ([468, 3], a neighbouring frame's), or None.

    Needs no detector: this is how a track goes on through frames that the detector missed. ``settings`` as for
    `find_faces`.
    """
    points = np.asarray(guess_points, np.float64)
    size = placement(points).scale
    face = _look(image, landmarker, region_of_points(points), settings["refine"], 0.0)
    if face is None:
        return None
    there = placement(face.points.astype(np.float64))
    # A face that left its region altogether, or changed its size by half, is another one or none.
    moved = np.hypot(*(there.origin - placement(points).origin)) / size
    return face if moved < 1.0 and abs(np.log(there.scale / size)) < 0.4 else None


def signature(image: Image) -> NDArray[np.float32]:
    """What a frame looks like from far away: mean colours of a 16 x 9 grid, float32 [9, 16, 3] 0..1."""
    step = max(1, min(image.shape[:2]) // 144)
    return unit_float(
        cv2.resize(np.ascontiguousarray(image[::step, ::step]), (16, 9), interpolation=cv2.INTER_AREA)
    )


@dataclass(frozen=True)
class Region:
    """A square of the picture, turned: centre [2] and side in pixels, angle in radians (clockwise on screen)."""

    centre: NDArray[np.float64]
    side: float
    angle: float

    def to_frame(self, size: int) -> NDArray[np.float64]:
        """2x3 matrix from pixels of a crop of ``size`` to pixels of the frame."""
        step = self.side / size
        c, s = np.cos(self.angle) * step, np.sin(self.angle) * step
        turn = np.array([[c, -s], [s, c]])
        return np.hstack([turn, (self.centre - turn @ [size / 2, size / 2])[:, None]])


def region_of_detection(detection: Detection) -> Region:
    """Where the landmark network has to look: the detector's box made square, eyes level, with surroundings."""
    low, high = detection.box.reshape(2, 2)
    across = detection.keys[1] - detection.keys[0]
    return Region(
        (low + high) / 2, REGION * float(np.max(high - low)), float(np.arctan2(across[1], across[0]))
    )


def region_of_points(points: NDArray[np.float64]) -> Region:
    """The same from landmarks [468, 2 or 3]: their bounds along the eye line made square, with surroundings."""
    flat = points[:, :2]
    across = flat[LEFT_EYE].mean(axis=0) - flat[RIGHT_EYE].mean(axis=0)
    angle = float(np.arctan2(across[1], across[0]))
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    level = flat @ turn
    low, high = level.min(axis=0), level.max(axis=0)
    return Region(turn @ ((low + high) / 2), REGION * float(np.max(high - low)), angle)


def cut_region(image: Image, region: Region, size: int) -> NDArray[np.float32]:
    """A region as an upright crop [size, size, 3] float32 0..1, anti-aliased; black outside the picture."""
    # Too large regions are first averaged down in whole blocks of the frame's own grid ...
    block = max(1, int(region.side // size))
    matrix = region.to_frame(size)
    if block > 1:
        corners = matrix @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]], np.float64)
        limit = np.array([image.shape[1], image.shape[0]])
        low = np.clip(np.floor(corners.min(axis=1) / block) * block, 0, limit).astype(int)
        high = np.clip(np.ceil(corners.max(axis=1) / block) * block, 0, limit // block * block).astype(int)
        if np.any(high <= low):
            return np.zeros((size, size, 3), np.float32)
        part = image[low[1] : high[1], low[0] : high[0]]
        image = cv2.resize(part, tuple(int(n) for n in (high - low) // block), interpolation=cv2.INTER_AREA)
        matrix = (matrix - np.array([[0, 0, low[0]], [0, 0, low[1]]])) / block
        region = Region(region.centre, region.side / block, region.angle)
    # ... then sampled finely enough that averaging the samples covers every pixel.
    fine = max(1, int(np.ceil(region.side / size)))
    matrix = matrix @ np.diag([1 / fine, 1 / fine, 1.0])
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    crop = cv2.warpAffine(
        image, matrix, (size * fine, size * fine), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    if fine > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return unit_float(crop)


def _landmarks_of(image: Image, detections: list[Detection], landmarker: FaceMesh, refine: int) -> list[Face]:
    looks = (
        _look(image, landmarker, region_of_detection(found), refine, found.score) for found in detections
    )
    return _distinct([face for face in looks if face is not None])


def _look(image: Image, landmarker: FaceMesh, region: Region, refine: int, score: float) -> Face | None:
    for _ in range(refine):
        crop = cut_region(image, region, MESH_SIZE)
        inside, confidence = landmarker(crop)
        if confidence < SURE:
            return None
        matrix = region.to_frame(MESH_SIZE)
        points = np.column_stack(
            [inside[:, :2] @ matrix[:, :2].T + matrix[:, 2], inside[:, 2] * region.side / MESH_SIZE]
        )
        region = region_of_points(points)
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
    return Face(box.astype(np.float32), score, confidence, points.astype(np.float32), _light(crop, inside))


def _light(crop: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Level and slope of the skin's luma, by least squares over the landmarks on open skin; see `Face.light`."""
    at = np.clip(np.floor(points[SKIN, :2]).astype(int), 0, MESH_SIZE - 1)
    luma = (crop[at[:, 1], at[:, 0]] @ LUMA).astype(np.float64)
    place = face_space(points[SKIN], to_face(placement(points).params))[:, :2]
    slopes = np.linalg.lstsq(
        np.column_stack([np.ones(len(place)), place - place.mean(axis=0)]), luma, rcond=None
    )[0]
    return np.array([slopes[0], *(slopes[1:] / max(slopes[0], 1e-3))], np.float32)


def _distinct(faces: list[Face]) -> list[Face]:
    """The faces without those that are another's twin; the surer one stays, the detector's word first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: -one.score):
        others = np.array([other.box for other in kept], np.float64).reshape(-1, 4)
        if np.all(overlaps(face.box.astype(np.float64), others) < SAME_FACE):
            kept.append(face)
    return kept


def _tiled(image: Image, detector: BlazeFace, min_score: float) -> list[Detection]:
    """Detections of overlapping tiles, merged."""
    height, width = image.shape[:2]
    side = max(1, round(TILE * min(height, width)))
    found = [
        _moved(detection, np.array([left, top], np.float64))
        for top in _starts(height, side)
        for left in _starts(width, side)
        for detection in detector(image[top : top + side, left : left + side].copy(), min_score)
    ]
    if not found:
        return []
    rows = np.array([np.concatenate([detection.box, detection.keys.ravel()]) for detection in found])
    merged = weighted_nms(rows, np.array([detection.score for detection in found]), overlap=0.3)
    return [Detection(score, row[:4], row[4:].reshape(6, 2)) for score, row in merged]


def _starts(length: int, side: int) -> Iterator[int]:
    """Starts of tiles of ``side`` that cover ``length`` with at least a third of overlap, evenly spread."""
    count = 1 + int(np.ceil((length - side) / (side * 2 / 3)))
    return (round(start) for start in np.linspace(0, length - side, count))


def _moved(detection: Detection, offset: NDArray[np.float64]) -> Detection:
    return Detection(detection.score, detection.box + np.tile(offset, 2), detection.keys + offset)


def _turned(image: Image, detector: BlazeFace, min_score: float) -> list[Detection]:
    """Detections of the picture turned by a quarter either way, in the upright picture's pixels."""
    height, width = image.shape[:2]
    found = []
    for quarters in (1, 3):
        for detection in detector(np.rot90(image, quarters).copy(), min_score):
            points = np.vstack([detection.box.reshape(2, 2), detection.keys])
            # np.rot90 turns counter-clockwise: (x, y) of the picture comes from (width - y', x') or (y', height - x').
            x, y = points.T
            back = np.column_stack([width - y, x] if quarters == 1 else [y, height - x])
            box = np.concatenate([back[:2].min(axis=0), back[:2].max(axis=0)])
            found.append(Detection(detection.score, box, back[2:]))
    return found
