"""A page taken out of a crop and laid back: nothing moves, nothing aliases, nothing changes that was not changed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from understudy.comp.lay import back, lay, redrawn, take


def crop(shape: tuple[int, int] = (90, 120), seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).random((*shape, 3)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 1.0)


def turned(scale: float, degrees: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, x], [s, c, y]])


@pytest.mark.parametrize("transform", [np.eye(2, 3), turned(0.3, 11, -5, 3), turned(2.2, -70, -80, 120)])
def test_a_page_that_nothing_changed_gives_the_crops_bits(transform: np.ndarray) -> None:
    plate = crop()
    page = take(plate, transform, 64)
    face, matte = lay(plate, page, transform, np.ones((64, 64), np.float32))
    assert np.array_equal(face, plate)
    assert matte.max() == 1 and matte.shape == (90, 120)


def test_on_an_identity_of_the_same_size_the_page_is_the_face() -> None:
    plate, page = crop(), crop(seed=1)
    matte = np.random.default_rng(2).random((90, 120)).astype(np.float32)
    face, laid = lay(plate, page, np.eye(2, 3), matte)
    assert np.array_equal(face, page) and np.array_equal(laid, matte)


def test_outside_the_page_the_crop_stays_and_the_matte_is_nought() -> None:
    plate = crop()
    # The page covers the columns 20 to 52 and the rows 10 to 42 of the crop.
    transform = np.array([[2.0, 0, -40], [0, 2.0, -20]])
    page = take(plate, transform, 64) + np.float32(0.25)
    face, matte = lay(plate, page, transform, np.ones((64, 64), np.float32))
    outside = np.ones(plate.shape[:2], bool)
    outside[10:42, 20:52] = False
    assert np.array_equal(face[outside], plate[outside])
    assert not matte[outside].any() and matte[~outside] == pytest.approx(1, abs=1e-6)
    assert face[~outside] == pytest.approx(plate[~outside] + 0.25, abs=1e-5)
    assert np.array_equal(back(np.ones((64, 64), np.float32), transform, (90, 120)), matte)


def test_beside_a_page_that_lies_askew_the_crop_stays_too() -> None:
    plate, transform = crop(), turned(1.0, 45, 20, -40)
    face, matte = lay(
        plate, take(plate, transform, 64) + np.float32(0.25), transform, np.ones((64, 64), np.float32)
    )
    y, x = np.mgrid[:90, :120] + 0.5
    at = np.stack([x, y], axis=-1) @ transform[:, :2].T + transform[:, 2]
    inside = ((at >= 0) & (at <= 64)).all(axis=-1)
    assert 1000 < inside.sum() < 6000
    assert np.array_equal(face[~inside], plate[~inside]) and not matte[~inside].any()
    assert (face[inside] > plate[inside] + 0.2).all() and (matte[inside] > 0.99).all()


def test_a_page_beside_the_crop_changes_nothing() -> None:
    plate = crop()
    face, matte = lay(plate, crop((64, 64), 1), turned(1, 0, -400, 0), np.ones((64, 64), np.float32))
    assert np.array_equal(face, plate) and not matte.any()


@pytest.mark.parametrize("transform", [turned(0.4, 20, 10, -8), turned(1.7, -35, -80, 20)])
def test_what_is_drawn_on_a_page_lies_where_the_transform_says(transform: np.ndarray) -> None:
    plate = np.zeros((150, 200, 3), np.float32)
    size = 96
    y, x = np.mgrid[:size, :size] + 0.5
    spot = np.exp(-((x - 50.3) ** 2 + (y - 40.8) ** 2) / (2 * 5.0**2)).astype(np.float32)
    face, matte = lay(plate, np.repeat(spot[..., None], 3, axis=2), transform, spot)
    wanted = np.linalg.inv(transform[:, :2]) @ (np.array([50.3, 40.8]) - transform[:, 2])
    rows, columns = np.mgrid[:150, :200] + 0.5
    for image, near in ((face[..., 0], 0.02), (matte, 0.02)):
        centre = np.array([(image * columns).sum(), (image * rows).sum()]) / image.sum()
        assert centre == pytest.approx(wanted, abs=near)


def test_a_close_up_does_not_alias() -> None:
    # Five times too fine for the page. Bilinear sampling keeps the noise at almost its full strength; an area
    # average over 5 x 5 leaves a fifth of it.
    plate = np.random.default_rng(3).normal(0.5, 0.2, (640, 640, 3)).astype(np.float32)
    page = take(plate, turned(0.2, 0, 0, 0), 128)[4:-4, 4:-4]
    area = cv2.resize(plate, (128, 128), interpolation=cv2.INTER_AREA)[4:-4, 4:-4]
    bare = cv2.warpAffine(plate, turned(0.2, 0, 0, 0), (128, 128), flags=cv2.INTER_LINEAR)[4:-4, 4:-4]
    assert area.std() == pytest.approx(0.2 / 5, rel=0.03)
    assert page.std() < 1.5 * area.std() < 0.4 * bare.std()
    flat = cv2.GaussianBlur(plate, (0, 0), 12)
    assert take(flat, turned(0.2, 0, 0, 0), 128).mean() == pytest.approx(flat.mean(), abs=1e-3)


def test_a_tint_keeps_the_plates_finest_detail() -> None:
    # Noise that a page of half the size cannot hold.
    plate = np.random.default_rng(4).normal(0.5, 0.05, (160, 160, 3)).astype(np.float32)
    transform = turned(0.5, 0, 0, 0)
    tint = np.float32([0.1, 0.0, -0.1])
    face, _ = lay(plate, take(plate, transform, 80) + tint, transform, np.ones((80, 80), np.float32))
    assert np.abs(face - (plate + tint)).max() < 1e-4


def test_outlines_of_what_was_drawn_over_leave_no_ghost() -> None:
    # A thin dark line on the plate, which the page no longer has.
    plate = np.full((160, 160, 3), 0.6, np.float32)
    plate[:, 70:72] = 0.1
    transform = turned(0.4, 0, 0, 0)
    blank = np.full((64, 64, 3), 0.6, np.float32)
    matte = np.ones((64, 64), np.float32)
    face, _ = lay(plate, blank, transform, matte)
    # By plain difference a third of the line would be left of it, darker and lighter side by side.
    plain = plate - lay(np.zeros_like(plate), take(plate, transform, 64), transform, matte)[0]
    assert np.abs(plain[20:-20, 40:100]).max() > 0.15
    assert np.abs(face - 0.6)[20:-20, 40:100].max() < 0.01
    # Far from it nothing was drawn, and nothing is lost.
    assert np.abs(face - plate)[:, 110:].max() < 1e-6


def test_only_detail_counts_as_drawn() -> None:
    assert not redrawn(np.zeros((32, 32, 3), np.float32)).any()
    slope = np.repeat(np.linspace(0, 0.2, 64, dtype=np.float32)[None, :, None], 64, axis=0) * np.ones(
        3, np.float32
    )
    assert redrawn(slope)[16:-16, 16:-16].max() < 0.01
    edge = np.zeros((64, 64, 3), np.float32)
    edge[:, 32:] = 0.4
    drawn = redrawn(edge)
    assert drawn[32, 32] > 0.99 and drawn[32, 4] < 0.01


def test_a_matte_does_not_ring() -> None:
    step = np.zeros((64, 64), np.float32)
    step[:, 32:] = 1
    laid = back(step, turned(0.5, 0, 0, 0), (128, 128))
    assert (laid >= 0).all() and (laid <= 1).all()
    # Nothing of the edge is left three pixels of the page away from it.
    assert not laid[:, :58].any() and laid[:, 70:] == pytest.approx(1, abs=1e-6)


def test_highlights_above_white_come_through() -> None:
    plate = crop() * 8
    face, _ = lay(
        plate, take(plate, turned(0.5, 0, 0, 0), 60), turned(0.5, 0, 0, 0), np.ones((60, 60), np.float32)
    )
    assert np.array_equal(face, plate) and face.max() > 1
