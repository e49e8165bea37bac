from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from networks import network, node, save
from understudy.errors import ModelError
from understudy.runtime import graphs
from understudy.runtime.cards import ModelCard, model_card
from understudy.runtime.network import Network
from understudy.runtime.sessions import Bound, Device, session

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


class Counted:
    """Stands before a network's session; counts the samples of every run, and runs out of memory above `most`."""

    def __init__(
        self, run: Network, most: int = 1000, error: str = "Failed to allocate memory for requested buffer"
    ):
        self.sizes: list[int] = []
        self._inner, self._most, self._error = run._run, most, error
        run._run = self

    def __call__(self, outputs, feed):
        rows = len(feed["target"])
        self.sizes.append(rows)
        if rows > self._most:
            raise RuntimeError(f"[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : {self._error} of size 123")
        return self._inner(outputs, feed)


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
    with pytest.raises(ModelError, match=r"it has no constant 'other' and none of shape \[5, 5\]"):
        run.constant("other", (5, 5))
    with pytest.raises(ModelError, match=r"its constant 'emap' is \[4, 4\], not \[5, 5\]"):
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
    with pytest.raises(ModelError, match=r"it is no ONNX model(.|\n)*snakemake models"):
        Network(swapper_card(), tmp_path / "a.onnx")


def test_self_test(tmp_path):
    Network(swapper_card(), swapper(tmp_path / "a.onnx")).check()
    with pytest.raises(ModelError, match=r"reaches from .*(.|\n)*correct `mean`, `std` or `scale`"):
        Network(swapper_card(), swapper(tmp_path / "b.onnx", gain=255.0)).check()
    with pytest.raises(ModelError, match="output 'image' of a generated input is not finite"):
        Network(swapper_card(), swapper(tmp_path / "c.onnx", gain=np.nan)).check()


def test_what_is_given_must_fit(tmp_path):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    with pytest.raises(ModelError, match="it is given target; it takes target, source"):
        run(target=images())
    with pytest.raises(ModelError, match="disagree on the number of samples: target 3, source 2"):
        run(target=images(), source=vectors(2))
    with pytest.raises(ModelError, match="it is given no samples"):
        run(target=images(0), source=vectors(0))
    with pytest.raises(ModelError, match=r"is given \[3, 3, 8, 8\], its card says \[1, 3, 16, 16\]"):
        run(target=images(size=8), source=vectors())


def mixing(path):
    """Takes half of a mean off each picture that a computed shape, unseen by the rules, spreads over all samples."""
    model = network(
        {"target": (SHAPE, "float32")},
        {"output": (SHAPE, "float32")},
        [
            node("Cast", ["float_shape"], ["shape"], to=7),
            node("Reshape", ["target", "shape"], ["row"]),
            node("ReduceMean", ["row"], ["mean"], axes=[2], keepdims=1),
            node("Unsqueeze", ["mean", "last"], ["high"]),
            node("Mul", ["high", "half"], ["part"]),
            node("Sub", ["target", "part"], ["output"]),
        ],
        {
            "float_shape": np.array([1, 3, -1], np.float32),
            "last": np.array([3]),
            "half": np.float32(0.5),
        },
    )
    return save(model, path)


def book(path):
    return json.loads(path.with_name(f"{path.name}.trials.json").read_text())


def test_a_fixed_graph_runs_in_batches(tmp_path):
    path = swapper(tmp_path / "a.onnx")
    single = Network(swapper_card(), path, Device(batch=1))
    assert single.batch == 1
    run = Network(swapper_card(), path, Device(batch=4))
    assert run.batch == 4
    counted = Counted(run)
    target, source = images(9), vectors(9)
    together = run(target=target, source=source)["image"]
    assert counted.sizes == [4, 4, 1]
    assert np.array_equal(together, single(target=target, source=source)["image"])
    shared = run(target=target, source=source[:1])["image"]
    assert np.array_equal(shared[0], together[0])
    assert shared == pytest.approx(target + source[0] @ SHIFT, abs=1e-6)


def test_one_at_a_time_runs_the_file_as_it_is(tmp_path, monkeypatch):
    path = swapper(tmp_path / "a.onnx")
    monkeypatch.setattr("understudy.runtime.batching.free", None)
    for _ in ("tried", "recalled"):
        run = Network(swapper_card(), path, Device(batch=1))
        assert run.batch == 1
        assert run(target=images(), source=vectors())["image"].shape == (3, SIZE, SIZE, 3)


def test_a_graph_that_mixes_samples_is_found_out_by_running_it(tmp_path):
    path = mixing(tmp_path / "a.onnx")
    run = Network(swapper_card({"target": TARGET}), path)
    assert run.batch == 1
    (trial,) = book(path).values()
    assert not trial["together"] and "run together they are off by" in trial["reason"]
    target = images(3)
    assert run(target=target)["image"] == pytest.approx(
        target - target.mean(axis=(1, 2), keepdims=True) / 2, abs=1e-6
    )


def test_a_graph_that_rules_refuse_runs_one_by_one(tmp_path):
    model = network(
        {"target": (SHAPE, "float32")},
        {"output": (SHAPE, "float32")},
        [node("ReduceMean", ["target"], ["m"], keepdims=1), node("Mul", ["target", "m"], ["output"])],
    )
    path = save(model, tmp_path / "a.onnx")
    run = Network(swapper_card({"target": TARGET}), path)
    assert run.batch == 1 and "reduces over all axes" in next(iter(book(path).values()))["reason"]
    target = images(2)
    assert run(target=target)["image"] == pytest.approx(
        target * target.mean((1, 2, 3), keepdims=True), abs=1e-6
    )


def test_a_file_is_tried_once(tmp_path, monkeypatch):
    path = swapper(tmp_path / "a.onnx")
    Network(swapper_card(), path)
    noted = book(path)
    monkeypatch.setattr(Network, "_try", None)
    assert Network(swapper_card(), path).batch == 8
    # Another card for the same file, or another file of the same name, is another matter.
    with pytest.raises(TypeError):
        Network(swapper_card(outputs={"image": IMAGE | {"mean": 0.5}}), path)
    swapper(path, gain=0.5)
    with pytest.raises(TypeError):
        Network(swapper_card(), path)
    monkeypatch.undo()
    Network(swapper_card(), path)
    assert len(book(path)) == 1 and book(path).keys() != noted.keys()


def test_a_store_that_others_fill_stays_as_it_is(tmp_path, monkeypatch):
    path = swapper(tmp_path / "a.onnx")
    monkeypatch.setattr("understudy.runtime.trials.os.access", lambda *_: False)
    assert Network(swapper_card(), path).batch == 8
    assert [one.name for one in tmp_path.iterdir()] == ["a.onnx"]


def test_damaged_notes_are_named(tmp_path):
    path = swapper(tmp_path / "a.onnx")
    path.with_name("a.onnx.trials.json").write_text('{"x": {"together"')
    with pytest.raises(ModelError, match=r"a\.onnx\.trials\.json: it is damaged(.|\n)*delete it"):
        Network(swapper_card(), path)


@pytest.mark.parametrize(
    "most, sizes", [(3, [8, 4, 2, 2, 2, 2, 1]), (1, [8, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1])]
)
def test_too_little_memory_means_fewer_at_a_time(tmp_path, most, sizes):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    whole = run(target=images(9), source=vectors(9))["image"]
    counted = Counted(run, most)
    assert np.array_equal(run(target=images(9), source=vectors(9))["image"], whole)
    assert counted.sizes == sizes and run.batch == max(1, most // 2 * 2)
    run(target=images(2), source=vectors(2))
    assert max(counted.sizes[len(sizes) :]) <= most


def test_too_little_memory_for_one(tmp_path):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    Counted(run, 0, "CUDA failure 2: out of memory")
    with pytest.raises(
        ModelError, match=r"memory runs out on a single sample(.|\n)*smaller boost"
    ) as refusal:
        run(target=images(), source=vectors())
    assert "model net" in str(refusal.value)


def test_other_failures_of_a_run_are_not_taken_for_memory(tmp_path):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    counted = Counted(run, 0, "CUDNN_STATUS_EXECUTION_FAILED")
    with pytest.raises(ModelError, match=r"it fails: .*CUDNN_STATUS_EXECUTION_FAILED"):
        run(target=images(), source=vectors())
    assert counted.sizes == [3]


def test_on_a_graphics_card_every_run_is_whole(tmp_path, monkeypatch):
    run = Network(swapper_card(), swapper(tmp_path / "a.onnx"))
    target, source = images(11), vectors(11)
    plain = run(target=target, source=source)["image"]
    monkeypatch.setattr("understudy.runtime.network.GRAPHICS", {"cpu"})
    counted = Counted(run, 4)
    assert np.array_equal(run(target=target, source=source)["image"], plain)
    assert counted.sizes == [8, 4, 4, 4]
    assert np.array_equal(run(target=target[:1], source=source[:1])["image"], plain[:1])


def test_memory_that_runs_out_in_the_trial_is_not_noted(tmp_path, monkeypatch):
    path = swapper(tmp_path / "a.onnx")
    opened = Network._open

    def tight(self, model, *, together, half):
        opened(self, model, together=together, half=half)
        Counted(self, 1)

    monkeypatch.setattr(Network, "_open", tight)
    run = Network(swapper_card(), path)
    assert run.batch == 1 and not path.with_name("a.onnx.trials.json").exists()
    assert run(target=images(), source=vectors())["image"].shape == (3, SIZE, SIZE, 3)


def test_buffers_on_the_device(tmp_path):
    """What runs on CUDA, here with the CPU's memory as the device's."""
    path = swapper(tmp_path / "a.onnx", shape=["n", 3, SIZE, SIZE])
    opened = session(path, Device(), "test")
    bound = Bound(opened, "cpu")
    for count in (2, 2, 1):
        feed = {
            "target": np.ascontiguousarray(images(count).transpose(0, 3, 1, 2)) * count,
            "source": vectors(1) * count,
        }
        (expected,) = opened.run(["output"], feed)
        (found,) = bound.run(["output"], feed)
        assert np.array_equal(found, expected)


def conv(path, more=0.0, dtype="float32"):
    """Two convolutions with a bend between, [1, 3, 16, 16] to the same."""
    random = np.random.default_rng(9)
    kernels = {
        "k1": (random.normal(size=(8, 3, 3, 3)) * 0.1).astype(dtype),
        "k2": (random.normal(size=(3, 8, 3, 3)) * 0.1).astype(dtype),
        "more": np.array(more, dtype),
        "less": np.array(round(more), dtype),
    }
    nodes = [
        node("Conv", ["target", "k1"], ["a"], pads=[1] * 4),
        node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "k2"], ["d"], pads=[1] * 4),
        node("Add", ["d", "more"], ["e"]),
        node("Sub", ["e", "less"], ["output"]),
    ]
    return save(network({"target": (SHAPE, dtype)}, {"output": (SHAPE, dtype)}, nodes, kernels), path)


def test_half_precision_inside(tmp_path):
    path = conv(tmp_path / "a.onnx")
    target = images(3)
    whole = Network(swapper_card({"target": TARGET}), path)(target=target)["image"]
    for _ in ("tried", "recalled"):
        run = Network(swapper_card({"target": TARGET}), path, Device(fp16=True))
        half = run(target=target)["image"]
        assert half.dtype == np.float32
        assert 0 < np.abs(half - whole).max() < 0.002
        assert run.batch == 8


def test_half_precision_of_a_file_that_has_it_already(tmp_path):
    path = conv(tmp_path / "a.onnx")
    save(graphs.halved(onnx.load(path)), path)
    kinds = {one.data_type for one in onnx.load(path).graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT16}
    target, card = images(3), swapper_card({"target": TARGET})
    asked = Network(card, path, Device(fp16=True))(target=target)["image"]
    assert np.array_equal(asked, Network(card, path)(target=target)["image"])


def test_half_precision_that_is_too_coarse(tmp_path):
    # Half precision has steps of 1 at 2000: what is left of 2000.4 - 2000 is 0.
    path = conv(tmp_path / "a.onnx", more=2000.4)
    with pytest.raises(ModelError, match=r"in half precision its outputs are off by .*(.|\n)*leave fp16 off"):
        Network(swapper_card({"target": TARGET}), path, Device(fp16=True))


def test_a_file_in_half_precision_from_end_to_end(tmp_path):
    path = conv(tmp_path / "a.onnx", dtype="float16")
    half = {"dtype": "float16"}
    run = Network(swapper_card({"target": TARGET | half}, {"image": IMAGE | half}), path)
    whole = Network(swapper_card({"target": TARGET}), conv(tmp_path / "b.onnx"))
    found = run(target=images())["image"]
    assert found.dtype == np.float32 and found == pytest.approx(whole(target=images())["image"], abs=0.002)


def test_weights_outside_the_file_are_refused(tmp_path):
    path = conv(tmp_path / "a.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ModelError, match=r"it keeps the weights 'k1' in another file, which no hash covers"):
        Network(swapper_card({"target": TARGET}), path)


def test_a_number_goes_to_all_samples(tmp_path):
    model = network(
        {"input": (SHAPE, "float32"), "weight": ([1], "float64")},
        {"output": (SHAPE, "float32")},
        [node("Cast", ["weight"], ["w"], to=1), node("Mul", ["input", "w"], ["output"])],
    )
    card = model_card(
        "net",
        REST
        | {
            "role": "restorer",
            "family": "codeformer",
            "inputs": {
                "image": TARGET | {"name": "input"},
                "weight": {"name": "weight", "kind": "scalar", "shape": [1], "dtype": "float64"},
            },
            "outputs": {"image": IMAGE},
        },
    )
    run = Network(card, save(model, tmp_path / "a.onnx"))
    assert run.batch == 8
    assert run(image=images(), weight=0.25)["image"] == pytest.approx(images() / 4)


def test_outputs_without_an_axis_of_samples_are_stacked(tmp_path):
    """As a detector's, whose rows are of one picture."""
    model = network(
        {"input": ([1, 3, "h", "w"], "float32")},
        {"rows": (["m", 3], "float32")},
        [node("Transpose", ["input"], ["t"], perm=[2, 3, 0, 1]), node("Reshape", ["t", "s"], ["rows"])],
        {"s": np.array([-1, 3])},
    )
    card = model_card(
        "net",
        REST
        | {
            "role": "detector",
            "family": "scrfd",
            "inputs": {"image": TARGET | {"name": "input", "shape": [1, 3, None, None], "order": "bgr"}},
            "outputs": {"rows": {"index": 0, "kind": "raw", "shape": [None, 3]}},
        },
    )
    run = Network(card, save(model, tmp_path / "a.onnx"))
    rows = run(image=images(2))["rows"]
    assert run.batch == 1
    assert np.array_equal(rows, images(2)[..., ::-1].reshape(2, SIZE * SIZE, 3))


def test_a_file_for_four_at_a_time_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"is \[4, 3, 16, 16\] in the file, \[1, 3, 16, 16\] on its card"):
        Network(swapper_card(), swapper(tmp_path / "a.onnx", shape=[4, 3, SIZE, SIZE]))


def test_a_card_without_tensors_is_not_run(tmp_path):
    card = model_card("net", REST | {"role": "detector", "family": "blazeface"})
    with pytest.raises(ModelError, match="family blazeface is not run by ONNX Runtime"):
        Network(card, tmp_path / "a.tflite")


def test_a_session_that_runs_elsewhere_is_refused(tmp_path, monkeypatch):
    """onnxruntime lists CUDA but falls back to the CPU with no more than a line in its log."""
    import onnxruntime

    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: asked.append("preload"), raising=False)
    asked: list[object] = []

    def fallen(source, options, providers):
        asked.append(providers)
        return real(source, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", fallen)
    with pytest.raises(
        ModelError,
        match=r"cuda was asked for, the session runs on CPUExecutionProvider(.|\n)*onnxruntime-gpu",
    ):
        Network(swapper_card(), swapper(tmp_path / "a.onnx"), Device("cuda", device_id=1))
    assert asked == ["preload", [("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]]


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"model net: no file .*a\.onnx(.|\n)*snakemake models"):
        Network(swapper_card(), tmp_path / "a.onnx")


def test_what_tensorrt_builds_is_kept_apart_for_every_file(tmp_path, monkeypatch):
    """It goes by the graph alone, and ghost_1 and ghost_2 have the same one."""
    import onnxruntime

    real, folders = onnxruntime.InferenceSession, []

    class Pretending:
        def __init__(self, source, options, providers):
            folders.append(providers[0][1]["trt_engine_cache_path"])
            self._inner = real(source, options, providers=["CPUExecutionProvider"])

        def __getattr__(self, name):
            return getattr(self._inner, name)

        def get_providers(self):
            return ["TensorrtExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["TensorrtExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Pretending)
    monkeypatch.setattr("understudy.runtime.network.Bound", lambda opened, *_: Bound(opened._inner, "cpu"))
    for path, gain in ((tmp_path / "a.onnx", 1.0), (tmp_path / "b.onnx", 0.9)):
        run = Network(swapper_card(), swapper(path, gain=gain), Device("tensorrt"))
        assert run(target=images(), source=vectors())["image"].shape == (3, SIZE, SIZE, 3)
    assert len(set(folders)) == 2 and all(str(tmp_path / "engines") in folder for folder in folders)


def test_a_range_that_is_not_the_cards_shows_when_it_is_loaded(tmp_path):
    """A file that gives -1..1, on a card that says 0..1: the commonest mistake with a new card."""
    model = network(
        {"target": (SHAPE, "float32")},
        {"output": (SHAPE, "float32")},
        [node("Mul", ["target", "two"], ["t"]), node("Sub", ["t", "one"], ["output"])],
        {"two": np.float32(2), "one": np.float32(1)},
    )
    path = save(model, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=r"output 'image' of a generated input reaches from -.* 0 is black"):
        Network(swapper_card({"target": TARGET}), path)
    half = {"image": IMAGE | {"mean": 0.5, "std": 0.5}}
    run = Network(swapper_card({"target": TARGET}, half), path)
    assert run(target=images())["image"] == pytest.approx(images(), abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "spread", "middle"),
    [
        ("RandomNormalLike", {"scale": 0.5}, 0.0),
        ("RandomNormalLike", {"mean": 0.25}, 0.25),
        ("RandomUniformLike", {"low": 0.1, "high": 0.5}, 0.3),
        ("RandomUniformLike", {}, 0.5),
    ],
)
def test_noise_that_a_network_would_draw_is_its_middle(tmp_path, kind, spread, middle):
    """As StyleGAN's in restorers: every run gives the same, whatever ran before it."""
    nodes = [node(kind, ["target"], ["noise"], **spread), node("Add", ["target", "noise"], ["output"])]
    model = network({"target": (SHAPE, "float32")}, {"output": (SHAPE, "float32")}, nodes)
    run = Network(swapper_card(inputs={"target": TARGET}), save(model, tmp_path / "noisy.onnx"))
    for _ in range(2):
        assert run(target=images())["image"] == pytest.approx(images() + middle, abs=1e-6)
