"""The talent as texture donor: fine bands of their own pictures, warped to the performer, over a network's low ones."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from understudy.comp.resample import Image
from understudy.comp.skin import texture

SIGMA: Final = 4.0
"""Below this, in pixels of a face of 512, detail is the donor's."""
LIMITS: Final = (0.5, 2.0)
"""Least and largest ratio of the light on the face to that on the donor, which its detail is scaled by."""
FLOOR: Final = 0.03
"""Added to both sides of that ratio."""


def donate(face: Image, donor: Image, where: Image, size: float) -> Image:
    """A face with the luma detail of a donor, both display RGB [h, w, 3] at the same pixels.

    Skin is lit, so its detail goes with the light: the donor's is scaled by the ratio of the low bands.

    Parameters
    ----------
    where:
        Matte [h, w] of what is exchanged: skin that the donor shows. Eyes, brows and mouth stay the face's, whose low
        bands drew them.
    size:
        The face's extent in pixels.
    """
    sigma = SIGMA * size / texture.FACE
    own, other = texture.luma(face), texture.luma(donor)
    low, light = texture.soft(own, sigma), texture.soft(other, sigma)
    ratio = np.clip((np.maximum(low, 0) + FLOOR) / (np.maximum(light, 0) + FLOOR), *LIMITS, dtype=np.float32)
    change = (ratio * (other - light) - (own - low)) * where
    return cv2.add(face, cv2.merge((change, change, change)))
