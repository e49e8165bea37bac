from __future__ import annotations

import numpy as np
import pytest

from understudy.faces import geometry as g


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """The mean face, 50 px between the eyes, in the middle of a picture, looking elsewhere."""
    a, b, c = np.radians([-pitch, -yaw, roll])
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return g.CANONICAL @ (z @ y @ x).T * 50 + [320, 180, 0]


def test_canonical_is_a_symmetric_disc():
    assert np.array_equal(g.MIRROR[g.MIRROR], np.arange(468))
    assert np.allclose(g.CANONICAL[g.MIRROR] * [-1, 1, 1], g.CANONICAL)
    assert g.iod(g.CANONICAL) == pytest.approx(1, abs=2e-3)
    edges = np.sort(
        np.concatenate([g.TRIANGLES[:, [0, 1]], g.TRIANGLES[:, [1, 2]], g.TRIANGLES[:, [2, 0]]]), axis=1
    )
    unique, times = np.unique(edges, axis=0, return_counts=True)
    assert times.max() == 2
    assert 468 - len(unique) + len(g.TRIANGLES) == 1
    rim = {tuple(edge) for edge in unique[times == 1]}
    assert rim == {tuple(sorted(edge)) for edge in zip(g.OVAL, np.roll(g.OVAL, -1), strict=True)}


@pytest.mark.parametrize(
    "loop", [g.LIPS_OUTER, g.LIPS_INNER, g.LEFT_EYE, g.RIGHT_EYE, g.LEFT_BROW, g.RIGHT_BROW]
)
def test_outlines_are_edges_of_the_triangles_and_go_clockwise(loop):
    edges = {tuple(sorted((t[i], t[i - 1]))) for t in g.TRIANGLES for i in range(3)}
    for edge in zip(loop, np.roll(loop, -1), strict=True):
        assert tuple(sorted(edge)) in edges
    x, y = g.CANONICAL[loop, 0], g.CANONICAL[loop, 1]
    assert np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) > 0


def test_left_is_the_performers_own():
    assert g.CANONICAL[g.LEFT_EYE, 0].min() > 0 > g.CANONICAL[g.RIGHT_EYE, 0].max()
    assert set(g.MIRROR[g.LEFT_EYE]) == set(g.RIGHT_EYE)
    assert set(g.MIRROR[g.LEFT_BROW]) == set(g.RIGHT_BROW)


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (40, 0, 0), (-40, 0, 0), (0, 20, 0), (0, 0, 60), (30, -15, -50)]
)
def test_pose_of_a_turned_face(angles):
    assert g.pose(turned(*angles)) == pytest.approx(angles, abs=1e-6)


def test_pose_signs():
    nose = {name: turned(**{name: 30})[g.NOSE_TIP] - turned()[g.NOSE_TIP] for name in ("yaw", "pitch")}
    assert nose["yaw"][0] > 5
    assert nose["pitch"][1] < -5
    assert turned(roll=30)[g.LEFT_EYE, 1].mean() > turned(roll=30)[g.RIGHT_EYE, 1].mean()


def test_a_turn_of_the_head_changes_neither_size_nor_place():
    for yaw in (-60, 0, 60):
        assert g.placement(turned(yaw)).params == pytest.approx([320, 180, np.log(50), 0], abs=1e-6)
        assert g.iod(turned(yaw)) == pytest.approx(50, abs=0.1)


def test_similarity_recovers_a_known_one_and_heeds_weights():
    rng = np.random.default_rng(1)
    source = rng.normal(size=(40, 2))
    matrix = g.to_frame([5, -7, np.log(3), 2.5])
    target = source @ matrix[:, :2].T + matrix[:, 2]
    assert g.similarity(source, target) == pytest.approx(matrix)
    weights = np.ones(40)
    target[:5] += 100
    weights[:5] = 0
    assert g.similarity(source, target, weights) == pytest.approx(matrix)


def test_face_space_and_back():
    params = [100, 50, np.log(40), 0.3]
    points = turned(20, 10, 15)
    there = g.face_space(points, g.to_face(params))
    assert g.face_space(there, g.to_frame(params)) == pytest.approx(points)
    upright = g.face_space(turned(roll=25), g.to_face(g.placement(turned(roll=25)).params))
    assert upright == pytest.approx(g.CANONICAL)
