"""Faces of one picture: detector, then the mesh in a turned region, then in the mesh's own.

Any detector leads to the mesh; everything downstream lives by the mesh's 468 points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.errors import ConfigError
from understudy.faces.align import carried, five_of_mesh
from understudy.faces.boxes import (
    Detection,
    Detector,
    Picture,
    moved,
    overlaps,
    turned_back,
    unit_float,
    weighted_nms,
    whole,
)
from understudy.faces.geometry import LEFT_EYE, RIGHT_EYE, SKIN, face_space, placement, to_face
from understudy.faces.networks import MESH_SIZE, FaceMesh

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
    five:
        The five points that crops for networks are laid by (see `align`), float32 [5, 2].
    embedding:
        What a recogniser says of the face, raw, float32 [d]; None where none is configured.
    """

    box: NDArray[np.float32]
    score: float
    confidence: float
    points: NDArray[np.float32]
    light: NDArray[np.float32]
    five: NDArray[np.float32]
    embedding: NDArray[np.float32] | None = None


def find_faces(
    picture: Picture,
    detector: Detector,
    landmarker: FaceMesh,
    settings: Mapping[str, Any],
    five: Literal["mesh", "detector"] = "mesh",
) -> list[Face]:
    """Every face of a picture, from left to right.

    Parameters
    ----------
    picture:
        [h, w, 3] RGB, uint8 or float32 display values 0..1.
    settings:
        ``threshold`` 0..1: lowest score of a face; ``refine``: looks of the landmark network, each in the region
        that the one before found; ``tiles``: whether the picture is searched again in overlapping tiles, for faces
        too small for the first look: ``never``, ``always``, or ``auto``, when it has fewer than ``min_faces``. When
        it still has fewer, it is searched turned by a quarter to either side, for faces that lie down.
    five:
        Whose five points the faces get: the mesh's, or the detector's own. (A network of 68 points gives them
        afterwards: `landmarkers.with_five`.)

    Raises
    ------
    ConfigError
        The detector's own five points are asked for, and it has none.
    """
    threshold, enough = settings["threshold"], settings["min_faces"]

    def faces_of(found: list[Detection]) -> list[Face]:
        looks = (_detected(picture, landmarker, each, settings["refine"], five) for each in found)
        return _distinct([face for face in looks if face is not None])

    faces = faces_of(detector(picture, threshold))
    tiles = settings["tiles"]
    if tiles == "always" or (tiles == "auto" and len(faces) < enough):
        faces = _distinct(faces + faces_of(_tiled(picture, detector, threshold)))
    if len(faces) < enough:
        faces = _distinct(faces + faces_of(_turned(picture, detector, threshold)))
    return sorted(faces, key=lambda face: float(face.box[0] + face.box[2]))


def landmarks_near(
    picture: Picture,
    landmarker: FaceMesh,
    guess_points: NDArray[np.floating],
    settings: Mapping[str, Any],
    guess_five: NDArray[np.floating] | None = None,
) -> Face | None:
    """The face of a picture near where its landmarks are guessed to be (a neighbouring frame's), or None.

    Needs no detector: this is how a track goes on through frames that the detector missed.

    Parameters
    ----------
    guess_points:
        The neighbour's landmarks, [468, 3].
    settings:
        As for `find_faces`.
    guess_five:
        The neighbour's five points, [5, 2], where they are not its mesh's own; the found face's then lie to its mesh as
        these do.
    """
    points = np.asarray(guess_points, np.float64)
    size = placement(points).scale
    face = _look(picture, landmarker, region_of_points(points), settings["refine"], 0.0)
    if face is None:
        return None
    there = placement(face.points.astype(np.float64))
    # A face that left its region altogether, or changed its size by half, is another one or none.
    away = np.hypot(*(there.origin - placement(points).origin)) / size
    if away >= 1.0 or abs(np.log(there.scale / size)) >= 0.4:
        return None
    if guess_five is None:
        return face
    return replace(face, five=carried(guess_five, points, face.points).astype(np.float32))


def signature(picture: Picture) -> NDArray[np.float32]:
    """What a frame looks like from far away: mean colours of a 16 x 9 grid, float32 [9, 16, 3] 0..1."""
    step = max(1, min(picture.shape[:2]) // 144)
    return unit_float(
        cv2.resize(np.ascontiguousarray(picture[::step, ::step]), (16, 9), interpolation=cv2.INTER_AREA)
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


def cut_region(picture: Picture, region: Region, size: int) -> NDArray[np.float32]:
    """A region as an upright crop [size, size, 3] float32 0..1, anti-aliased; black outside the picture."""
    # Too large regions are first averaged down in whole blocks of the frame's own grid ...
    block = max(1, int(region.side // size))
    matrix = region.to_frame(size)
    corners = matrix @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]], np.float64)
    limit = np.array(picture.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=1) / block - 1) * block, 0, limit).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1) / block + 1) * block, 0, limit // block * block).astype(int)
    if np.any(high <= low):
        return np.zeros((size, size, 3), np.float32)
    part = picture[low[1] : high[1], low[0] : high[0]]
    if block > 1:
        part = cv2.resize(part, tuple(int(n) for n in (high - low) // block), interpolation=cv2.INTER_AREA)
    matrix = (matrix - np.array([[0, 0, low[0]], [0, 0, low[1]]])) / block
    # ... then sampled finely enough that averaging the samples covers every pixel.
    fine = max(1, int(np.ceil(region.side / block / size)))
    matrix = matrix @ np.diag([1 / fine, 1 / fine, 1.0])
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    crop = cv2.warpAffine(part, matrix, (size * fine, size * fine), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    if fine > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return unit_float(crop)


def _detected(
    picture: Picture, landmarker: FaceMesh, found: Detection, refine: int, five: Literal["mesh", "detector"]
) -> Face | None:
    face = _look(picture, landmarker, region_of_detection(found), refine, found.score)
    if face is None or five == "mesh":
        return face
    if len(found.keys) != 5:
        raise ConfigError(
            f"the detector gives {len(found.keys)} points, not the five that crops are laid by",
            fix="set detect.five to mesh, or choose another detector",
        )
    return replace(face, five=found.keys.astype(np.float32))


def _look(picture: Picture, landmarker: FaceMesh, region: Region, refine: int, score: float) -> Face | None:
    for _ in range(refine):
        crop = cut_region(picture, region, MESH_SIZE)
        inside, confidence = landmarker(crop)
        if confidence < SURE:
            return None
        matrix = region.to_frame(MESH_SIZE)
        points = np.column_stack(
            [inside[:, :2] @ matrix[:, :2].T + matrix[:, 2], inside[:, 2] * region.side / MESH_SIZE]
        )
        region = region_of_points(points)
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
    five = five_of_mesh(points).astype(np.float32)
    return Face(
        box.astype(np.float32), score, confidence, points.astype(np.float32), _light(crop, inside), five
    )


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


def _tiled(picture: Picture, detector: Detector, min_score: float) -> list[Detection]:
    """Detections of overlapping tiles, merged."""
    height, width = picture.shape[:2]
    side = max(1, round(TILE * min(height, width)))
    found = [
        moved(detection, np.array([left, top], np.float64))
        for top in _starts(height, side)
        for left in _starts(width, side)
        for detection in detector(picture[top : top + side, left : left + side].copy(), min_score)
    ]
    if not found:
        return []
    rows = np.array([np.concatenate([detection.box, detection.keys.ravel()]) for detection in found])
    merged = weighted_nms(rows, np.array([detection.score for detection in found]), overlap=0.3)
    return [Detection(score, row[:4], row[4:].reshape(-1, 2)) for score, row in merged]


def _starts(length: int, side: int) -> Iterator[int]:
    """Starts of tiles of ``side`` that cover ``length`` with at least a third of overlap, evenly spread."""
    count = 1 + int(np.ceil((length - side) / (side * 2 / 3)))
    return (round(start) for start in np.linspace(0, length - side, count))


def _turned(picture: Picture, detector: Detector, min_score: float) -> list[Detection]:
    """Detections of the picture turned by a quarter either way, in the upright picture's pixels."""
    image = whole(picture)
    height, width = image.shape[:2]
    return [
        turned_back(detection, quarters, width, height)
        for quarters in (1, 3)
        for detection in detector(np.rot90(image, quarters).copy(), min_score)
    ]
