"""Mattes: distances by hand, smooth motion, roto algebra."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.comp.mattes import matte
from understudy.errors import ConfigError
from understudy.faces.geometry import CANONICAL, LEFT_EYE, LIPS_OUTER, iod
from understudy.show.schema import defaults, schema

MATTE = defaults(schema("settings"))["matte"] | {"erode": 0.04, "feather": 0.09}
SQUARE = np.array([[10.0, 10.0], [50.0, 10.0], [50.0, 50.0], [10.0, 50.0]])


def face(unit: float = 60.0, x: float = 100.0, y: float = 95.0) -> np.ndarray:
    """The mean face, its eyes ``unit`` pixels apart, its origin at (x, y)."""
    return (CANONICAL * unit + [x, y, 0]).astype(np.float32)


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


def test_distance_of_a_square_by_hand() -> None:
    at = np.array([[30.0, 30.0], [12.0, 30.0], [30.0, 5.0], [7.0, 6.0], [60.0, 30.0]])
    assert matte.distance(SQUARE, at) == pytest.approx([20, 2, -5, -5, -10])


def test_distance_does_not_depend_on_the_direction_of_the_outline() -> None:
    at = np.random.default_rng(1).uniform(0, 60, (50, 2))
    assert matte.distance(SQUARE, at) == pytest.approx(matte.distance(SQUARE[::-1], at))


@pytest.mark.parametrize("step", [1, 3, 5])
def test_depth_has_its_pixel_centres_at_a_half(step: int) -> None:
    field = matte.depth(SQUARE, (60, 61), step, 8)
    assert field.shape == (60, 61)
    assert field[30, 14] == pytest.approx(4.5, abs=0.02)
    assert field[5, 30] == pytest.approx(-4.5, abs=0.02)


def test_coarse_nodes_keep_a_round_outline_in_place() -> None:
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([60 + 40 * np.cos(angle), 60 + 40 * np.sin(angle)], axis=1)
    y, x = np.mgrid[:120, :120] + 0.5
    truth = 40 - np.hypot(x - 60, y - 60)
    near = np.abs(truth) < 12
    assert np.abs(matte.depth(circle, (120, 120), 4, 12) - truth)[near].max() < 0.08


def test_what_is_far_from_the_outline_is_told_apart_by_its_sign() -> None:
    far = matte.depth(SQUARE * 10, (600, 610), 3, 12)
    exact = matte.depth(SQUARE * 10, (600, 610), 3, 1000)
    near = np.abs(exact) <= 12
    assert np.array_equal(far[near], exact[near])
    assert np.array_equal(far > 0, exact > 0)
    assert np.abs(far[~near]).min() > 11


def test_erosion_and_feather_are_distances() -> None:
    field = np.array([[3.9, 4.0, 6.0, 8.0, 9.0]], np.float32)
    assert matte.edge(field, 4, 4)[0] == pytest.approx([0, 0, 0.5, 1, 1])


def test_edge_has_no_kink_at_its_ends() -> None:
    t = np.linspace(-1, 11, 1201, dtype=np.float32)[None]
    slope = np.gradient(matte.edge(t, 0, 10)[0].astype(np.float64), 0.01)
    assert np.abs(slope[[100, 1100]]).max() < 0.002
    assert np.abs(np.diff(slope)).max() < 0.002


def test_matte_follows_tenths_of_a_pixel_evenly() -> None:
    shape, sums, last = (190, 200), [], None
    for k in range(11):
        points = face(x=100 + 0.1 * k)
        inside = matte.depth(matte.outline(points, brow_limit=True), shape, 3, 8)
        now = matte.edge(inside, 2.4, 5.4)
        if last is not None:
            step = now - last
            # Right of the middle it can only grow, left only fall: nothing pops.
            assert step[:, 130:].min() > -4e-3 and step[:, :70].max() < 4e-3
            sums.append(float(step[:, 100:].sum()))
        last = now
    assert max(sums) < 1.05 * min(sums)


def test_brow_limit_takes_the_forehead_away_and_nothing_else() -> None:
    points = face()
    free, limited = (
        matte.edge(matte.depth(matte.outline(points, brow_limit=flag), (190, 200), 3, 8), 2.4, 5.4)
        for flag in (False, True)
    )
    eyes = points[LEFT_EYE, 1].mean()
    assert np.all(limited <= free + 1e-3)
    assert np.array_equal(limited[int(eyes) :], free[int(eyes) :])
    assert limited[: int(points[10, 1] + 6)].max() == 0 and free[: int(points[10, 1] + 6)].max() > 0.5


def test_skin_leaves_eyes_and_mouth_out() -> None:
    points = face()
    area = matte.skin(points, (190, 200), 4)
    assert area.shape == (48, 50)

    def at(index: list[int]) -> float:
        x, y = points[index, :2].mean(axis=0) / 4
        return float(area[int(y), int(x)])

    assert at(list(LEFT_EYE)) == 0 and at(list(LIPS_OUTER)) == 0
    assert at([50]) == pytest.approx(1)


def test_layers_are_combined_as_always() -> None:
    points, shape = face(), (190, 200)
    engine = np.full(shape, 0.5, np.float32)
    hold = np.zeros(shape, np.float32)
    hold[:, :100] = 1
    found = matte.layers(points, shape, engine, no_plate, {}, [matte.Drawn(hold, "hold")], MATTE)
    assert set(found) == {"hull", "engine", "roto", "matte"}
    assert all(layer.dtype == np.float32 and layer.shape == shape for layer in found.values())
    assert found["matte"][:, :100].max() == 0
    assert found["matte"][:, 100:] == pytest.approx(0.5 * found["hull"][:, 100:])


def no_plate() -> np.ndarray:
    raise AssertionError("nothing here needs the crop")


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def test_the_usual_algebra_by_hand() -> None:
    points, shape = face(), (190, 200)
    names = ("unoccluded", "regions", "difference", "occlusion")
    seen = {name: random(*shape, seed=k) for k, name in enumerate(names)}
    engine, roto = random(*shape, seed=7), random(*shape, seed=8)
    now = MATTE | {"hold_back": 0.5}
    found = matte.layers(points, shape, engine, no_plate, seen, [matte.Drawn(roto, "add")], now)
    wanted = np.minimum.reduce([found["hull"] * engine, *(seen[name] for name in names[:3])])
    wanted = np.maximum(wanted * (1 - 0.5 * seen["occlusion"]), roto)
    assert np.abs(found["matte"] - wanted).max() < 1e-6
    # What lies on disk is what was combined.
    assert np.array_equal(found["occlusion"], np.float32(0.5) * seen["occlusion"])


def test_a_looks_own_algebra_goes_step_by_step() -> None:
    points, shape = face(), (190, 200)
    seen = {"unoccluded": random(*shape)}
    steps = [
        {"replace": "box"},
        {"times": "unoccluded"},
        {"max": "mouth"},
        {"hold": "eyes"},
        {"min": "lower_face"},
    ]
    found = matte.layers(points, shape, None, no_plate, seen, [], MATTE | {"combine": steps})
    assert set(found) == {"hull", "engine", "unoccluded", "box", "mouth", "eyes", "lower_face", "matte"}
    wanted = np.maximum(found["box"] * seen["unoccluded"], found["mouth"]) * (1 - found["eyes"])
    assert np.abs(found["matte"] - np.minimum(wanted, found["lower_face"])).max() < 1e-6


def test_a_step_may_give_its_layer_a_new_edge() -> None:
    points, shape = face(), (190, 200)
    x = np.arange(200, dtype=np.float32) + np.float32(0.5)
    soft = np.broadcast_to(np.clip((x - 100) / 40 + 0.5, 0, 1), shape)
    step = {"replace": "unoccluded", "erode": 0.05, "feather": 0.2}
    found = matte.layers(points, shape, None, no_plate, {"unoccluded": soft}, [], MATTE | {"combine": [step]})
    unit = iod(points)
    t = np.clip((x - 100 - 0.05 * unit) / (0.2 * unit), 0, 1)
    assert np.abs(found["matte"] - t * t * (3 - 2 * t)).max() < 0.02
    assert np.array_equal(found["unoccluded"], soft)


def test_operations_by_hand() -> None:
    base, layer = np.array([[0.8]], np.float32), np.array([[0.25]], np.float32)
    by_hand = {"hold": 0.6, "add": 0.8, "max": 0.8, "min": 0.25, "times": 0.2, "replace": 0.25}
    for operation, wanted in by_hand.items():
        assert matte.over(base, operation, layer) == pytest.approx(wanted), operation
    with pytest.raises(ConfigError, match=r"matte operation 'keep' is not known\n  -> use one of: min, max"):
        matte.over(base, "keep", layer)


def test_edges_of_what_is_seen_follow_the_plate_and_no_others() -> None:
    points, shape = face(), (190, 200)
    plate = np.full((*shape, 3), 0.3, np.float32)
    plate[:, 104:] = 0.7
    vague = np.broadcast_to(np.clip((np.arange(200, dtype=np.float32) - 80) / 40, 0, 1), shape)
    # The network saw the edge at 100, softly; the plate has it at 104.
    plain, led = (
        matte.layers(points, shape, None, lambda: plate, {"unoccluded": vague}, [], MATTE | {"guided": reach})
        for reach in (0.0, 0.15)
    )
    jump = [float(np.diff(found["unoccluded"][95, 100:108]).max()) for found in (plain, led)]
    assert jump[0] == pytest.approx(1 / 40, rel=1e-3) and jump[1] > 8 * jump[0]
    assert int(np.diff(led["unoccluded"][95]).argmax()) == 103
    assert np.array_equal(plain["hull"], led["hull"])


def test_the_plate_stays_where_little_is_changed() -> None:
    plate = np.full((60, 60, 3), 0.4, np.float32)
    new = plate.copy()
    new[:, 20:40, 1] += 0.15
    new[:, 40:, 2] -= 0.3
    found = matte.changed(plate, new, 0.1, 20.0)
    assert found[30, 5] == 0 and found[30, 55] == 1
    assert found[30, 30] == pytest.approx(0.5, abs=1e-3)  # half way from .1 to .2
    assert matte.changed(plate, plate, 0.1, 20.0).max() == 0
    assert matte.changed(plate, plate, 0.0, 20.0).min() == 1


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points turned on the picture around (100, 95), clockwise on screen."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    flat = (points[:, :2] - [100, 95]) @ turn.T + [100, 95]
    return np.column_stack([flat, points[:, 2]]).astype(np.float32)


def hull(points: np.ndarray, **changes: float) -> np.ndarray:
    return matte.Shapes(points, (190, 200), MATTE | {"erode": 0.0, "feather": 0.0} | changes)["hull"]


def test_sides_that_are_drawn_in_alike_are_erosion() -> None:
    points = face(46.0)
    sides = {f"erode_{side}": 0.08 for side in ("top", "bottom", "left", "right")}
    assert np.abs(hull(points, erode=0.12) - hull(points, erode=0.04, **sides)).max() < 1e-3


@pytest.mark.parametrize("angle", [0, 90, 200])
def test_a_side_is_the_faces_own(angle: float) -> None:
    """Drawing in the bottom takes the chin away, whichever way up the head is, by as much as was asked for."""
    points = turned(face(40.0), angle)
    whole, less = hull(points), hull(points, erode_bottom=0.2)
    lost = whole - less
    assert lost.min() > -1e-3
    down = points[152, :2] - points[10, :2]
    down /= np.linalg.norm(down)
    y, x = np.mgrid[:190, :200] + 0.5
    # Depth of what is lost, on the line from the middle through the chin.
    along = np.arange(0, 60, 0.25)
    centre = points[[33, 263, 61, 291], :2].mean(axis=0)
    at = centre + along[:, None] * down
    profile = [float(image[int(py), int(px)]) for image in (lost,) for px, py in at]
    assert sum(profile) * 0.25 == pytest.approx(0.2 * iod(points), abs=1.5)
    above = (x - centre[0]) * down[0] + (y - centre[1]) * down[1] < -15
    assert np.abs(lost[above]).max() < 1e-3


def test_left_is_the_performers() -> None:
    lost = hull(face(40.0)) - hull(face(40.0), erode_left=0.2)
    assert lost[:, 105:].sum() > 50 and np.abs(lost[:, :95]).max() < 1e-3


def test_the_box_goes_round_all_points_and_turns_with_them() -> None:
    for angle in (0, 30):
        points = turned(face(40.0), angle)
        box = matte.Shapes(points, (190, 200), MATTE | {"erode": 0.0, "feather": 0.0})["box"]
        size = np.ptp(face(40.0)[:, :2], axis=0)
        assert box.sum() == pytest.approx(size[0] * size[1], rel=0.05)
    padded = matte.Shapes(face(40.0), (190, 200), MATTE | {"erode": 0.0, "feather": 0.0, "erode_top": -0.5})[
        "box"
    ]
    assert padded.sum() == pytest.approx(size[0] * (size[1] + 20), rel=0.05)


def test_halves_add_up_and_features_cover_what_they_name() -> None:
    points, shape = face(), (190, 200)
    shapes = matte.Shapes(points, shape, MATTE)
    assert np.abs(shapes["upper_face"] + shapes["lower_face"] - shapes["hull"]).max() < 1e-6

    def at(name: str, index: list[int]) -> float:
        x, y = points[index, :2].mean(axis=0)
        return float(shapes[name][int(y), int(x)])

    assert at("upper_face", list(LEFT_EYE)) == 1 and at("lower_face", list(LIPS_OUTER)) == 1
    assert at("mouth", list(LIPS_OUTER)) == 1 and at("mouth", list(LEFT_EYE)) == 0
    assert at("eyes", list(LEFT_EYE)) == 1 and at("eyes", [1]) == 0


def test_sizes_are_relative_to_the_eyes_distance() -> None:
    small = matte.edge(
        matte.depth(matte.outline(face(60, 100, 95), brow_limit=True), (190, 200), 3, 8), 2.4, 5.4
    )
    big = matte.edge(
        matte.depth(matte.outline(face(120, 200, 190), brow_limit=True), (380, 400), 6, 16), 4.8, 10.8
    )
    assert iod(face(120)) == pytest.approx(2 * iod(face(60)))
    assert np.abs(big.reshape(190, 2, 200, 2).mean(axis=(1, 3)) - small).max() < 0.03
