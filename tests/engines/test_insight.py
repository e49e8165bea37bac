"""insightface's own classes: as an oracle for ours, and as an engine."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
import pytest

import generated
from scene import ARCFACE, FIVE, SWAP, face, plate, shot, talent
from understudy.comp.lay import take
from understudy.engines.load import load_engine
from understudy.engines.onnx import OnnxEngine
from understudy.engines.pages import rim
from understudy.errors import ConfigError, ModelError
from understudy.faces.align import TEMPLATES, similarity
from understudy.runtime.cards import Weights
from understudy.runtime.network import Network

pytest.importorskip("insightface")
SWAPPER = "inswapper_128"


@pytest.fixture
def models(tmp_path: Path, lay_over) -> dict[str, Weights]:
    swapper = generated.inswapper(tmp_path / "swapper.onnx")
    return {
        SWAPPER: lay_over(SWAPPER, swapper),
        ARCFACE: lay_over(ARCFACE, generated.recogniser(tmp_path / "arcface.onnx")),
    }


class Overheard:
    """An ONNX Runtime session that remembers what it was fed and what it answered."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.fed: list[dict[str, np.ndarray]] = []
        self.gave: list[np.ndarray] = []

    def get_inputs(self):
        return self._session.get_inputs()

    def get_outputs(self):
        return self._session.get_outputs()

    def run(self, names, feed):
        self.fed.append(feed)
        answer = self._session.run(names, feed)
        self.gave.append(answer[0])
        return answer


def quietly(call, *arguments, **more):
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **more)


@pytest.mark.parametrize("seed", range(4))
def test_latent_blob_and_output_are_inswappers(seed, models) -> None:
    from insightface.app.common import Face
    from insightface.model_zoo.inswapper import INSwapper

    weights = models[SWAPPER]
    rng = np.random.default_rng(seed)
    codes = rng.integers(30, 200, (128, 128, 3), dtype=np.uint8)
    vector = rng.normal(0, 20 / np.sqrt(512), 512).astype(np.float32)
    session = Overheard(weights.path)
    theirs = quietly(INSwapper, str(weights.path), session)
    # The picture is the crop already: the points lie where their template has them, in their pixels.
    kps = (TEMPLATES["arcface_128"] * 128).astype(np.float32)
    bgr, matrix = quietly(
        theirs.get, codes[..., ::-1].copy(), Face(kps=kps), Face(embedding=vector), paste_back=False
    )
    assert np.abs(matrix - np.eye(2, 3)).max() < 1e-4

    engine = OnnxEngine(Network(weights.card, weights.path), ARCFACE)
    state = engine.prepare(talent(vector[None]), shot(), SWAP)
    crop = codes.astype(np.float32) / np.float32(255)
    (new,) = engine.swap([crop], state, [face(five=kps + 0.5)])

    (fed,), (gave,) = session.fed, session.gave
    assert np.abs(state.source - fed["source"]).max() < 1e-4
    page = take(crop, new.transform, 128)
    assert np.abs(page.transpose(2, 0, 1) - fed["target"][0]).max() < 1e-4
    assert np.abs(new.image.transpose(2, 0, 1) - gave[0]).max() < 1e-4
    # What they hand on is cut to 8 bit, always downwards; ours is not.
    assert (np.floor(new.image * 255 + 1e-2) - bgr[..., ::-1]).max() <= 1
    lost = 255 * new.image - bgr[..., ::-1]
    assert lost.min() > -0.02 and lost.mean() > 0.1


def test_the_crop_lies_where_inswapper_cuts_it(models) -> None:
    from insightface.app.common import Face
    from insightface.model_zoo.inswapper import INSwapper

    # A slope says where every pixel came from, and resampling by any filter keeps it.
    y, x = np.mgrid[:220, :200].astype(np.float32)
    codes = np.stack([x, y, 0 * x + 100], axis=2).astype(np.uint8)
    weights = models[SWAPPER]
    session = Overheard(weights.path)
    theirs = quietly(INSwapper, str(weights.path), session)
    kps = FIVE - 0.5
    quietly(
        theirs.get, codes[..., ::-1].copy(), Face(kps=kps), Face(embedding=np.ones(512, np.float32)), False
    )
    page = take(codes.astype(np.float32) / 255, similarity(FIVE, "arcface_128", 128), 128)
    away = 255 * (page - session.fed[0]["target"][0].transpose(1, 2, 0))[8:-8, 8:-8]
    assert np.abs(away.mean(axis=(0, 1))).max() < 0.05 and np.abs(away).max() < 1


def test_the_engine_runs_both_of_their_networks(models, capsys) -> None:
    engine = load_engine("insightface", SWAPPER, models)
    who = talent(np.zeros((2, 512), np.float32), quality=(0.75, 0.25))
    state = engine.prepare(who, shot(), SWAP)
    crops = [plate(seed=i) for i in range(2)]
    made = engine.swap(crops, state, [face(1), face(2, FIVE + 3)])
    assert capsys.readouterr().out == ""

    vectors = []
    for picture in who.pictures:
        page = take(picture, similarity(FIVE, "arcface_112_v2", 112), 112)
        page = np.rint(page * 255) / 127.5 - 1
        vectors.append(
            page.reshape(4, 28, 4, 28, 3).mean(axis=(1, 3)).transpose(2, 0, 1).ravel()
            @ generated.impressions()
        )
    source = sum(w * v / np.linalg.norm(v) for w, v in zip((0.75, 0.25), vectors, strict=True))
    latent = source / np.linalg.norm(source) @ generated.emap()
    moved = latent / np.linalg.norm(latent) @ generated.colours()
    for crop, new, five in zip(crops, made, (FIVE, FIVE + 3), strict=True):
        transform = similarity(five, "arcface_128", 128)
        assert np.abs(new.transform - transform).max() < 1e-9
        # 8 bit on the way in and on the way out.
        assert np.abs(new.image - (take(crop, transform, 128) + moved)).max() < 2 / 255
        assert np.array_equal(new.matte, rim(128, 0.3))


def test_what_insightface_cannot_do_is_refused(models, tmp_path, lay_over) -> None:
    engine = load_engine("insightface", SWAPPER, models)
    for setting in ({"boost": 256}, {"strength": 0.8}):
        with pytest.raises(ConfigError, match=next(iter(setting))):
            engine.prepare(talent(np.zeros((1, 512), np.float32)), shot(), SWAP | setting)
    with pytest.raises(ConfigError, match="no picture"):
        engine.prepare(talent(fives=()), shot(), SWAP)
    other = generated.Graph()
    target, source = other.input("target", [1, 3, 128, 128]), other.input("source", [1, 512])
    other.constant(generated.emap(), "emap")
    move = other.op(
        "Unsqueeze",
        other.op("MatMul", source, other.constant(0.1 * generated.colours())),
        other.constant([2, 3], dtype=np.int64),
    )
    other.output(other.op("Add", target, move), "output", [1, 3, 128, 128])
    path = other.save(tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="last constant"):
        load_engine("insightface", SWAPPER, models | {SWAPPER: lay_over(SWAPPER, path)})
