from __future__ import annotations

import numpy as np
import pytest

from understudy.errors import ModelError
from understudy.runtime.cards import Tensor
from understudy.runtime.tensors import decode, encode

STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def tensor(kind="image", shape=(1, 3, 2, 4), layout="nchw", dtype="float32", order="rgb", **other) -> Tensor:
    known = {"mean": (0.0,), "std": (1.0,), "scale": 1.0} | other
    return Tensor("x", None, kind, shape, dtype, layout, order, **known)


def picture(n=2, h=2, w=4) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(n, h, w, 3)).astype(np.float32)


@pytest.mark.parametrize("layout, shape", [("nchw", (1, 3, 2, 4)), ("nhwc", (1, 2, 4, 3))])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize(
    "mean, std, scale", [((0.0,), (1.0,), 1.0), ((127.5,), (128.0,), 255.0), (*STATISTICS, 1.0)]
)
def test_an_image_pixel_by_pixel(layout, shape, order, mean, std, scale):
    one = tensor(shape=shape, layout=layout, order=order, mean=mean, std=std, scale=scale)
    image = picture()
    fed = encode(one, image)
    assert fed.shape == (2, *shape[1:]) and fed.dtype == np.float32 and fed.flags.c_contiguous
    for n, y, x, colour in np.ndindex(image.shape):
        theirs = colour if order == "rgb" else 2 - colour
        m, s = mean[theirs % len(mean)], std[theirs % len(std)]
        at = (n, theirs, y, x) if layout == "nchw" else (n, y, x, theirs)
        assert fed[at] == pytest.approx((image[n, y, x, colour] * scale - m) / s, abs=1e-6)
    assert decode(one, fed) == pytest.approx(image, abs=1e-6)


def test_plain_values_pass_untouched():
    image = picture()
    assert np.array_equal(encode(tensor(), image), image.transpose(0, 3, 1, 2))
    assert np.array_equal(decode(tensor(), encode(tensor(), image)), image)


def test_a_decoded_image_is_not_limited():
    assert decode(tensor(), np.full((1, 3, 2, 4), 1.2, np.float32)).max() == np.float32(1.2)


@pytest.mark.parametrize(
    "layout, shape", [("n1hw", (1, 1, 2, 4)), ("nhw1", (1, 2, 4, 1)), ("nhw", (1, 2, 4))]
)
def test_masks(layout, shape):
    one = tensor("mask", shape, layout, order="")
    mask = picture()[..., 0]
    fed = encode(one, mask)
    assert fed.shape == (2, *shape[1:]) and np.array_equal(fed.ravel(), mask.ravel())
    assert np.array_equal(decode(one, fed), mask)


def test_numbers_have_the_files_type():
    weight = encode(tensor("scalar", (1,), "", "float64", ""), 0.7)
    assert weight.dtype == np.float64 and weight.shape == (1,) and weight[0] == 0.7
    assert encode(tensor("scalar", (), "", "float32", ""), 0.7).shape == ()
    assert encode(tensor(dtype="float16"), picture()).dtype == np.float16
    points = encode(tensor("raw", (1, 5, 2), "", "float32", ""), np.ones((3, 5, 2)))
    assert points.dtype == np.float32 and points.shape == (3, 5, 2)
    assert decode(tensor("raw", (1, 2), "", "int64", ""), np.array([[1, 2]])).dtype == np.float32


def test_bytes_are_rounded_and_limited():
    one = tensor(dtype="uint8", scale=255.0)
    image = np.tile(np.array([-0.1, 0.5, 1.1], np.float32), (1, 2, 4, 1))
    assert encode(one, image)[0, :, 0, 0].tolist() == [0, 128, 255]
    assert encode(one, np.full((1, 2, 4, 3), 0.4999 / 255, np.float32)).max() == 0


@pytest.mark.parametrize(
    "one, value, message",
    [
        (tensor(), np.zeros((2, 4, 3)), r"image 'x' is given 3 axes \(2, 4, 3\); it has 4"),
        (tensor(), np.zeros((1, 2, 4, 1)), "is given 1 colours; it has 3"),
        (tensor(), np.zeros((1, 4, 4, 3)), r"is given \[1, 3, 4, 4\], its card says \[1, 3, 2, 4\]"),
        (tensor("vector", (1, 4), "", order=""), np.zeros(4), "it has 2"),
        (
            tensor("vector", (1, 4), "", order=""),
            np.zeros((2, 5)),
            r"is given \[2, 5\], its card says \[1, 4\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused(one, value, message):
    with pytest.raises(ModelError, match=message):
        encode(one, value)


def test_what_comes_out_otherwise_than_declared_is_refused():
    with pytest.raises(ModelError, match=r"image 'x' came as \[1, 3, 4, 4\], its card says \[1, 3, 2, any\]"):
        decode(tensor(shape=(1, 3, 2, None)), np.zeros((1, 3, 4, 4), np.float32))
