"""Cards and generated networks of the contracts that detectors, recognisers and landmarkers have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from networks import network, node, save
from understudy.runtime.cards import ModelCard, model_card


def card(
    name: str,
    role: str,
    family: str,
    image: Mapping[str, Any],
    outputs: Mapping[str, Mapping[str, Any]],
    **more: Any,
) -> ModelCard:
    """A card with one picture as input."""
    entry = {
        "role": role,
        "family": family,
        "file": f"{name}.onnx",
        "sources": [],
        "licence": "none",
        "evidence": "made by a test",
        "uses": ["test"],
        "inputs": {"image": {"kind": "image", "dtype": "float32", "layout": "nchw"} | dict(image)},
        "outputs": {ours: {"dtype": "float32"} | dict(one) for ours, one in outputs.items()},
    }
    return model_card(name, entry | more)


def raws(shapes: Sequence[Sequence[int | None]]) -> dict[str, dict[str, Any]]:
    """Outputs of kind ``raw``, in the order of the file."""
    return {f"o{index}": {"index": index, "kind": "raw", "shape": list(s)} for index, s in enumerate(shapes)}


def retinaface_card(strides: Sequence[int] = (8, 16, 32), anchors: int = 2) -> ModelCard:
    """The contract of InsightFace's detectors: (x - 127.5) / 128 in RGB, three tensors for each stride."""
    image = {"index": 0, "shape": [1, 3, None, None], "order": "rgb", "scale": 255, "mean": 127.5, "std": 128}
    outputs = raws([[None, width] for width in (1, 4, 10) for _ in strides])
    settings = {"strides": list(strides), "anchors": anchors}
    return card("scrfd", "detector", "retinaface", image, outputs, settings=settings)


def retinaface_file(
    path: Path, seed: int = 0, strides: Sequence[int] = (8, 16, 32), anchors: int = 2
) -> Path:
    """A network of that contract: every cell's mean colour through random weights."""
    random = np.random.default_rng(seed)
    nodes, constants, outputs = [], {}, {}
    for kind, width in (("score", 1), ("box", 4), ("keys", 10)):
        for stride in strides:
            name = f"{kind}{stride}"
            spread = {"score": 2.5, "box": 0.3, "keys": 1.0}[kind]
            weights = random.normal(0, spread, (anchors * width, 3, 1, 1))
            if kind == "score":
                # The black around the picture must be no face: its cells would all have one score.
                weights += 2.0 - weights.mean(axis=1, keepdims=True)
            constants[f"w{name}"] = weights.astype(np.float32)
            offset = {"score": -1.5, "box": 6.0, "keys": 0.0}[kind]
            constants[f"b{name}"] = np.full(anchors * width, offset, np.float32)
            constants[f"s{name}"] = np.array([-1, width])
            pool = node(
                "AveragePool", ["image"], [f"p{name}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            )
            nodes += [pool, node("Conv", [f"p{name}", f"w{name}", f"b{name}"], [f"c{name}"])]
            bend = {"score": "Sigmoid", "box": "Softplus", "keys": "Identity"}[kind]
            nodes += [node(bend, [f"c{name}"], [f"a{name}"])]
            nodes += [node("Transpose", [f"a{name}"], [f"t{name}"], perm=[0, 2, 3, 1])]
            nodes += [node("Reshape", [f"t{name}", f"s{name}"], [name])]
            outputs[name] = ([f"n{name}", width], "float32")
    model = network({"image": ([1, 3, "h", "w"], "float32")}, outputs, nodes, constants)
    return save(model, path)


def recogniser_card(name: str = "arcface", width: int = 512) -> ModelCard:
    """ArcFace's contract: RGB, x / 127.5 - 1, 112 pixels."""
    image = {"index": 0, "shape": [1, 3, 112, 112], "order": "rgb", "mean": 0.5, "std": 0.5}
    outputs = {"embedding": {"index": 0, "kind": "vector", "shape": [1, width]}}
    return card(name, "recogniser", "arcface", image, outputs, template="arcface_112_v2", size=112)


def landmarks_card(size: int = 192, width: int = 212) -> ModelCard:
    """InsightFace's contract: RGB, (x - 127.5) / 128."""
    image = {"index": 0, "shape": [1, 3, size, size], "order": "rgb", "scale": 255, "mean": 127.5, "std": 128}
    outputs = {"landmarks": {"index": 0, "kind": "raw", "shape": [1, width]}}
    return card("landmarks", "landmarker", "insightface_landmarks", image, outputs)


def linear_file(path: Path, size: int, width: int, seed: int = 0, gain: float = 1.0) -> Path:
    """A network of a picture [1, 3, size, size] to ``width`` numbers: means of 36 tiles, mixed at random."""
    weights = np.random.default_rng(seed).normal(0, gain / 10, (108, width)).astype(np.float32)
    tile = size // 6
    pool = node("AveragePool", ["image"], ["tiles"], kernel_shape=[tile] * 2, strides=[tile] * 2)
    crop = {"starts": np.array([0, 0]), "ends": np.array([6, 6]), "axes": np.array([2, 3])}
    nodes = [pool, node("Slice", ["tiles", *crop], ["part"]), node("Flatten", ["part"], ["flat"])]
    nodes += [node("MatMul", ["flat", "weights"], ["out"])]
    model = network(
        {"image": ([1, 3, size, size], "float32")},
        {"out": ([1, width], "float32")},
        nodes,
        crop | {"weights": weights},
    )
    return save(model, path)
