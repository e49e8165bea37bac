"""Whether the texture index tells the truth and the solve reaches the plate, on real skin whose truth is known.

    python tests/bench/texture.py

Both sample portraits are the performer and, softened and over-enhanced, their own new face: so the truth is the picture
itself. A swap of 128 or 256 pixels is a round trip through a face of that size in 512; a restorer has 1.25 to 1.6 times
the fine bands' amplitude, and a fifth of their energy again in texture that it invented. The plate has grain, the new
faces have none. Prints one line per case, and says by its exit code whether all of the lines hold:

- the index of each face, as QC takes it, within half a decibel of the same number by scipy on known components;
- after solve, gains and grain no band from 1 to 8 pixels (of a face of 512) more than 1 dB away, unless there was
  nothing to solve with: a face that is much too soft, and no restorer (a case for the donor);
- the solved share nearer to the plate than 65, 75 and 80 % (or as near, where one of them is right by chance).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import scipy.ndimage
import skimage.data
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from shipped import SHIPPED  # noqa: E402
from understudy.comp import match  # noqa: E402
from understudy.comp.mattes.matte import layers  # noqa: E402
from understudy.comp.skin import patches, texture  # noqa: E402
from understudy.faces.geometry import CANONICAL  # noqa: E402
from understudy.media.stills import read_picture  # noqa: E402
from understudy.qc import measures  # noqa: E402

Image = NDArray[np.float32]

MATTE = SHIPPED["matte"] | {"brow_limit": False}
MATCH = SHIPPED["match"] | {"gain": [0.5, 2.8]}
COMPOSITE = {"blend": "multiband", "opacity": 1.0}
GRAIN = 0.006
INVENTED = 0.2
"""Energy of invented texture, as a part of the fine bands'."""
FOLK = (0.65, 0.75, 0.8)
ANY = [0.0, 1.0]
SOFT = -2.5
"""True index in dB from which a face that nobody restored is past mending by gains."""
# The mesh on each portrait: the mean face through an affine map that was fitted to the landmark network's points.
FACES = {
    "hopper": [[87.79, 4.1, -2.3, 265.61], [-3.52, 87.19, -0.77, 213.61]],
    "astronaut": [[44.29, -2.61, 0.96, 224.49], [2.33, 44.15, 0.32, 114.17]],
}
SIZES = {"hopper": (512, 262), "astronaut": (300,)}
"""Extents that each face is looked at with, in pixels."""


@dataclass(frozen=True)
class Portrait:
    """A clean picture cut about the face, and the mesh on it."""

    name: str
    image: Image
    points: NDArray[np.float32]

    @property
    def size(self) -> float:
        return texture.extent(self.points)


@cache
def portrait(name: str, size: int) -> Portrait:
    """A sample portrait whose face is ``size`` pixels."""
    if name == "hopper":
        from matplotlib import cbook

        picture = read_picture(Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    else:
        picture = skimage.data.astronaut().astype(np.float32) / 255
    points = np.c_[CANONICAL, np.ones(len(CANONICAL))] @ np.array(FACES[name]).T
    scale = size / texture.extent(points)
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.4 * (high - low).max()
    x0, y0 = np.maximum(np.floor(low - room), 0).astype(int)
    x1, y1 = np.ceil(high + room).astype(int)
    crop = np.ascontiguousarray(picture[y0:y1, x0:x1, :3])
    made = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)
    placed = np.c_[(points - [x0, y0]) * scale, np.zeros(len(points))]
    return Portrait(name, made, placed.astype(np.float32))


def softened(of: Portrait, network: int) -> Image:
    """A face of 512 pixels through a network of so many, whatever size it is here."""
    small = cv2.resize(of.image, None, fx=network / 512, fy=network / 512, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, of.image.shape[1::-1], interpolation=cv2.INTER_LANCZOS4)


def fine(image: Image, size: float) -> Image:
    """What lies below 4 pixels of a face of 512."""
    return image - cv2.GaussianBlur(image, (0, 0), 4 * size / 512, borderType=cv2.BORDER_REPLICATE)


def enhanced(of: Portrait, gain: float, seed: int = 5) -> Image:
    """A face whose fine bands are ``gain`` times as strong, and hold some texture that never was."""
    own = fine(of.image, of.size)
    noise = np.random.default_rng(seed).standard_normal(of.image.shape[:2]).astype(np.float32)
    noise = fine(cv2.GaussianBlur(noise, (0, 0), 0.9 * of.size / 512), of.size)
    area = patches.patches(of.points, of.image.shape[:2])
    level = float(np.sqrt(INVENTED * np.mean(texture.luma(own)[area] ** 2) / np.mean(noise[area] ** 2)))
    return of.image + np.float32(gain - 1) * own + np.float32(level) * noise[..., None]


def tinted(image: Image) -> Image:
    """Another camera's colour."""
    return (image * np.float32([0.9, 0.97, 1.08]) + np.float32([0.03, 0.0, -0.02])).astype(np.float32)


def grain(shape: tuple[int, ...], seed: int, size: float = GRAIN) -> Image:
    noise = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape[:2]), 0.55)
    return np.repeat((noise / noise.std() * size)[..., None], 3, axis=2).astype(np.float32)


def truth(new: Image, of: Portrait, noise: Image, area: NDArray[np.bool_]) -> float:
    """Index of a face with grain over its plate with grain: energies of the parts by scipy, in double precision."""
    luma = np.array([0.2126, 0.7152, 0.0722])

    def energies(image: Image) -> NDArray[np.float64]:
        grey = image.astype(np.float64) @ luma
        blurs = [scipy.ndimage.gaussian_filter(grey, s, mode="nearest", truncate=6) if s else grey for s in sigmas]
        return np.array([np.mean((a - b)[area] ** 2) for a, b in zip(blurs, blurs[1:], strict=False)])

    sigmas = texture.limits(of.size)[:4]
    floor = (1 / 255) ** 2 / 12
    new_, old, grown = energies(new), energies(of.image), energies(noise)
    decibel = 10 * np.log10((new_ + grown + floor) / (old + grown + floor))
    return float(decibel @ [0.25, 0.5, 0.25])


@dataclass(frozen=True)
class Case:
    """A new face of a portrait: as the engine made it, and restored (or None)."""

    of: Portrait
    words: str
    swapped: Image
    restored: Image | None = None

    @property
    def face(self) -> str:
        return f"{self.of.name} {self.of.size:.0f}"


def cases(names: Sequence[str] = tuple(SIZES)) -> Iterator[Case]:
    """Every simulated face of some portraits."""
    for name in names:
        for size in SIZES[name]:
            of = portrait(name, size)
            for network in (128, 256):
                soft = softened(of, network)
                yield Case(of, f"{network}", soft)
                for gain in (1.25, 1.4, 1.6):
                    yield Case(of, f"{network}, restored {gain:g}x", soft, enhanced(of, gain))
            for gain in (1.25, 1.6):
                yield Case(of, f"over-enhanced {gain:g}x", enhanced(of, gain))


@dataclass(frozen=True)
class Verdict:
    """What became of a case, in dB."""

    swapped: tuple[float, float]
    """Index of the engine's face, measured and true."""
    restored: tuple[float, float] | None
    share: float | None
    blended: float
    folk: list[float]
    """Index at the shares of `FOLK`."""
    gains: list[float]
    bands: list[float]
    """Of the finished face, from 0-1 to 4-8 pixels of a face of 512; NaN for those it has no room for."""

    @property
    def named(self) -> bool:
        pairs = [self.swapped] + ([self.restored] if self.restored else [])
        return all(abs(found - true) <= 0.5 for found, true in pairs)

    @property
    def reached(self) -> bool:
        """Whether every band from 1 pixel on is within 1 dB, for a face that has any texture to work with."""
        return self.hopeless or all(abs(value) <= 1 for value in self.bands[1:] if not np.isnan(value))

    @property
    def hopeless(self) -> bool:
        """Too soft, and nothing restored: no gain draws what is not there."""
        return self.share is None and self.swapped[1] < SOFT

    @property
    def best(self) -> bool:
        return self.share is None or abs(self.blended) <= min(map(abs, self.folk)) + 0.05


def judge(case: Case, restored: list[float] = ANY, frames: int = 3) -> Verdict:
    """Fit and finish a case on a few frames that differ in their grain."""
    of = case.of
    shape = of.image.shape[:2]
    matte = layers(of.points, shape, None, lambda: of.image, {}, [], MATTE)["matte"]
    change = None if case.restored is None else tinted(case.restored) - tinted(case.swapped)
    laid = match.Laid(tinted(case.swapped), change)
    samples = [
        match.Sample(of.image + grain(shape, frame), laid, matte, match.Moment(frame, of.points, 100 + frame))
        for frame in range(frames)
    ]
    fitted = match.fit(samples, MATCH | {"restored": restored})
    area = patches.patches(of.points, shape) & (matte > patches.LAID)

    def measured(new: Image, sample: match.Sample) -> dict[str, float]:
        return measures.texture_index(sample.crop, new, area, of.size)

    def index(new: Image) -> tuple[float, float]:
        values = [measured(new + grain(shape, 50 + s.moment.frame), s)["texture_index"] for s in samples]
        return float(np.median(values)), truth(new, of, grain(shape, 77), area)

    def finished(fitted: dict[str, object]) -> dict[str, float]:
        """What is measured on finished frames, median."""
        rows = []
        for one in samples:
            result, weight = match.finish(one.crop, one.face, one.matte, one.moment, fitted, COMPOSITE)
            rows.append(measured(one.crop + weight[..., None] * (result - one.crop), one))
        return {key: float(np.median(np.array([row[key] for row in rows], np.float64))) for key in rows[0]}

    def at(share: float | None) -> float:
        """Index of the finish at a share without gains."""
        plain = {"gain": [1.0, 1.0], "restored": [share or 0.0] * 2}
        return finished(match.fit(samples, MATCH | plain))["texture_index"]

    done = finished(fitted)
    share = fitted["restored"]["share"] if fitted["restored"] else None
    return Verdict(
        index(case.swapped),
        None if case.restored is None else index(case.restored),
        share,
        at(share),
        [] if share is None else [at(folk) for folk in FOLK],
        fitted["texture"]["gains"],
        [done[f"texture_{end}"] for end in (1, 2, 4, 8)],
    )


def line(case: Case, found: Verdict) -> str:
    """One row of the table."""
    pairs = [found.swapped, found.restored]
    told = [f"{a:+.1f} ({b:+.1f})" if (a, b) != (0, 0) else "" for a, b in (pair or (0, 0) for pair in pairs)]
    share = "" if found.share is None else f"{found.share:.2f}"
    folk = " / ".join(f"{value:+.1f}" for value in found.folk)
    gains = " ".join(f"{value:.2f}" for value in found.gains)
    bands = " ".join("-" if np.isnan(value) else f"{value:+.1f}" for value in found.bands)
    cells = [case.face, case.words, *told, share, f"{found.blended:+.1f}", folk, gains, bands]
    return "| " + " | ".join(cells) + " |"


HEAD = """\
| face | new face | swapped (truth) | restored (truth) | share | at it | at .65 / .75 / .80 | gains | finished by band |
|---|---|---|---|---|---|---|---|---|"""


def main() -> int:
    cv2.setNumThreads(1)
    print(HEAD)
    missed = []
    for case in cases():
        found = judge(case)
        print(line(case, found), flush=True)
        marks = {"index": found.named, "bands": found.reached, "share": found.best}
        missed += [f"{case.face}, {case.words}: {name}" for name, held in marks.items() if not held]
    print("\nall lines hold" if not missed else "\nMISSED\n" + "\n".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
