"""Make the demo show's plates, talent pictures and roto: ``python demo/make_plates.py``.

Writes ``demo/plates/{shot}/`` with the plate and ``truth.json`` (see ``plates.truth``), and ``demo/talent/``.
The same call always writes the same pixels.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import OpenImageIO as oiio

import plates

RATE = Fraction(24000, 1001)
SOUND_RATE = 48000
SOUND_CODEC = {".mov": "pcm_s16le", ".mp4": "aac"}


def write_movie(path: Path, frames: Iterable[plates.Image], size: tuple[int, int], seconds: float) -> None:
    """H.264 4:2:0 with long groups of pictures, BT.709 video range, timecode 01:00:00:00 and a soft tone."""
    with av.open(str(path), "w") as container:
        container.metadata["timecode"] = "01:00:00:00"
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.options = {"crf": "12", "preset": "medium", "g": "48", "bf": "3", "threads": "1"}
        video.codec_context.time_base = 1 / RATE
        _tag(video.codec_context)
        sound = container.add_stream(SOUND_CODEC[path.suffix], rate=SOUND_RATE, layout="stereo")
        for number, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(
                np.rint(pixels * 65535.0).astype(np.uint16), format="rgb48le"
            )
            picture = picture.reformat(
                format="yuv420p",
                src_colorspace="ITU709",
                dst_colorspace="ITU709",
                src_color_range="JPEG",
                dst_color_range="MPEG",
            )
            _tag(picture)
            picture.pts, picture.time_base = number, 1 / RATE
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        for block in _tone(seconds, sound.codec_context.format.name):
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))


def write_exr(path: Path, pixels: plates.Image, frame: int) -> None:
    """One half-float EXR of linear light with Rec. 709 primaries, ZIP compressed."""
    height, width = pixels.shape[:2]
    spec = oiio.ImageSpec(width, height, 3, "half")
    spec.attribute("compression", "zip")
    spec.attribute("oiio:ColorSpace", "lin_rec709")
    spec.attribute("FramesPerSecond", "rational", (RATE.numerator, RATE.denominator))
    # A real camera does not write the time of day when the same frame is rendered again.
    spec.attribute("DateTime", "2026:01:01 00:00:00")
    spec.attribute("ImageDescription", f"understudy demo, frame {frame}")
    _write(path, spec, plates.decode(pixels))


def write_png(path: Path, pixels: np.ndarray, kind: str) -> None:
    """An 8 or 16 bit PNG ("uint8", "uint16") of values 0..1, [h, w] or [h, w, 3]."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], channels, kind)
    codes = np.rint(pixels * np.iinfo(kind).max).astype(kind)
    # OpenImageIO takes a grey picture without its third axis for something else.
    _write(path, spec, codes.reshape(pixels.shape[0], pixels.shape[1], channels))


def make_shot(shot: str, folder: Path, frames: int | None, size: tuple[int, int]) -> str:
    """Write one shot's plate, roto and truth into ``folder``; returns what was written, in words."""
    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    plan = plates.PLANS[shot]
    pictures, known = plates.render_shot(shot, frames, size)
    count = len(known["frames"])
    if shot == "sh020":
        for number, pixels in enumerate(pictures, plan.first):
            write_exr(folder / f"{shot}.{number:04d}.exr", pixels, number)
        words = f"{count} EXR frames"
    else:
        name = f"{shot}{'.mov' if shot == 'sh010' else '.mp4'}"
        write_movie(folder / name, pictures, size, count / float(RATE))
        words = f"{name}, {count} frames"
    if plan.hand is not None:
        roto = folder / "roto"
        roto.mkdir(exist_ok=True)
        for index in range(count):
            cover = plates.hand_matte(plan, index, size)
            write_png(roto / f"hand.{plan.first + index:04d}.png", cover, "uint16")
        words += " and the roto of the hand"
    (folder / "truth.json").write_text(json.dumps(known, indent=1) + "\n")
    return f"{shot}: {words}"


def make_talent(folder: Path) -> None:
    """Write the two portraits as the talents' pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("hopper", "astronaut"):
        write_png(folder / f"{name}.png", plates.portrait(name), "uint8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the demo show's plates and talent pictures.")
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--frames", type=int, help="only the first so many frames of each shot")
    parser.add_argument("--size", type=int, nargs=2, default=(960, 540), metavar=("WIDTH", "HEIGHT"))
    options = parser.parse_args(arguments)
    make_talent(options.folder / "talent")
    shots = list(plates.PLANS)
    folders = [options.folder / "plates" / shot for shot in shots]
    work = partial(make_shot, frames=options.frames, size=tuple(options.size))
    # A forked worker would inherit the image library's threads as locks that nobody opens.
    fresh = get_context("spawn")
    with ProcessPoolExecutor(min(len(shots), os.cpu_count() or 1), mp_context=fresh) as pool:
        for line in pool.map(work, shots, folders):
            print(line, flush=True)


def _write(path: Path, spec: Any, pixels: np.ndarray) -> None:
    image = oiio.ImageOutput.create(str(path))
    if image is None or not image.open(str(path), spec):
        raise OSError(f"cannot write {path}: {oiio.geterror()}")
    try:
        if not image.write_image(np.ascontiguousarray(pixels)):
            raise OSError(f"cannot write {path}: {image.geterror()}")
    finally:
        image.close()


def _tag(thing: Any) -> None:
    """BT.709 video range, in the numbers of ITU-T H.273; a tag on the stream alone is lost in some codecs."""
    thing.color_range = 1
    thing.color_primaries = 1
    thing.color_trc = 1
    thing.colorspace = 1


def _tone(seconds: float, kind: str) -> Iterable[av.AudioFrame]:
    """Two soft sines, faded in and out, in blocks of 1024 samples."""
    count = round(seconds * SOUND_RATE)
    time = np.arange(count) / SOUND_RATE
    fade = np.clip(np.minimum(time, seconds - time) / 0.25, 0.0, 1.0)
    left, right = (0.06 * fade * np.sin(2.0 * np.pi * pitch * time) for pitch in (220.0, 277.18))
    stereo = np.stack([left, right])
    for start in range(0, count, 1024):
        block = stereo[:, start : start + 1024]
        if kind == "s16":
            samples = np.rint(block.T.reshape(1, -1) * 32767.0).astype(np.int16)
        else:
            samples = block.astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=kind, layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
        yield frame


if __name__ == "__main__":
    main()
