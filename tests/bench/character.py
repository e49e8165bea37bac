"""The plate's character: truth, what is measured, and what is left after the match, on real skin whose truth is known.

    python tests/bench/character.py

prints two tables: the demo's two portraits (the astronaut, scikit-image's; Grace Hopper, matplotlib's) as plates that
are given a known defocus, shutter, sharpening, codec or grain, with the other's portrait laid over them as the new
face; and what each costs for a face of 512 pixels, in milliseconds of CPU.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("scripts", "demo", "tests")]

from people import film, jpeg, onto, person, sample  # noqa: E402
from understudy.comp import match  # noqa: E402
from understudy.comp.camera import character, codec, grain, motion, sharpening  # noqa: E402
from understudy.comp.resample import enlarged, gaussian, warp  # noqa: E402
from understudy.comp.skin import texture  # noqa: E402
from understudy.show.schema import defaults, schema  # noqa: E402

PEOPLE = (("hopper", "astronaut"), ("astronaut", "hopper"))
SETTINGS = defaults(schema("settings"))["match"]
FINISH = {"blend": "multiband", "opacity": 1.0}
SIZE = 212.0
"""Extent of the faces, in pixels: that of the larger portrait."""
MOTIONS = {"12 px across": (12.0, 0.0, 0.0), "10 px down": (2.0, 10.0, 0.0), "11 px and 1 degree": (9.0, -7.0, 1.0)}


def turned(x: float, y: float, degrees: float, points: np.ndarray) -> np.ndarray:
    """The motion that shifts by (x, y) and turns about the nose."""
    turn, centre = np.exp(1j * np.deg2rad(degrees)), complex(*points[1, :2])
    shift = centre * (1 - turn) + complex(x, y)
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def exposed(image: np.ndarray, moved: np.ndarray, shutter: float) -> np.ndarray:
    """What a shutter sees: the mean of 24 moments."""
    times = shutter * ((np.arange(24) + 0.5) / 24 - 0.5)
    return np.mean([warp(image, motion.part(moved, at), image.shape[1::-1]) for at in times], axis=0)


def skin_of(one: match.Sample) -> np.ndarray:
    step = match._step(one.points)
    return enlarged(match._skin(one.matte, one.points), step, one.matte.shape) * (one.matte > 0.9)


def row(kind: str, who: str, truth: object, measured: object, after: object) -> None:
    cells = [kind, who, *(f"{one:.2f}" if isinstance(one, float) else str(one) for one in (truth, measured, after))]
    print("| " + " | ".join(cells) + " |")


def defocus(name: str) -> None:
    image, points = person(name, SIZE)
    one = sample(image, image, points)
    features = ((one.matte > 0.9) * (1 - skin_of(one))).astype(np.float32)
    size = texture.extent(points)

    def lacking(soft: np.ndarray, crisp: np.ndarray, spare: float = 0.0) -> float:
        wanted = texture.energies(soft, features, texture.limits(size))
        return texture.defocus([(texture.luma(crisp), features, size)], [wanted], spare)

    for sigma in (0.0, 0.5, 1.0, 1.5, 2.0):
        plate = gaussian(image, sigma)
        used = lacking(plate, image, texture.CRISPER)
        row("defocus, sigma px", name, sigma, lacking(plate, image), f"{used:.2f} used")


def shutter(name: str, other: str) -> None:
    image, points = person(name, SIZE)
    new = onto(other, points, image.shape)
    matte = (sample(image, new, points).matte > 0.9).astype(np.float32)
    place = turned(3.3, -2.7, 2.0, points)
    rests = points.copy()
    rests[:, :2] = points[:, :2] @ place[:, :2].T + place[:, 2]
    still = np.eye(2, 3)

    def seen(sharp: np.ndarray, angle: float, moved: np.ndarray) -> list[motion.Seen]:
        size = sharp.shape[1::-1]
        blurry = exposed(sharp, moved, angle / 360) if angle else sharp
        rest = motion.Seen(warp(sharp, place, size), warp(matte, place, size), still, rests)
        return [motion.Seen(blurry, matte, moved, points), rest]

    for words, numbers in MOTIONS.items():
        moved = turned(*numbers, points)
        for angle, inherits in ((0, 0), (90, 0), (180, 0), (180, 180)):
            plates, faces = seen(image, angle, moved), seen(new, inherits, moved)
            found = motion.shutter(plates, faces, 0.5)
            after = motion.blurred(faces[0].image, moved, found, points)
            total = motion.open_for(motion.Seen(after, matte, moved, points), faces[1], 1.0)
            kind = f"shutter, degrees; {words}" + ("; the face has it" if inherits else "")
            row(kind, name, angle, f"{360 * found:.0f} lacking", f"{360 * total:.0f}")


def halo(name: str, other: str) -> None:
    image, points = person(name, SIZE)
    new = onto(other, points, image.shape)
    matte = sample(image, new, points).matte
    whole = np.ones_like(matte)

    def over(picture: np.ndarray) -> float:
        step = sharpening.profile([(picture, whole)])
        return 100 * sharpening.overshoot(step) if step is not None else float("nan")

    for amount, radius in ((0.0, 1.0), (0.5, 2.0), (1.0, 2.0), (1.0, 3.0)):
        plate = sharpening.unsharp(image, amount, radius)
        found = sharpening.sharpening([(new, plate, matte)])
        made = over(sharpening.unsharp(image, *found))
        words = f"{found[0]:.2f} at {found[1]:.1f} px" if found[0] else "none"
        row("sharpening: overshoot, %", name, f"{over(plate):.1f} ({amount} at {radius} px)", words, f"{made:.1f}")


def blocks(name: str) -> None:
    image, _ = person(name, SIZE)
    for quality in (0, 25, 50, 75, 85, 92):
        plate = jpeg(image, quality) if quality else image
        found = codec.quality([(plate, (0, 0))])
        made = codec.through(image, (0, 0), found) if found else image
        before, after = (float(texture.luma(one - plate).std()) * 255 for one in (image, made))
        row("JPEG quality; distance to it in 8-bit steps", name, quality, found, f"{after:.2f}, was {before:.2f}")


def noise(name: str, other: str) -> None:
    image, points = person(name, SIZE)
    # The portraits have grain of their own.
    clean, new = (gaussian(one, 2.0) for one in (image, onto(other, points, image.shape)))
    for sigma in (0.0, 0.006, 0.012):
        added = film(clean.shape, sigma, 5) if sigma else np.zeros_like(clean)
        plate = (clean + added).astype(np.float32)
        one, bare = sample(plate, new, points), sample(clean, new, points)
        fitted = match.fit([one], SETTINGS)
        found = grain.measure([(plate, np.maximum(skin_of(one), one.matte == 0).astype(np.float32))])
        measured = float(np.median(found["sigma"])) if found else 0.0
        for mode in ("none", "synthetic", "plate"):
            outs = []
            for each, kind in ((one, mode), (bare, "none")):
                look = FINISH | {"grain": kind}
                made, weight = match.finish(each.crop, each.face, each.matte, each.moment, fitted, look)
                outs.append(each.crop + weight[..., None] * (made - each.crop))
            left = texture.luma(outs[0] - outs[1])
            edge = left[(one.matte > 0.2) & (one.matte < 0.8)].std()
            row(f"grain ({mode}): sigma; on the face, on its edge", name, f"{sigma:.4f}", f"{measured:.4f}",
                f"{left[one.matte > 0.98].std():.4f}, {edge:.4f}")  # fmt: skip


def itself(name: str) -> None:
    image, points = person(name, SIZE)
    plate = np.clip(image + film(image.shape, 0.012, 5), 0, 1)
    one = sample(plate, plate, points)
    made, weight = match.finish(one.crop, one.face, one.matte, one.moment, match.fit([one], SETTINGS), FINISH)
    away = weight[..., None] * np.abs(made - plate)
    row("a face by itself: largest error x 1024", name, 0, "", f"{1024 * float(away.max()):.3f}")


def spent(work: Callable[[], object], times: int = 5) -> float:
    """Milliseconds of CPU, the least of a few times."""
    found = []
    for _ in range(times):
        before = time.process_time()
        work()
        found.append(1000 * (time.process_time() - before))
    return min(found)


def cost() -> None:
    image, points = person("hopper", 512.0)
    new = onto("astronaut", points, image.shape)
    one = sample(image, new, points, motion=turned(0.0, 0.0, 0.0, points))
    skin = skin_of(one)
    nothing = {"focus": [[0, 0.0]], "shutter": 0.0, "sharpening": [0.0, 0.0], "codec": 0}
    box = character.around(one.matte, round(0.3 * match.iod(points)))
    face, corner = np.ascontiguousarray(new[box]), (box[1].start, box[0].start)
    print("\n| what, 512-px face | ms of CPU |\n|---|---|")
    rest = match.Moment(7, points, motion=np.eye(2, 3))
    fast = match.Moment(7, points, motion=turned(16.0, 3.0, 1.0, points))
    for words, moments in (("at rest", [rest] * 12), ("moving", [rest, fast] * 6)):
        shot = [(replace(one, moment=moment), new) for moment in moments]
        ms = spent(lambda shot=shot: character.fit(shot, [skin] * 12, SETTINGS), 2)
        print(f"| match, once per shot: {words} | {ms:.0f} |")
    parts = {
        "nothing found": (nothing, one.moment),
        "defocus, 1 px": (nothing | {"focus": [[0, 1.0]]}, one.moment),
        "shutter of 180 degrees, 16 px a frame": (nothing | {"shutter": 0.5}, fast),
        "shutter of 180 degrees, at rest": (nothing | {"shutter": 0.5}, one.moment),
        "sharpening": (nothing | {"sharpening": [1.0, 2.0]}, one.moment),
        "codec": (nothing | {"codec": 60}, one.moment),
    }
    for words, (found, moment) in parts.items():
        ms = spent(lambda found=found, moment=moment: character.apply(face, found, moment, corner, SETTINGS))
        print(f"| composite, per frame: {words} | {ms:.1f} |")
    grainy = (new + film(new.shape, 0.01, 3)).astype(np.float32)
    model = grain.measure([(grainy, np.ones(grainy.shape[:2], np.float32))])
    inner = character.around(one.matte, 0)
    matte, crop = one.matte[inner], np.ascontiguousarray(grainy[inner])
    for words, plate in (("synthetic", None), ("the plate's own", crop)):
        ms = spent(lambda plate=plate: grain.regrain(crop, matte, matte, model, (0.0, 0.0), 7, plate))
        print(f"| composite, per frame: grain, {words} | {ms:.1f} |")


def main() -> None:
    print("| what | plate | truth | measured | after the match |\n|---|---|---|---|---|")
    for name, other in PEOPLE:
        defocus(name)
        shutter(name, other)
        halo(name, other)
        blocks(name)
        noise(name, other)
        itself(name)
    cost()


if __name__ == "__main__":
    main()
