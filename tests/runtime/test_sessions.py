from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from networks import network, node
from understudy.runtime.sessions import PROVIDERS, REPAIR, Device, out_of_memory, session
from understudy.show.schema import schema


def model() -> bytes:
    shape = (["n", 4], "float32")
    return network({"x": shape}, {"y": shape}, [node("Relu", ["x"], ["y"])]).SerializeToString()


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_that_were_asked_for_and_do_not_spin(threads):
    opened = session(model(), Device(threads=threads), "test")
    options = opened.get_session_options()
    assert options.intra_op_num_threads == threads and options.inter_op_num_threads == 1
    for kind in ("intra", "inter"):
        assert options.get_session_config_entry(f"session.{kind}_op.allow_spinning") == "0"
    assert opened.get_providers() == ["CPUExecutionProvider"]
    assert opened.run(None, {"x": np.array([[-1, 0, 1, 2]], np.float32)})[0].tolist() == [[0, 0, 1, 2]]


def test_every_provider_has_its_repair():
    assert set(PROVIDERS) == set(REPAIR) == {"cpu", "cuda", "tensorrt", "coreml", "directml", "rocm"}
    assert set(PROVIDERS) == set(schema("config")["properties"]["provider"]["enum"])


@pytest.mark.parametrize(
    "message, memory",
    [
        (
            "Non-zero status code returned while running Conv node. CUDA failure 2: out of memory ; GPU=0",
            True,
        ),
        (
            "BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 4294967296",
            True,
        ),
        ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", True),
        ("std::bad_alloc", True),
        ("8007000E Not enough memory resources are available to complete this operation.", True),
        ("CUDNN failure 5003: CUDNN_STATUS_EXECUTION_FAILED", False),
        ("Got invalid dimensions for input: x", False),
        ("CUDA failure 700: an illegal memory access was encountered", False),
    ],
)
def test_what_means_that_memory_ran_out(message, memory):
    assert out_of_memory(RuntimeError(message)) is memory


def test_python_running_out_is_the_same():
    assert out_of_memory(MemoryError())


def test_cards_are_read_without_what_jobs_load():
    """The Snakefile reads cards at every start; onnxruntime alone would take longer than all the rest."""
    code = (
        "import sys; import understudy.runtime.cards;"
        " sys.exit(bool({'numpy', 'onnx', 'onnxruntime', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
