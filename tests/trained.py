"""A swapper of inswapper's contract that has really learned: NumPy, gradients by hand, about a minute.

It learns from the demo's two portraits, moved and lit at random: shown one of the two and the latent of one of the two,
it has to give the picture of whom the latent means, lying and lit as what it was shown. Seven thousand parameters:

- a 3x3 convolution to eight channels, each normalised over the picture, then scaled and moved by the latent (AdaIN,
  Huang and Belongie 2017), rectified, and a 3x3 convolution back to three;
- six pictures of 16 x 16, enlarged to the crop and mixed by the latent;
- the latent reaches both through a bottleneck of four numbers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import generated
import plates
from understudy.comp.lay import take
from understudy.engines.latent import mapped
from understudy.faces.align import similarity

F32 = NDArray[np.float32]

SIDE, CHANNELS, PATCH, PICTURES, NECK = 128, 8, 16, 6, 4
PEOPLE = "hopper", "astronaut"
FIVES = {
    "hopper": [(219.5, 191.6), (308.5, 188.3), (268.3, 244.8), (231.5, 277.6), (304.2, 274.4)],
    "astronaut": [(203.4, 101.7), (247.0, 104.0), (222.8, 131.5), (200.9, 139.2), (246.0, 141.9)],
}
"""Five points of the demo's portraits, in their pixels, as the embedded networks find them: a show finds the same."""


@dataclass(frozen=True)
class Report:
    """How it went: mean squared error on pictures that were held back, of the network and of its untouched input."""

    before: float
    after: float
    untouched: float
    parameters: int


def face(person: str, jitter: F32 | None = None, gain: F32 | None = None, side: int = SIDE) -> F32:
    """A portrait's aligned crop [side, side, 3], its points moved by ``jitter`` [5, 2] in IOD, and channel gains."""
    five = np.array(FIVES[person])
    if jitter is not None:
        five = five + jitter * np.hypot(*(five[1] - five[0]))
    template = "arcface_128" if side == SIDE else "arcface_112_v2"
    crop = np.clip(take(plates.portrait(person), similarity(five, template, side), side), 0, 1)
    return crop if gain is None else np.clip(crop * gain, 0, 1)


def embedding(person: str, jitter: F32 | None = None) -> F32:
    """What `generated.recogniser` says of a portrait, [512], by its formula."""
    crop = face(person, jitter, side=112) * 2 - 1
    grid = crop.reshape(4, 28, 4, 28, 3).mean(axis=(1, 3))
    return grid.transpose(2, 0, 1).reshape(-1) @ generated.impressions()


def moved(rng: np.random.Generator) -> F32:
    """A random turn, size and place of five points, as an offset in IOD [5, 2]."""
    five = np.array(FIVES["hopper"])
    five = (five - five.mean(axis=0)) / np.hypot(*(five[1] - five[0]))
    angle, size = rng.normal(0, 0.06), np.exp(rng.normal(0, 0.04))
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (five @ turn.T + rng.normal(0, 0.03, 2) - five).astype(np.float32)


def examples(count: int, seed: int) -> tuple[F32, F32, F32]:
    """What is shown [n, 3, 128, 128], the latent [n, 512], and what is wanted [n, 3, 128, 128]."""
    rng = np.random.default_rng(seed)
    shown, latents, wanted = [], [], []
    emap = generated.emap()
    for index in range(count):
        performer, talent = PEOPLE[index % 2], PEOPLE[index // 2 % 2]
        jitter = moved(rng)
        gain = (np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.05, 3))).astype(np.float32)
        shown.append(face(performer, jitter, gain))
        wanted.append(face(talent, jitter, gain))
        latents.append(mapped(embedding(talent, moved(rng))[None], emap)[0])
    layout = (0, 3, 1, 2)
    return np.stack(shown).transpose(layout), np.stack(latents), np.stack(wanted).transpose(layout)


def enlargement() -> F32:
    """[128, 16]: linear interpolation of 16 numbers at 128 places, ends repeated."""
    at = np.clip((np.arange(SIDE) + 0.5) * PATCH / SIDE - 0.5, 0, PATCH - 1)
    return np.maximum(1 - np.abs(at[:, None] - np.arange(PATCH)), 0).astype(np.float32)


def parameters(seed: int = 0) -> dict[str, F32]:
    """All that is learned, at its start."""
    rng = np.random.default_rng(seed)

    def normal(scale: float, *shape: int) -> F32:
        return rng.normal(0, scale, shape).astype(np.float32)

    return {
        "neck": normal(1.0, generated.DIM, NECK),
        "first": normal(0.3, CHANNELS, 3, 3, 3),
        "scale": normal(0.1, NECK, CHANNELS),
        "move": normal(0.1, NECK, CHANNELS),
        "last": normal(0.05, 3, CHANNELS, 3, 3),
        "bias": np.full(3, 0.4, np.float32),
        "mix": normal(0.5, NECK, PICTURES),
        "pictures": normal(0.05, PICTURES, 3, PATCH, PATCH),
    }


def neighbours(image: F32) -> F32:
    """[n, c, h, w] to every pixel's 3 x 3 neighbours, [9 c, n h w], zeros beyond the edge."""
    n, c, h, w = image.shape
    padded = np.pad(image.transpose(1, 0, 2, 3), ((0, 0), (0, 0), (1, 1), (1, 1)))
    shifts = [padded[:, :, y : y + h, x : x + w] for y in range(3) for x in range(3)]
    return np.stack(shifts, axis=1).reshape(9 * c, n * h * w)


def convolve(around: F32, kernel: F32, count: int) -> F32:
    """3 x 3 convolution as networks mean it (no flip) of ``count`` pictures' `neighbours` by [d, c, 3, 3]."""
    made = kernel.reshape(len(kernel), -1) @ around
    return np.ascontiguousarray(made.reshape(len(kernel), count, SIDE, SIDE).swapaxes(0, 1))


def slopes(out: F32, around: F32, kernel: F32) -> F32:
    """Derivative by the kernel of `convolve`, from that by its result [n, d, h, w]."""
    return (out.swapaxes(0, 1).reshape(len(kernel), -1) @ around.T).reshape(kernel.shape)


def gradients(p: dict[str, F32], shown: F32, latent: F32, wanted: F32) -> tuple[float, dict[str, F32]]:
    """Mean squared error of a batch, and its derivative by every parameter."""
    big, count = enlargement(), len(shown)
    neck = latent @ p["neck"]
    around = neighbours(shown)
    raw = convolve(around, p["first"], count)
    middle = raw.mean(axis=(2, 3), keepdims=True)
    spread = np.sqrt(raw.var(axis=(2, 3), keepdims=True) + 1e-4)
    even = (raw - middle) / spread
    scale, move = (1 + neck @ p["scale"])[..., None, None], (neck @ p["move"])[..., None, None]
    toned = even * scale + move
    lit = np.maximum(toned, 0)
    weights = neck @ p["mix"]
    low = np.tensordot(weights, p["pictures"], 1)
    around_lit = neighbours(lit)
    made = convolve(around_lit, p["last"], count) + p["bias"][:, None, None] + big @ low @ big.T
    error = made - wanted

    d_made = 2 * error / error.size
    d_low = big.T @ d_made @ big
    d_weights = np.tensordot(d_low, p["pictures"], ((1, 2, 3), (1, 2, 3)))
    flipped = p["last"][:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    d_toned = convolve(neighbours(d_made), flipped, count) * (toned > 0)
    d_scale, d_move = (d_toned * even).sum(axis=(2, 3)), d_toned.sum(axis=(2, 3))
    d_even = d_toned * scale
    d_raw = d_even - d_even.mean(axis=(2, 3), keepdims=True)
    d_raw = (d_raw - even * (d_even * even).mean(axis=(2, 3), keepdims=True)) / spread
    d_neck = d_scale @ p["scale"].T + d_move @ p["move"].T + d_weights @ p["mix"].T
    return float((error**2).mean()), {
        "neck": latent.T @ d_neck,
        "first": slopes(d_raw, around, p["first"]),
        "scale": neck.T @ d_scale,
        "move": neck.T @ d_move,
        "last": slopes(d_made, around_lit, p["last"]),
        "bias": d_made.sum(axis=(0, 2, 3)),
        "mix": neck.T @ d_weights,
        "pictures": np.tensordot(weights, d_low, ((0,), (0,))),
    }


def train_swapper(path: Path, steps: int = 300) -> Report:
    """Train, and write the network as an ONNX file of inswapper's contract.

    Its latents are those of `generated.recogniser` through `generated.emap`, so it works in a show whose recogniser is
    that one and whose talent is one of the demo's portraits.
    """
    # In a process of its own, with one thread for matrices: two that wait for each other on a busy machine take twenty
    # times as long.
    root = Path(__file__).resolve().parent.parent
    folders = [str(root / name) for name in ("tests", "scripts", "demo")]
    told = subprocess.run(
        [sys.executable, __file__, str(path), str(steps)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(folders)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return Report(**json.loads(told.stdout))


def learn(path: Path, steps: int, seed: int = 0) -> Report:
    """`train_swapper`, in this process: Adam (Kingma and Ba 2015) on batches of eight."""
    p = parameters(seed)
    first = {name: np.zeros_like(value) for name, value in p.items()}
    second = {name: np.zeros_like(value) for name, value in p.items()}
    held, pool = examples(16, seed + 1), examples(384, seed + 2)
    rng = np.random.default_rng(seed)
    before, _ = gradients(p, *held)
    for step in range(1, steps + 1):
        chosen = rng.choice(len(pool[0]), 8, replace=False)
        _, descent = gradients(p, *(part[chosen] for part in pool))
        rate = 0.01 * min(1, 2 * (1 - step / (steps + 1)))
        for name, slope in descent.items():
            first[name] += 0.1 * (slope - first[name])
            second[name] += 0.001 * (slope**2 - second[name])
            even = first[name] / (1 - 0.9**step), second[name] / (1 - 0.999**step)
            p[name] = (p[name] - rate * even[0] / (np.sqrt(even[1]) + 1e-8)).astype(np.float32)
    after, _ = gradients(p, *held)
    export(p, path)
    return Report(before, after, float(((held[0] - held[2]) ** 2).mean()), sum(v.size for v in p.values()))


def export(p: dict[str, F32], path: Path) -> Path:
    """The same network as ONNX: ``target`` [1, 3, 128, 128], ``source`` [1, 512], ``output``, and the emap last."""
    graph = generated.Graph()
    target = graph.input("target", [1, 3, SIDE, SIDE])
    neck = graph.op("MatMul", graph.input("source", [1, generated.DIM]), graph.constant(p["neck"]))
    spatial = graph.constant([2, 3], dtype=np.int64)

    def by_latent(name: str) -> str:
        return graph.op("Unsqueeze", graph.op("MatMul", neck, graph.constant(p[name])), spatial)

    raw = graph.op("Conv", target, graph.constant(p["first"]), pads=[1, 1, 1, 1])
    away = graph.op("Sub", raw, graph.op("ReduceMean", raw, axes=[2, 3], keepdims=1))
    variance = graph.op("ReduceMean", graph.op("Mul", away, away), axes=[2, 3], keepdims=1)
    even = graph.op("Div", away, graph.op("Sqrt", graph.op("Add", variance, graph.constant(1e-4))))
    scale = graph.op("Add", by_latent("scale"), graph.constant(1.0))
    lit = graph.op("Relu", graph.op("Add", graph.op("Mul", even, scale), by_latent("move")))
    made = graph.op("Conv", lit, graph.constant(p["last"]), graph.constant(p["bias"]), pads=[1, 1, 1, 1])
    weights = graph.op("MatMul", neck, graph.constant(p["mix"]))
    flat = graph.op("MatMul", weights, graph.constant(p["pictures"].reshape(PICTURES, -1)))
    low = graph.op("Reshape", flat, graph.constant([-1, 3, PATCH, PATCH], dtype=np.int64))
    big = enlargement()
    low = graph.op("MatMul", graph.op("MatMul", graph.constant(big), low), graph.constant(big.T))
    graph.constant(generated.emap(), "emap")
    whole = graph.op("Clip", graph.op("Add", made, low), graph.constant(0.0), graph.constant(1.0))
    graph.output(whole, "output", [1, 3, SIDE, SIDE])
    return graph.save(path)


if __name__ == "__main__":
    print(json.dumps(asdict(learn(Path(sys.argv[1]), int(sys.argv[2])))))
