"""The map between two meshes and the one resample, on meshes small enough to know the answer."""

import cv2
import numpy as np
import pytest

from understudy.engines.warp import (
    Mapping,
    affines,
    bounds,
    facing,
    mapping,
    polygon,
    pull,
    pyramid,
    smoothstep,
    stretch,
    triangle_ids,
    weighted_median,
)

SQUARE = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def square(x0, y0, x1, y1, z=0.0):
    return np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], np.float64)


def grid(n, size):
    """A flat mesh of n x n squares over `size` pixels."""
    axis = np.linspace(0, size, n + 1)
    points = np.array([[x, y, 0.0] for y in axis for x in axis])
    at = lambda i, j: j * (n + 1) + i  # noqa: E731
    cells = [(at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)) for j in range(n) for i in range(n)]
    return points, np.array([t for a, b, c, d in cells for t in ((a, b, c), (a, c, d))], np.int32)


def test_affines_are_those_of_opencv():
    rng = np.random.default_rng(3)
    source, target = rng.random((3, 2)) * 50, rng.random((3, 2)) * 50
    maps, area = affines(source, target, np.array([[0, 1, 2]]))
    assert maps[0] == pytest.approx(
        cv2.getAffineTransform(target.astype(np.float32), source.astype(np.float32)), abs=1e-3
    )
    assert abs(area[0]) == pytest.approx(2 * cv2.contourArea(target.astype(np.float32)), rel=1e-4)


def test_a_triangle_without_area_gets_a_constant():
    source = np.array([[1.0, 2.0], [5.0, 6.0], [7.0, 8.0]])
    maps, area = affines(source, np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), np.array([[0, 1, 2]]))
    assert area[0] == 0
    assert maps[0].tolist() == [[0, 0, 1], [0, 0, 2]]


def test_stretch_is_the_inverse_of_the_smaller_singular_value():
    matrices = np.random.default_rng(1).normal(size=(20, 2, 3))
    expected = 1 / np.linalg.svd(matrices[:, :, :2], compute_uv=False)[:, 1]
    assert stretch(matrices) == pytest.approx(expected, rel=1e-6)


def test_points_of_a_dome_face_the_camera_by_their_slope():
    points, triangles = grid(20, 2.0)
    x, y = points[:, 0] - 1, points[:, 1] - 1
    inside = x**2 + y**2 < 0.6
    points[:, 2] = -np.sqrt(np.maximum(1 - x**2 - y**2, 0.01))
    # The normal of a unit sphere is its radius, so what faces the camera is -z.
    assert facing(points, triangles)[inside] == pytest.approx(-points[inside, 2], abs=0.04)


def test_known_affine_of_the_whole_mesh_is_exact_everywhere():
    points, triangles = grid(4, 40.0)
    matrix, shift = np.array([[1.2, 0.3], [-0.2, 0.9]]), np.array([7.0, 3.0])
    source = points[:, :2] @ matrix.T + shift
    found = mapping(
        source, points + np.array([5, 6, 0]), np.ones(len(points)), triangles, (2, 3), (50, 48), softness=2.0
    )
    y, x = np.mgrid[:50, :48] + 0.5
    expected = (np.stack([x + 2 - 5, y + 3 - 6], axis=-1)) @ matrix.T + shift
    assert np.stack([found.x, found.y], axis=-1) == pytest.approx(expected, abs=2e-4)
    assert found.footprint == pytest.approx((np.hypot(1.2, 0.3), np.hypot(0.2, 0.9)), rel=1e-6)
    assert found.visible[10:40, 10:40] == pytest.approx(1, abs=1e-5)
    assert found.visible[0, 0] == 0


def test_piecewise_map_meets_every_point_of_the_mesh_without_smoothing():
    points, triangles = grid(4, 40.0)
    source = points[:, :2] + np.random.default_rng(0).normal(0, 1.0, (len(points), 2))
    found = mapping(source, points, np.ones(len(points)), triangles, (0, 0), (40, 40), softness=0.0)
    for p, s in zip(points, source, strict=True):
        if 1 < p[0] < 39 and 1 < p[1] < 39:
            at = np.float32([[p[0] - 0.5]]), np.float32([[p[1] - 0.5]])
            x, y = (cv2.remap(m, *at, cv2.INTER_LINEAR)[0, 0] for m in (found.x, found.y))
            assert (x, y) == pytest.approx(tuple(s), abs=0.6)


def test_smoothing_rounds_creases_and_keeps_the_place():
    points, triangles = grid(4, 40.0)
    source = points[:, :2].copy()
    source[points[:, 0] > 25, 0] += 6
    bends = []
    for softness in (0.0, 2.0):
        found = mapping(source, points, np.ones(len(points)), triangles, (0, 0), (40, 40), softness)
        bends.append(np.abs(np.diff(found.x[20], n=2)).max())
        assert found.x[20, 20] == pytest.approx(20.5, abs=0.7)
    assert bends[1] < bends[0] / 2


def test_nearer_triangle_is_seen_whatever_the_order():
    near, far = square(10, 0, 30, 20, z=-5.0), square(0, 0, 20, 20, z=5.0)
    for points, first in ((np.vstack([near, far]), (0, 1)), (np.vstack([far, near]), (2, 3))):
        ids, front = triangle_ids(points[:, :2], points[:, 2], np.vstack([SQUARE, SQUARE + 4]), (20, 30))
        assert front.all()
        assert np.isin(ids[2:18, 12:18], first).all()
        assert not np.isin(ids[2:18, 2:8], first).any()


def test_folded_triangles_are_seen_only_where_nothing_else_is():
    sheet, fold = square(0, 0, 20, 20), square(40, 0, 15, 20, z=-9.0)
    points = np.vstack([sheet, fold * [1, 1, 1]])
    triangles = np.vstack([SQUARE, SQUARE + 4])
    # Twice the sheet, so that most of the mesh faces the camera.
    points = np.vstack([points, square(0, 20, 20, 60)])
    ids, front = triangle_ids(points[:, :2], points[:, 2], np.vstack([triangles, SQUARE + 8]), (60, 40))
    assert front.tolist() == [True, True, False, False, True, True]
    assert np.isin(ids[2:18, 16:19], (0, 1)).all()
    assert np.isin(ids[2:18, 24:36], (2, 3)).all()


def plain(shape, scale, level_origin=(0, 0)):
    h, w = shape
    y, x = np.mgrid[:h, :w].astype(np.float32) + 0.5
    return Mapping(x * scale, y * scale, np.ones(shape, np.float32), (scale, scale))


@pytest.mark.parametrize("scale", [2.0, 4.0, 7.3])
def test_fine_checker_becomes_flat_grey_and_not_moire(scale):
    y, x = np.mgrid[:600, :600]
    checker = np.repeat(((x + y) % 2).astype(np.float32)[..., None], 3, axis=2)
    size = int(600 / scale)
    made = pull(pyramid(checker, (0, 0)), plain((size, size), scale))[8:-8, 8:-8]
    assert made == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("scale", [1.0, 1.7, 3.5, 3.7, 5.5])
def test_nothing_is_moved_by_shrinking(scale):
    """A wide Gaussian spot stays where the map says, on every level of the pyramid."""
    y, x = np.mgrid[:500, :500] + 0.5
    spot = np.exp(-((x - 203.3) ** 2 + (y - 251.9) ** 2) / (2 * 20.0**2)).astype(np.float32)
    size = int(500 / scale)
    made = pull(pyramid(np.dstack([spot] * 3), (0, 0)), plain((size, size), scale))[..., 0]
    v, u = np.mgrid[:size, :size] + 0.5
    centre = (made * u).sum() / made.sum(), (made * v).sum() / made.sum()
    assert centre == pytest.approx((203.3 / scale, 251.9 / scale), abs=0.02)


def test_blur_does_not_jump_where_the_pyramid_changes_level():
    picture = np.random.default_rng(2).random((500, 500, 3)).astype(np.float32)
    contrast = [
        pull(pyramid(picture, (0, 0)), plain((150, 150), s))[20:-20, 20:-20].std() for s in (3.59, 3.61)
    ]
    assert contrast[0] == pytest.approx(contrast[1], rel=0.06)


def test_same_place_same_size_is_the_picture_itself():
    picture = np.random.default_rng(4).random((80, 80, 3)).astype(np.float32)
    made = pull(pyramid(picture[10:, 5:], (5, 10)), plain((80, 80), 1.0))
    assert made[20:-10, 20:-10] == pytest.approx(picture[20:-10, 20:-10], abs=1e-5)


def test_polygon_covers_its_area_to_a_fraction_of_a_pixel():
    points = np.array([[10.25, 10.5], [30.75, 10.5], [30.75, 25.0], [10.25, 25.0]])
    assert polygon(points, (40, 40), 0.5).sum() == pytest.approx(20.5 * 14.5, rel=0.02)


def test_smoothstep_rises_or_falls():
    assert smoothstep(np.array([0.0, 1.0, 1.5, 2.0, 9.0]), 1, 2).tolist() == [0, 0, 0.5, 1, 1]
    assert smoothstep(np.array([0.0, 1.5, 9.0]), 2, 1).tolist() == [1, 0.5, 0]


def test_weighted_median():
    assert weighted_median(np.array([5.0, 1.0, 3.0]), np.array([1.0, 1.0, 5.0])) == 3.0


def test_bounds_stay_inside_and_say_when_there_is_nothing():
    points = np.array([[-5.0, 10.2, 0], [12.5, 18.9, 0]])
    assert bounds(points, (20, 30), 2) == (0, 8, 15, 20)
    assert bounds(points + np.array([100, 0, 0]), (20, 30), 2) is None
