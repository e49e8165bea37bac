"""The mesh engine on the canonical face, where every answer is known."""

import cv2
import numpy as np
import pytest

from scene import Shot
from understudy.engines.base import Engine, FaceContext, Performance, TalentAtlas
from understudy.engines.load import load_engine
from understudy.engines.mesh import (
    LOWER_LIP,
    UPPER_LIP,
    MeshEngine,
    keep_eyes,
    keep_mouth,
    nod,
    proportions,
    similarity,
)
from understudy.engines.pictures import source
from understudy.errors import ConfigError
from understudy.faces import geometry as g
from understudy.faces.align import five_of_mesh

SETTINGS = {
    "engine": "mesh",
    "shape": 0.5,
    "eyes": "talent",
    "mouth": "talent",
    "max_yaw": 60.0,
    "switch_cost": 1.0,
}
SIZE = 60.0  # pixels per inter-ocular distance
SKIN = np.float32([0.78, 0.6, 0.5])


def turned(yaw=0.0, pitch=0.0, size=SIZE, at=(120.0, 110.0)):
    """The mean face, turned, [468, 3] in pixels; as `geometry.pose` counts."""
    a, b = np.radians([-yaw, pitch])
    ry = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    rx = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return (size * g.CANONICAL @ (ry @ rx).T + [*at, 0]).astype(np.float32)


def opened(points, mouth=0.0, eyes=1.0):
    """Mouth opened by `mouth` IOD; lids brought to `eyes` of their distance."""
    made = points.astype(np.float64).copy()
    half = np.array([0, mouth * SIZE / 2, 0])
    for upper, lower in zip(UPPER_LIP, LOWER_LIP, strict=True):
        middle = (made[upper] + made[lower]) / 2
        made[upper], made[lower] = middle - half, middle + half
    for eye in (g.LEFT_EYE, g.RIGHT_EYE):
        middle = made[eye, 1].mean()
        made[eye, 1] = middle + eyes * (made[eye, 1] - middle)
    return made.astype(np.float32)


def texture(shape=(240, 240), seed=0, spread=0.015):
    """Skin with detail that a resampler may not lose."""
    noise = np.random.default_rng(seed).normal(0, spread, (*shape, 3)).astype(np.float32)
    return SKIN + cv2.GaussianBlur(noise, (0, 0), 1.2) * 2.5


def shot(points):
    stack = np.stack(points)
    return Shot(stack, np.array([g.pose(p) for p in stack]), np.zeros((len(stack), 3)), np.zeros((len(stack), 0)))


def swap(talent, track, crop, index=0, **settings):
    engine = MeshEngine()
    state = engine.prepare(talent, track, SETTINGS | settings)
    points = track.points[index]
    (new,) = engine.swap([crop], state, [FaceContext(1, points, index, five_of_mesh(points))])
    assert np.array_equal(new.transform, np.eye(2, 3))
    return new.image, new.matte


def atlas(*pairs):
    pictures, points = zip(*pairs, strict=True)
    return TalentAtlas("ada", tuple(pictures), tuple(points))


def inside(points, shape, shrink=0.85):
    oval = points[g.OVAL, :2]
    oval = oval.mean(axis=0) + shrink * (oval - oval.mean(axis=0))
    return cv2.fillPoly(np.zeros(shape, np.uint8), [np.round(oval).astype(np.int32)], 1) > 0


def test_engine_and_track_fit_their_protocols():
    engine: Engine = load_engine("mesh")
    assert engine.card.name == "mesh"
    assert engine.card.template == "plate"
    assert isinstance(shot([turned()]), Performance)


def test_the_test_faces_are_turned_as_they_say():
    assert g.pose(turned(yaw=20)) == pytest.approx((20, 0, 0), abs=1e-3)


def test_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="there is no engine 'magic'") as caught:
        load_engine("magic")
    assert caught.value.fix == "use mesh, onnx, dfm, insightface, external"


def test_talent_without_a_picture_is_refused():
    with pytest.raises(ConfigError, match="the talent has no picture to take a face from") as caught:
        MeshEngine().prepare(TalentAtlas("ada", (), ()), shot([turned()]), SETTINGS)
    assert caught.value.where == "talent ada"
    assert caught.value.fix == "name at least one picture of the talent in the talent list"


def test_unknown_policy_is_refused():
    with pytest.raises(ConfigError, match="eyes: 'mine' is not a policy of the mesh engine") as caught:
        swap(atlas((texture(), turned())), shot([turned()]), texture(), eyes="mine")
    assert caught.value.fix == "choose one of auto, plate, talent"


def test_the_same_picture_on_itself_is_itself():
    picture, points = texture(), turned()
    face, matte = swap(atlas((picture, points)), shot([points]), picture)
    area = inside(points, picture.shape[:2])
    assert np.abs(face - picture)[area].max() < 1 / 255
    assert matte[area].min() > 0.99
    assert matte.dtype == face.dtype == np.float32


def test_outside_the_mesh_the_matte_is_nothing():
    picture, points = texture(), turned()
    _, matte = swap(atlas((picture, points)), shot([points]), picture)
    assert (matte[~inside(points, picture.shape[:2], shrink=1.1)] == 0).all()


def test_a_moved_and_enlarged_performer_gets_the_picture_moved_and_enlarged():
    y, x = np.mgrid[:240, :240] + 0.5
    spot = np.exp(-((x - 130.4) ** 2 + (y - 120.7) ** 2) / 32).astype(np.float32)
    picture = np.repeat(spot[..., None], 3, axis=2) * 0.2 + SKIN * 0.9
    plate = turned() * np.float32(1.5) + np.float32([-31.25, -22.5, 0])
    face, _ = swap(atlas((picture, turned())), shot([plate]), texture((300, 300)))
    new = face[..., 0] - SKIN[0] * 0.9
    near = np.zeros_like(new)
    u, v = 1.5 * 130.4 - 31.25, 1.5 * 120.7 - 22.5
    near[int(v) - 20 : int(v) + 20, int(u) - 20 : int(u) + 20] = 1
    y, x = np.mgrid[:300, :300] + 0.5
    total = (new * near).sum()
    assert ((x * new * near).sum() / total, (y * new * near).sum() / total) == pytest.approx((u, v), abs=0.05)


def test_shape_moves_features_to_the_talents_proportions_and_leaves_the_outline():
    talent = turned().astype(np.float64)
    talent[[g.NOSE_TIP, 4, 5, 195, 2, 19, 94]] += [0, 6, 0]
    offset = proportions(talent, turned()[None].astype(np.float64))
    assert offset[g.NOSE_TIP, 1] == pytest.approx(6, abs=0.3)
    assert np.abs(offset[g.OVAL]).max() == 0
    assert np.abs(np.delete(offset, [g.NOSE_TIP, 4, 5, 195, 2, 19, 94], axis=0)).max() < 0.3


def test_a_turned_head_is_not_another_build():
    offset = proportions(
        turned().astype(np.float64),
        np.stack([turned(yaw=y, pitch=10) for y in (-30, 5, 40)]).astype(np.float64),
    )
    assert np.abs(offset).max() < 1e-3 * SIZE


def test_expression_is_not_taken_for_build():
    talent = opened(turned(), mouth=0.25).astype(np.float64)
    offset = proportions(talent, opened(turned(), mouth=0.02)[None].astype(np.float64))
    gaps = (offset[list(LOWER_LIP)] - offset[list(UPPER_LIP)])[:, 1]
    assert np.abs(gaps).max() < 0.02 * SIZE


def test_a_nod_is_what_moves_points_along_the_face():
    neutral = turned().astype(np.float64)
    still = nod(neutral, turned(size=1.5 * SIZE).astype(np.float64))
    assert np.abs(still).max() < 1e-3 * SIZE
    assert np.abs(nod(neutral, turned(yaw=15).astype(np.float64))[g.NOSE_TIP, 1]) < 0.06 * SIZE
    back, down = (nod(neutral, turned(pitch=p).astype(np.float64))[g.NOSE_TIP, 1] for p in (20, -20))
    assert back * down < 0 and min(abs(back), abs(down)) > 0.05 * SIZE


def test_similarity_in_space_is_found():
    scale, rotation, shift = similarity(
        g.CANONICAL, turned(yaw=25, pitch=-15, size=40.0, at=(7.0, 9.0)).astype(np.float64)
    )
    assert scale == pytest.approx(40)
    assert shift == pytest.approx([7, 9, 0], abs=1e-4)
    assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize(
    ("usual", "lids", "kept"), [(1.0, 1.0, 0), (1.0, 0.95, 0), (1.0, 0.1, 1), (0.7, 0.7, 0), (0.1, 0.1, 1)]
)
def test_a_blink_keeps_the_performers_eyes_and_narrow_eyes_are_none(usual, lids, kept):
    track = np.stack([opened(turned(), eyes=usual)] * 9 + [opened(turned(), eyes=lids)]).astype(np.float64)
    assert keep_eyes(track)[-1] == pytest.approx(kept, abs=1e-6)


@pytest.mark.parametrize(
    ("plate", "talent", "kept"), [(0.0, 0.2, 1.0), (0.2, 0.0, 1.0), (0.2, 0.2, 0.0), (0.01, 0.0, 0.0)]
)
def test_teeth_come_from_whoever_shows_them(plate, talent, kept):
    track = np.stack([opened(turned(), mouth=plate)]).astype(np.float64)
    assert keep_mouth(opened(turned(), mouth=talent).astype(np.float64), track)[0] == pytest.approx(kept, abs=1e-6)


def test_kept_eyes_and_mouth_are_holes_in_the_matte():
    picture, points = texture(), opened(turned(), mouth=0.2)
    eye, mouth = (
        points[g.LEFT_EYE, :2].mean(axis=0).astype(int),
        points[[13, 14], :2].mean(axis=0).astype(int),
    )
    values = {}
    for policy in ("talent", "plate"):
        _, matte = swap(atlas((picture, points)), shot([points]), picture, eyes=policy, mouth=policy)
        values[policy] = matte[eye[1], eye[0]], matte[mouth[1], mouth[0]]
    assert min(values["talent"]) > 0.99
    assert max(values["plate"]) < 0.03


def test_far_cheek_fades_instead_of_smearing_and_the_near_side_stays():
    picture = texture()
    plate = turned(yaw=45)
    _, matte = swap(atlas((picture, turned())), shot([plate]), texture(), max_yaw=90.0)
    # Turned to the picture's right: what lies left of the nose is what the camera sees more of.
    assert matte[int(plate[50, 1]), int(plate[50, 0])] > 0.9
    assert matte[int(plate[280, 1]), int(plate[280, 0])] < 0.6


@pytest.mark.parametrize(("yaw", "matte"), [(20.0, 1.0), (60.5, 0.0)])
def test_beyond_the_largest_turn_the_face_is_the_plates(yaw, matte):
    plate = turned(yaw=yaw)
    _, made = swap(atlas((texture(), turned())), shot([plate]), texture())
    assert made[int(plate[g.NOSE_TIP, 1]), int(plate[g.NOSE_TIP, 0])] == pytest.approx(matte, abs=0.02)


def test_the_picture_whose_pose_fits_is_chosen_and_faded_over():
    poses = [turned(yaw=y) for y in (0.0,) * 12 + (30.0,) * 12]
    dark, bright = np.full((240, 240, 3), 0.4, np.float32), np.full((240, 240, 3), 0.6, np.float32)
    talent, track = atlas((dark, turned(0.0)), (bright, turned(30.0))), shot(poses)
    values = []
    for index in range(24):
        face, _ = swap(talent, track, texture(), index)
        tip = track.points[index, g.NOSE_TIP]
        values.append(float(face[int(tip[1]), int(tip[0]), 0]))
    assert values == pytest.approx([0.4] * 10 + [0.44, 0.48, 0.52, 0.56] + [0.6] * 10, abs=2e-3)


def test_a_frame_is_the_same_whatever_is_rendered_with_it():
    rng = np.random.default_rng(5)
    poses = [
        turned(yaw=float(y)) + rng.normal(0, 0.2, (468, 3)).astype(np.float32)
        for y in np.linspace(-20, 20, 9)
    ]
    track, engine = shot(poses), MeshEngine()
    talent = atlas((texture(), turned(-10.0)), (texture(seed=1), turned(10.0)))
    crops = [texture(seed=i) for i in range(9)]
    contexts = [FaceContext(1001 + i, p, i, five_of_mesh(p)) for i, p in enumerate(track.points)]
    state = engine.prepare(talent, track, SETTINGS)
    whole = engine.swap(crops, state, contexts)
    for start, stop in ((0, 1), (4, 6), (8, 9)):
        again = engine.swap(crops[start:stop], engine.prepare(talent, track, SETTINGS), contexts[start:stop])
        for one, other in zip(again, whole[start:stop], strict=True):
            assert np.array_equal(one.image, other.image) and np.array_equal(one.matte, other.matte)


def test_a_face_that_left_the_crop_leaves_the_crop_alone():
    plate = turned(at=(900.0, 110.0))
    crop = texture()
    face, matte = swap(atlas((texture(), turned())), shot([plate]), crop)
    assert np.array_equal(face, crop)
    assert not matte.any()


def test_a_fringe_is_left_out_of_the_matte_and_of_the_face():
    picture, points = texture(spread=0.01), turned()
    brow = points[[105, 334], 1].min() - 0.25 * SIZE
    picture[: int(brow)] = (0.15, 0.1, 0.05)
    made = source(picture, points.astype(np.float64))
    level, (x0, y0) = made.levels[0], made.origin
    column = int(points[g.FOREHEAD, 0]) - x0
    assert level[int(brow - 0.15 * SIZE) - y0, column, 3] < 0.01
    assert level[int(points[g.NOSE_TIP, 1]) - y0, column, 3] > 0.99
    # Skin goes on where hair was: nothing dark is left to bleed across the edge.
    assert level[int(brow - 0.15 * SIZE) - y0, column, 0] > 0.6


def test_what_changes_along_a_shot_needs_no_second_state():
    """A frame's own settings give what a state prepared with them would: a keyed setting costs nothing."""
    rng = np.random.default_rng(1)
    points = opened(turned(yaw=20), mouth=0.2)
    talent = (texture(seed=2), turned() + rng.normal(0, 1.5, (468, 3)).astype(np.float32))
    track, crop, engine = shot([points, points]), texture(seed=3), MeshEngine()
    state = engine.prepare(atlas(talent), track, SETTINGS)
    for own in ({"shape": 0.9}, {"eyes": "plate"}, {"mouth": "auto"}, {"max_yaw": 25.0}):
        (new,) = engine.swap([crop], state, [FaceContext(1, points, 1, five_of_mesh(points), own)])
        image, matte = swap(atlas(talent), track, crop, index=1, **own)
        assert np.array_equal(new.image, image) and np.array_equal(new.matte, matte)
        plain, open_matte = swap(atlas(talent), track, crop, index=1)
        assert not (np.array_equal(plain, image) and np.array_equal(open_matte, matte)), own


def test_shape_brings_the_features_as_far_as_it_says():
    """Where the talent's nose comes to lie, measured on the new face by a mark painted on the picture.

    All of the talent's proportions put it where the talent's face, laid over the performer's as a whole, has it.
    """
    size, at = 160.0, (300.0, 280.0)
    performer = turned(size=size, at=at)
    tip = performer[g.NOSE_TIP].copy()
    reach = np.linalg.norm(performer[:, :2] - tip[:2], axis=1) / size
    talent = performer.copy()
    talent[:, 1] += 0.1 * size * np.exp(-0.5 * (reach / 0.35) ** 2)
    rows, columns = np.mgrid[:600, :600] + 0.5
    x, y = talent[g.NOSE_TIP, :2]
    mark = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 6.0**2)).astype(np.float32)
    picture, heights = np.repeat(mark[..., None], 3, axis=2), []
    for shape in (0.0, 0.5, 1.0):
        image, _ = swap(atlas((picture, talent)), shot([performer]), np.zeros_like(picture), shape=shape)
        seen = np.where(image[..., 1] > 0.3, image[..., 1], 0)
        heights.append(float((seen * rows).sum() / seen.sum()))
    scale, rotation, shift = similarity(talent.astype(np.float64), performer.astype(np.float64))
    whole = (scale * rotation @ talent[g.NOSE_TIP] + shift)[1] - tip[1]
    assert whole > 8
    assert np.array(heights) - tip[1] == pytest.approx([0, whole / 2, whole], abs=1.1)
