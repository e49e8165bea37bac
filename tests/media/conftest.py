"""Small media, made with PyAV while the tests run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def moving(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Gray planes that tell every frame from every other: a ramp that moves, and noise."""
    rng = np.random.Generator(np.random.PCG64(7))
    ramp = np.add.outer(np.arange(height) * 2, np.arange(width) * 2)
    return [
        ((ramp + 9 * k) % 180 + 30 + rng.integers(0, 8, (height, width))).astype(np.uint8)
        for k in range(count)
    ]


def fill(frame: av.VideoFrame, planes: Sequence[np.ndarray]) -> av.VideoFrame:
    """Copy arrays into the planes of a frame."""
    for part, values in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(part, values.dtype).reshape(-1, part.line_size // values.itemsize)
        rows[: values.shape[0], : values.shape[1]] = values
    return frame


@pytest.fixture
def make_movie(tmp_path: Path) -> Callable[..., Path]:
    """Write a movie; everything a test needs to bend is an argument."""

    def make(
        name: str = "a.mp4",
        count: int = 12,
        *,
        rate: Fraction | int = 25,
        codec: str = "libx264",
        form: str = "yuv420p",
        size: tuple[int, int] = (64, 48),
        planes: Callable[[int], Sequence[np.ndarray]] | None = None,
        times: Sequence[int] | None = None,
        options: dict[str, str] | None = None,
        container: dict[str, str] | None = None,
        timecode: str | None = None,
        tags: tuple[int, int, int, int] | None = None,
        audio: Sequence[tuple[str, int]] = (),
        rotation: int = 0,
        interlaced: bool = False,
    ) -> Path:
        path = tmp_path / name
        width, height = size
        grays = moving(count, width, height)
        with av.open(str(path), "w", options=container or {}) as target:
            if timecode:
                target.metadata["timecode"] = timecode
            stream = target.add_stream(codec, rate=Fraction(rate), options=options or {})
            context = stream.codec_context
            context.width, context.height, context.pix_fmt, context.thread_count = width, height, form, 1
            # Room between two frames, so that a test can move one.
            context.time_base = 1 / (Fraction(rate) * 100)
            if tags:
                context.color_range, context.color_primaries, context.color_trc, context.colorspace = tags
            if rotation:
                stream.set_display_rotation(rotation)
            sounds = []
            for kind, hertz in audio:
                sound = target.add_stream(kind, rate=hertz)
                sound.codec_context.layout = "stereo"
                sounds.append(sound)
            for index in range(count):
                frame = av.VideoFrame(width, height, form)
                if planes:
                    fill(frame, planes(index))
                else:
                    neutral = [np.full((p.height, p.width), 128, np.uint8) for p in frame.planes[1:3]]
                    fill(frame, [grays[index], *neutral])
                frame.pts = times[index] if times else index * 100
                frame.time_base = context.time_base
                if tags:
                    frame.color_range, frame.color_primaries, frame.color_trc, frame.colorspace = tags
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
            rng = np.random.Generator(np.random.PCG64(3))
            for sound in sounds:
                hertz = sound.codec_context.sample_rate
                total, step = round(hertz * count / Fraction(rate)), sound.codec_context.frame_size or 1000
                planar = sound.codec_context.format.is_planar
                for begin in range(0, total, step):
                    length = min(step, total - begin)
                    kind = np.float32 if "flt" in sound.codec_context.format.name else np.int16
                    noise = rng.integers(-9000, 9000, (2, length))
                    samples = (noise / 32768).astype(kind) if kind is np.float32 else noise.astype(kind)
                    if sound.codec_context.format.name.startswith("s32"):
                        samples = noise.astype(np.int32) << 16
                    if not planar:
                        samples = samples.T.reshape(1, -1)
                    block = av.AudioFrame.from_ndarray(
                        np.ascontiguousarray(samples), format=sound.codec_context.format.name, layout="stereo"
                    )
                    block.sample_rate, block.pts, block.time_base = hertz, begin, Fraction(1, hertz)
                    target.mux(sound.encode(block))
                target.mux(sound.encode(None))
        return path

    return make
