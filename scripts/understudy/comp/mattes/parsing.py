"""Mattes out of what occluders and face parsers say, on arrays: no network runs here.

Mattes are float32 [h, w], 0..1, at whatever crop the network was given; `lay.back` brings them to the plate's crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, gaussian
from understudy.errors import ConfigError

LABELS: Final = (
    "background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses", "left_ear", "right_ear",
    "earring", "nose", "mouth", "upper_lip", "lower_lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip
"""What a BiSeNet trained on CelebAMask-HQ tells apart, in the order of its outputs."""
FACE: Final = (
    "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses", "nose", "mouth", "upper_lip", "lower_lip",
)  # fmt: skip
"""The labels that make up a face."""
SOFT: Final = 0.07
"""Sigma of a hardened edge in IOD: five pixels of a crop of 256 in which the eyes are 70 apart."""


def lesser(mattes: Sequence[Image]) -> Image:
    """What all mattes leave of a face: the pixel-wise minimum (a product would thin twice where soft edges meet)."""
    return np.clip(np.minimum.reduce(list(mattes)), 0, 1)


def harden(matte: Image, unit: float, soft: float = SOFT) -> Image:
    """A matte whose edge is soft over one width, however sharp or vague it came: 0 outside, 1 inside.

    Blurred, of which the upper half is stretched to 0..1: what was uncertain by half is gone, so the edge moves inwards
    by a sigma or so and never out over what occludes.

    Parameters
    ----------
    unit:
        The face's IOD in pixels of the matte. Softness is measured by it: in pixels of the crop, the same hand would
        have an edge four times softer in a crop of 128 than in one of 512.
    soft:
        Sigma of the blur in IOD.
    """
    blurred = gaussian(np.clip(matte, 0, 1), soft * unit)
    return 2 * np.clip(blurred, 0.5, 1) - 1


def regions(classes: NDArray[np.float32], labels: Sequence[str]) -> Image:
    """How much of each pixel belongs to the labels that are named, float32 [h, w].

    The sum of their probabilities, and not whether one of them is likeliest: that jumps by whole pixels from frame to
    frame.

    Parameters
    ----------
    classes:
        Logits of one picture, [19, h, w].
    labels:
        Of `LABELS`.

    Raises
    ------
    ConfigError
        A label that there is not, or none.
    """
    unknown = sorted(set(labels) - set(LABELS))
    if unknown or not labels:
        raise ConfigError(
            f"no region is called {', '.join(unknown)}" if unknown else "no region is named",
            fix=f"choose of {', '.join(LABELS)}",
        )
    power = np.exp(classes - classes.max(axis=0))
    wanted = power[[LABELS.index(label) for label in dict.fromkeys(labels)]].sum(axis=0)
    return (wanted / power.sum(axis=0)).astype(np.float32)
