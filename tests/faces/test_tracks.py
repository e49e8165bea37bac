from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from understudy.errors import FaceError
from understudy.faces import geometry as g
from understudy.faces.align import carried, five_of_mesh, similarity
from understudy.faces.detect import Face, find_faces, landmarks_near, signature
from understudy.faces.tracks import (
    FrameRow,
    assign,
    cuts,
    edit,
    kalman,
    link,
    missing,
    pin,
    smooth,
    with_faces,
)

PLAIN = np.random.default_rng(3).random((9, 16, 3)).astype(np.float32)


def face_at(x, y=180.0, size=40.0, wide=1.0, light=0.5, score=0.9):
    points = (g.CANONICAL * [wide, 1, 1] * size + [x, y, 0]).astype(np.float32)
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
    five = five_of_mesh(points).astype(np.float32)
    return Face(box, score, 1.0, points, np.array([light, 0, 0], np.float32), five)


def rows_of(paths, first=1001, picture=PLAIN):
    """Rows from lists of faces per frame."""
    return [FrameRow(first + i, tuple(faces), picture) for i, faces in enumerate(paths)]


def no_edits(**given):
    return SimpleNamespace(**({"ignore": (), "merge": (), "split": (), "landmarks": {}} | given))


@pytest.mark.parametrize("seed", range(8))
def test_assignment_is_the_cheapest(seed):
    rng = np.random.default_rng(seed)
    cost = rng.random((rng.integers(1, 12), rng.integers(1, 12)))
    rows, columns = linear_sum_assignment(cost)
    assert sum(cost[i, j] for i, j in assign(cost)) == pytest.approx(cost[rows, columns].sum())
    assert len(assign(cost)) == len(rows)


def test_assignment_takes_as_many_finite_pairs_as_it_can():
    inf = np.inf
    assert assign(np.array([[1.0, 2.0], [1.0, inf]])) == [(0, 1), (1, 0)]
    assert assign(np.array([[inf, inf], [5.0, inf]])) == [(1, 0)]
    assert assign(np.zeros((0, 3))) == []


def test_one_face_one_track(settings):
    (track,) = link(rows_of([[face_at(200 + 3 * i)] for i in range(20)]), 640, 360, settings)
    assert track.id == "t01"
    assert list(track.frames) == list(range(1001, 1021))
    assert track.seen.all()
    assert track.transform[7] == pytest.approx([221, 180, np.log(40), 0], abs=1e-3)


def test_gap_is_filled_by_a_line_and_said_so(settings):
    paths = [[face_at(200 + 4 * i)] if i not in range(8, 14) else [] for i in range(24)]
    (track,) = link(rows_of(paths), 640, 360, settings)
    assert missing(track) == [1009, 1014, 1010, 1013, 1011, 1012]
    assert track.transform[:, 0] == pytest.approx(200 + 4 * np.arange(24), abs=1e-2)
    assert not track.score[8:14].any()
    filled = with_faces(track, {1009: face_at(233), 1014: face_at(250)})
    assert missing(filled) == [1010, 1013, 1011, 1012]
    assert filled.transform[8, 0] == pytest.approx(233, abs=1e-2)
    assert filled.id == "t01"


def test_a_longer_gap_ends_the_track(settings):
    paths = [[face_at(200)] if not 8 <= i < 8 + 13 else [] for i in range(40)]
    assert [len(t.frames) for t in link(rows_of(paths), 640, 360, settings)] == [8, 19]
    assert len(link(rows_of(paths), 640, 360, settings | {"max_gap": 13})) == 1


def test_a_jump_is_another_face(settings):
    paths = [[face_at(200 if i < 10 else 260)] for i in range(20)]
    assert [list(t.frames[[0, -1]]) for t in link(rows_of(paths), 640, 360, settings)] == [
        [1001, 1010],
        [1011, 1020],
    ]


def test_a_false_face_on_one_frame_is_dropped(settings):
    paths = [[face_at(200), face_at(300, 320)] if i == 6 else [face_at(200)] for i in range(20)]
    assert len(link(rows_of(paths), 640, 360, settings)) == 1


def test_crossing_people_keep_their_tracks(settings):
    paths = []
    for i in range(40):
        a, b = face_at(150 + 8 * i, 180, 42, 1.03, 0.5), face_at(470 - 8 * i, 186, 38, 0.97, 0.35)
        # The one behind is hidden while they meet.
        paths.append([a] if 17 <= i <= 22 else sorted([a, b], key=lambda f: f.box[0]))
    left, right = link(rows_of(paths), 640, 360, settings)
    assert left.transform[:, 0] == pytest.approx(150 + 8 * np.arange(40), abs=0.1)
    assert right.transform[:, 0] == pytest.approx(470 - 8 * np.arange(40), abs=0.1)
    assert missing(left) == []
    assert len(missing(right)) == 6


def test_ids_do_not_depend_on_the_order_of_faces(settings):
    paths = [[face_at(150), face_at(400)] for _ in range(10)]
    one = link(rows_of(paths), 640, 360, settings)
    other = link(rows_of([faces[::-1] for faces in paths]), 640, 360, settings)
    assert [t.id for t in one] == ["t01", "t02"]
    assert [t.transform[0, 0] for t in one] == [t.transform[0, 0] for t in other]


def test_cut_ends_tracks_and_names_its_frame(settings):
    other = np.random.default_rng(4).random((9, 16, 3)).astype(np.float32)
    rows = rows_of([[face_at(200)]] * 10) + rows_of([[face_at(205, size=60)]] * 3, 1011, other)
    assert cuts(rows, 0.35) == [1011]
    assert [len(t.frames) for t in link(rows, 640, 360, settings)] == [10, 3]


def test_flash_fade_and_lamp_are_no_cuts():
    pictures = [PLAIN] * 30
    pictures[10] = np.ones_like(PLAIN)
    pictures[20:] = [PLAIN * 0.4 + 0.05] * 10
    rows = [FrameRow(i, (), picture) for i, picture in enumerate(pictures)]
    assert cuts(rows, 0.35) == []


def test_a_whip_pan_is_no_cut():
    wide = np.random.default_rng(5).random((9, 400, 3)).astype(np.float32)
    rows = [FrameRow(i, (), wide[:, 6 * i : 6 * i + 16]) for i in range(50)]
    assert cuts(rows, 0.35) == []


def test_kalman_of_a_line_is_the_line_and_bridges_holes():
    line = np.linspace(3, 40, 50)[:, None]
    noise = np.ones(50)
    noise[20:30] = np.inf
    broken = line.copy()
    broken[20:30] = 1e6
    assert kalman(broken, noise, np.array([1e-3]))[0] == pytest.approx(line, abs=1e-3)


def test_kalman_is_the_same_backwards():
    values = np.cumsum(np.random.default_rng(6).normal(size=(60, 2)), axis=0)
    ratio = np.array([0.01, 1.0])
    there = kalman(values, np.ones(60), ratio)[0]
    back = kalman(values[::-1], np.ones(60), ratio)[0][::-1]
    assert there == pytest.approx(back, abs=1e-3)


def test_smoothing_nought_leaves_as_measured(settings):
    rng = np.random.default_rng(7)
    paths = [[face_at(*rng.normal([200 + 3 * i, 180], 1))] for i in range(20)]
    (track,) = link(rows_of(paths), 640, 360, settings)
    same = smooth(track, settings | {"smooth": 0, "smooth_shape": 0})
    assert same.points == pytest.approx(track.points, abs=1e-3)


def test_an_outlier_hardly_moves_the_track(settings):
    rng = np.random.default_rng(8)
    paths = [[face_at(*rng.normal([200, 180], 0.3))] for i in range(60)]
    paths[30] = [face_at(209, 180)]
    (track,) = link(rows_of(paths), 640, 360, settings)
    assert abs(smooth(track, settings).transform[30, 0] - 200) < 0.5


K = np.arange(72)
PLACES = {
    "sway": np.column_stack([320 + 40 * np.sin(K / 12), 180 + 10 * np.sin(K / 9), 1 + 0 * K, 0.1 * np.sin(K / 15)]),
    "fast": np.column_stack(
        [260 + 120 / (1 + np.exp((36 - K) / 3)), 180 + 6 * np.sin(K / 9), 1 + 0.15 * np.sin(K / 20),
         0.25 / (1 + np.exp((36 - K) / 3))]
    ),
    "zoom": np.column_stack([320 + 10 * np.sin(K / 20), 180 + 0 * K, 0.7 + K / 80, 0.5 * np.sin(K / 25)]),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_ground_truth(name, networks, astronaut, shoot, settings):
    """Steadier than measured, as lively as the truth, not late, not farther off."""
    shot = shoot(astronaut, PLACES[name])
    rows = [FrameRow(i, find_faces(f, *networks, settings), signature(f)) for i, f in enumerate(shot.frames)]
    (raw,) = link(rows, 640, 360, settings)
    assert raw.seen.all()
    assert len(raw.frames) == len(K)
    smoothed = smooth(raw, settings)
    rest = np.mean(
        [g.face_space(p, g.inverse(m)) for p, m in zip(raw.points, shot.matrices, strict=True)], axis=0
    )
    truth = np.array([g.face_space(rest, m) for m in shot.matrices])
    places = np.array([g.placement(p).params for p in truth])

    def crop(params):
        """What the four numbers do to a crop, in pixels half a face away."""
        return params * [1, 1, 45, 45]

    def jitter(params):
        return np.sqrt(np.mean(np.sum(np.diff(crop(params), 2, axis=0) ** 2, axis=1)))

    def off(points):
        return np.sqrt(np.mean((points - truth)[..., :2] ** 2))

    # 0.03 px is below what any resampling shows.
    assert jitter(smoothed.transform) <= 1.2 * jitter(places) + 0.03
    assert jitter(smoothed.transform) < jitter(raw.transform)
    assert off(smoothed.points) <= off(raw.points)
    assert off(smoothed.points) < 0.5

    def shake(track):
        """Of a face's middle in its 128 crop for a network: the picture's own pixels, frame after frame."""
        corners = np.array([(180, 80), (270, 80), (180, 170), (270, 170)], float)
        laid = []
        for five, matrix in zip(track.five, shot.matrices, strict=True):
            m = similarity(five, "arcface_128", 128)
            laid.append((corners @ matrix[:, :2].T + matrix[:, 2]) @ m[:, :2].T + m[:, 2])
        return np.sqrt(np.mean(np.sum(np.diff(laid, 2, axis=0) ** 2, axis=-1)))

    assert shake(smoothed) < min(0.16, 0.3 * shake(raw))
    lags = {
        lag: np.sum((smoothed.transform[4:-4, 0] - np.roll(places[:, 0], lag)[4:-4]) ** 2)
        for lag in range(-2, 3)
    }
    assert min(lags, key=lags.get) == 0


def test_a_hole_is_looked_at_again(networks, astronaut, shoot, settings):
    shot = shoot(astronaut, PLACES["sway"][:30])
    faces = [find_faces(frame, *networks, settings) for frame in shot.frames]
    gappy = [FrameRow(i, () if 10 <= i < 16 else f, PLAIN) for i, f in enumerate(faces)]
    (track,) = link(gappy, 640, 360, settings)
    for frame in missing(track):
        found = landmarks_near(shot.frames[frame], networks[1], track.points[frame], settings)
        track = with_faces(track, {frame: found})
    assert missing(track) == []
    for i in range(10, 16):
        assert np.abs(track.points[i] - faces[i][0].points)[:, :2].mean() < 0.6


def test_split_merge_ignore(settings):
    paths = [[face_at(150), face_at(400)] for _ in range(20)]
    tracks = link(rows_of(paths), 640, 360, settings)
    parts = edit(tracks, no_edits(split=(("t01", 1011),)))
    assert {t.id: (t.frames[0], t.frames[-1]) for t in parts} == {
        "t01": (1001, 1010), "t02": (1001, 1020), "t03": (1011, 1020),
    }  # fmt: skip
    whole = edit(parts, no_edits(merge=(("t01", "t03"),), ignore=("t02",)))
    assert [t.id for t in whole] == ["t01"]
    assert whole[0].points == pytest.approx(tracks[0].points)


def test_landmarks_are_pinned_exactly(settings):
    tracks = link(rows_of([[face_at(150)]] * 10), 640, 360, settings)
    (track,) = pin(tracks, no_edits(landmarks={1004: {"t01": {13: (140.5, 200.25)}}}))
    assert track.points[3, 13, :2] == pytest.approx([140.5, 200.25])
    assert np.array_equal(track.points[4], tracks[0].points[4])


@pytest.mark.parametrize(
    "edits, message",
    [
        (
            {"ignore": ("t07",)},
            "ov.yaml: ignore names track t07, which does not exist; the tracks are: t01 (1-10)",
        ),
        ({"merge": (("t01", "t02"),)}, "merge names track t02, which does not exist"),
        ({"split": (("t09", 3),)}, "split names track t09, which does not exist"),
        ({"split": (("t01", 11),)}, "split names t01 at frame 11, but t01 has frames 1-10"),
        ({"split": (("t01", 1),)}, "split names t01 at frame 1, but"),
        ({"landmarks": {3: {"t02": {1: (0, 0)}}}}, "landmarks names track t02, which does not exist"),
        (
            {"landmarks": {12: {"t01": {1: (0, 0)}}}},
            "landmarks name t01 at frame 12, but t01 has frames 1-10",
        ),
    ],
)
def test_edits_of_what_is_not_there_are_refused(settings, edits, message):
    tracks = link(rows_of([[face_at(150)]] * 10, 1), 640, 360, settings)
    with pytest.raises(FaceError) as refusal:
        pin(edit(tracks, no_edits(**edits), "ov.yaml"), no_edits(**edits), "ov.yaml")
    assert message in str(refusal.value)


def test_the_meshs_five_are_smoothed_as_the_mesh(networks, astronaut, shoot, settings):
    shot = shoot(astronaut, PLACES["sway"][:24])
    rows = [FrameRow(i, find_faces(f, *networks, settings), PLAIN) for i, f in enumerate(shot.frames)]
    rows[9] = FrameRow(9, (), PLAIN)
    (track,) = link(rows, 640, 360, settings)
    smoothed = smooth(track, settings | {"smooth_shape": 1.0})
    expected = np.array([five_of_mesh(points) for points in smoothed.points])
    np.testing.assert_allclose(smoothed.five, expected, atol=2e-3)
    assert np.abs(smoothed.five - track.five).max() > 0.05


def test_fives_of_another_source_keep_their_difference(settings):
    """A detector's five that lie elsewhere are smoothed for themselves, filled over a hole, and move with a pin."""
    away = np.array([(2.0, -1), (1, 0), (0, 3), (-1, 1), (2, 2)], np.float32)
    rng = np.random.default_rng(4)
    paths = []
    for i in range(40):
        face = face_at(150 + 2 * i)
        noise = rng.normal(0, 0.5, (5, 2)).astype(np.float32)
        paths.append([replace(face, five=face.five + away + noise)])
    paths[20] = []
    (track,) = link(rows_of(paths), 640, 360, settings)
    smoothed = smooth(track, settings | {"smooth_shape": 1.0})
    mesh = np.array([five_of_mesh(points) for points in smoothed.points])
    np.testing.assert_allclose((smoothed.five - mesh).mean(axis=0), away, atol=0.3)
    raw = (track.five - mesh - away)[np.arange(40) != 20]
    nose = (smoothed.five - mesh - away)[:, 2]
    assert nose.std() < 0.8 * raw[:, 2].std()
    assert np.isfinite(smoothed.five[20]).all()
    edits = no_edits(landmarks={1011: {"t01": {61: tuple(smoothed.points[10, 61, :2] + [4, 0])}}})
    (pinned,) = pin([smoothed], edits)
    np.testing.assert_allclose(pinned.five[10, 3], smoothed.five[10, 3] + [4, 0], atol=1e-4)
    np.testing.assert_array_equal(pinned.five[10, :3], smoothed.five[10, :3])


def test_carried_fives_keep_their_place_on_the_face():
    before, after = face_at(150).points, face_at(300, 100, 80).points
    away = np.array([(2.0, -1), (1, 0), (0, 3), (-1, 1), (2, 2)])
    moved = carried(five_of_mesh(before) + away, before, after)
    np.testing.assert_allclose(moved, five_of_mesh(after) + 2 * away, atol=1e-3)


def test_embeddings_go_with_their_frames(settings):
    paths = [[replace(face_at(150), embedding=np.full(4, i, np.float32))] for i in range(20)]
    paths[5], paths[9] = [face_at(150)], []
    tracks = link(rows_of(paths), 640, 360, settings)
    assert np.isnan(tracks[0].embeddings[[5, 9]]).all()
    assert tracks[0].embeddings[12].tolist() == [12] * 4
    (looked,) = [with_faces(tracks[0], {1010: replace(face_at(150), embedding=np.full(4, 9, np.float32))})]
    assert looked.embeddings[9].tolist() == [9] * 4
    parts = edit(tracks, no_edits(split=(("t01", 1011),)))
    assert [part.embeddings[0, 0] for part in parts] == [0, 10]
    (whole,) = edit(parts, no_edits(merge=(("t01", "t02"),)))
    np.testing.assert_array_equal(whole.embeddings, tracks[0].embeddings)
    (plain,) = link(rows_of([[face_at(150)]] * 8), 640, 360, settings)
    assert plain.embeddings.shape == (8, 0)


def test_nothing_gives_nothing(settings):
    assert link([], 640, 360, settings) == []
    assert link(rows_of([[]] * 5), 640, 360, settings) == []


def test_short_take_keeps_its_track(settings):
    (track,) = link(rows_of([[face_at(150)]] * 2), 640, 360, settings)
    assert smooth(track, settings).points == pytest.approx(replace(track).points)
