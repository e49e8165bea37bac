from __future__ import annotations

import numpy as np
import pytest

from networks import network, node, save
from understudy.errors import ModelError
from understudy.runtime.cards import ModelCard, model_card
from understudy.runtime.network import Device, Network

SIZE = 16
SHAPE = [1, 3, SIZE, SIZE]
REST = {
    "file": "a.onnx",
    "sources": [],
    "licence": "none",
    "evidence": "none",
    "uses": ["test"],
    "size": SIZE,
}
TARGET = {"name": "target", "kind": "image", "shape": SHAPE, "layout": "nchw"}
SOURCE = {"name": "source", "kind": "vector", "shape": [1, 4]}
IMAGE = {"index": 0, "kind": "image", "shape": SHAPE, "layout": "nchw"}
EMAP = np.random.default_rng(7).normal(size=(4, 4)).astype(np.float32)
SHIFT = np.random.default_rng(8).uniform(-0.1, 0.1, size=(4, 3)).astype(np.float32)


def swapper_card(inputs=None, outputs=None, **other) -> ModelCard:
    given = {
        "role": "swapper",
        "family": "inswapper",
        "inputs": {"target": TARGET, "source": SOURCE} if inputs is None else inputs,
        "outputs": {"image": IMAGE} if outputs is None else outputs,
    }
    return model_card("net", REST | given | other)


def swapper(path, names=("target", "source", "output"), shape=SHAPE, dtype="float32", gain=1.0):
    """target * gain + source x SHIFT, a colour shift by the source; an unused constant `emap` lies last."""
    target, source, output = names
    model = network(
        {target: (shape, dtype), source: ([1, 4], dtype)},
        {output: (shape, dtype)},
        [
            node("MatMul", [source, "shift"], ["moved"]),
            node("Reshape", ["moved", "planes"], ["colour"]),
            node("Mul", [target, "gain"], ["scaled"]),
            node("Add", ["scaled", "colour"], [output]),
        ],
        {
            "shift": SHIFT.astype(dtype),
            "planes": np.array([1, 3, 1, 1]),
            "gain": np.array(gain, dtype),
            "emap": EMAP.astype(dtype),
        },
    )
    return save(model, path)


def images(count=3, size=SIZE):
    return np.random.default_rng(1).uniform(0.2, 0.8, (count, size, size, 3)).astype(np.float32)


def vectors(count=3):
    return np.random.default_rng(2).normal(size=(count, 4)).astype(np.float32)


def test_it_runs_by_our_names(tmp_path):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    target, source = images(), vectors()
    result = run(target=target, source=source)
    assert list(result) == ["image"] and result["image"].dtype == np.float32
    assert result["image"] == pytest.approx(target + (source @ SHIFT)[:, None, None], abs=1e-6)


def test_one_source_serves_all_targets(tmp_path):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    target, source = images(), vectors(1)
    assert run(target=target, source=source)["image"] == pytest.approx(
        target + (source @ SHIFT)[:, None, None], abs=1e-6
    )


def test_tensors_by_index(tmp_path):
    path = swapper(tmp_path / "a.onnx", names=("input_1", "onnx::Gemm_1", "781"))
    by_place = {
        "target": TARGET | {"name": None, "index": 0},
        "source": SOURCE | {"name": None, "index": 1},
    }
    run = Network(swapper_card(by_place), path)
    assert run(target=images(), source=vectors())["image"].shape == (3, SIZE, SIZE, 3)


def test_constants_by_name_then_by_shape(tmp_path):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    assert np.array_equal(run.constant("emap", (4, 4)), EMAP)
    assert np.array_equal(run.constant("other", (4, 4)), EMAP)
    assert np.array_equal(run.constant(None, (4, 3)), SHIFT)
    with pytest.raises(ModelError, match=r"it needs a constant \[5, 5\]; there is none of that shape"):
        run.constant("other", (5, 5))
    with pytest.raises(ModelError, match=r"there is one named 'emap', it has shape \[4, 4\]"):
        run.constant("emap", (5, 5))


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"target": TARGET}, "the file also wants 'source', which its card does not name"),
        (
            {"target": TARGET | {"name": "in"}, "source": SOURCE},
            "input 'target' is 'in' on its card; the file's 2 inputs are 'target', 'source'",
        ),
        (
            {"target": TARGET, "source": SOURCE | {"name": None, "index": 2}},
            "input 'source' is number 2 on its card; the file's 2 inputs are 'target', 'source'",
        ),
        (
            {"target": TARGET | {"shape": [1, 3, 32, 32]}, "source": SOURCE},
            "input 'target' ('target') is [1, 3, 16, 16] in the file, [1, 3, 32, 32] on its card",
        ),
        (
            {"target": TARGET, "source": SOURCE | {"dtype": "float16"}},
            "input 'source' ('source') is float32 in the file, float16 on its card",
        ),
    ],
)
def test_a_file_that_is_not_the_cards(tmp_path, inputs, message):
    path = swapper(tmp_path / "a.onnx")
    with pytest.raises(ModelError) as refusal:
        Network(swapper_card(inputs), path)
    assert message in str(refusal.value) and f"model net ({path})" in str(refusal.value)
    assert "correct the card, or bring the file" in str(refusal.value)


def test_an_output_too_many(tmp_path):
    card = swapper_card(outputs={"image": IMAGE, "mask": IMAGE | {"index": 1}})
    with pytest.raises(
        ModelError, match="output 'mask' is number 1 on its card; the file's 1 outputs are 'output'"
    ):
        Network(card, swapper(tmp_path / "a.onnx"))


def test_a_provider_that_is_not_there(tmp_path):
    with pytest.raises(
        ModelError, match=r"cuda was asked for, this onnxruntime .* has only .*CPU(.|\n)*nvidia-smi"
    ):
        Network(swapper_card(), swapper(tmp_path / "a.onnx"), Device("cuda"))
    with pytest.raises(ModelError, match=r"provider 'gpu' is unknown(.|\n)*one of: cpu, cuda"):
        Network(swapper_card(), swapper(tmp_path / "a.onnx"), Device("gpu"))


def test_a_file_that_is_no_network(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"<html>404</html>")
    with pytest.raises(ModelError, match="onnxruntime cannot load it"):
        Network(swapper_card(), tmp_path / "a.onnx")


def test_self_test(tmp_path):
    Network(swapper_card(), swapper(tmp_path / "a.onnx")).check()
    with pytest.raises(
        ModelError, match=r"output 'image' .* reaches from .* correct `mean`, `std` or `scale`|reaches"
    ):
        Network(swapper_card(), swapper(tmp_path / "b.onnx", gain=255.0)).check()
    with pytest.raises(ModelError, match="output 'image' of a generated input is not finite"):
        Network(swapper_card(), swapper(tmp_path / "c.onnx", gain=np.nan)).check()


def test_what_is_given_must_fit(tmp_path):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    with pytest.raises(ModelError, match="it is given target; it takes target, source"):
        run(target=images())
    with pytest.raises(ModelError, match="disagree on the number of samples: target 3, source 2"):
        run(target=images(), source=vectors(2))
    with pytest.raises(ModelError, match=r"is given \[1, 3, 8, 8\], its card says \[1, 3, 16, 16\]"):
        run(target=images(size=8), source=vectors())
