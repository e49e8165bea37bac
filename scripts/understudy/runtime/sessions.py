"""ONNX Runtime sessions: where a network runs, and the proof that it really runs there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from understudy.errors import ModelError

PROVIDERS: Final[Mapping[str, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    # ONNX Runtime's own ROCm provider ended with 1.22; MIGraphX is what runs on AMD's cards since.
    "rocm": "MIGraphXExecutionProvider",
}
"""What a profile says to ONNX Runtime's name."""

REPAIR: Final[Mapping[str, str]] = {
    "cpu": "pip install 'onnxruntime>=1.31,<2'",
    "cuda": "install the extra `gpu` alone (pip uninstall onnxruntime, then pip install --force-reinstall --no-deps"
    " onnxruntime-gpu), and look at: nvidia-smi",
    "tensorrt": "install the extra `gpu` and TensorRT's libraries, or write provider: cuda",
    "coreml": "CoreML comes with the onnxruntime of macOS only; elsewhere write provider: cpu",
    "directml": "pip install onnxruntime-directml in place of onnxruntime (Windows only)",
    "rocm": "install AMD's build of onnxruntime with MIGraphX in place of onnxruntime",
}
"""What a profile says to what helps when it cannot be had."""


@dataclass(frozen=True)
class Device:
    """Where networks run.

    Attributes
    ----------
    provider:
        ``cpu``, ``cuda``, ``tensorrt``, ``coreml``, ``directml`` or ``rocm``.
    device_id:
        Which of several cards.
    fp16:
        Half precision inside the network, for small cards; what goes in and out stays as it is.
    batch:
        Most samples run at a time; the runner goes lower where memory does not allow it.
    threads:
        CPU threads. One, unless a person decides otherwise: then no result depends on how many cores there are.
    """

    provider: str = "cpu"
    device_id: int = 0
    fp16: bool = False
    batch: int = 8
    threads: int = 1


GRAPHICS: Final = frozenset(PROVIDERS) - {"cpu"}
"""Providers that search for the fastest kernels anew for every shape."""
_NO_MEMORY: Final = re.compile(
    r"out of memory|not enough memory|failed to allocate|allocation fail|alloc_failed|bad_alloc|bad allocation",
    re.IGNORECASE,
)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of a run says that memory ran out; ONNX Runtime has no type of its own for that."""
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


class Bound:
    """Runs a session with buffers on its device that are kept from run to run.

    What goes in is copied into the same place as long as its shape stays the same; nothing is allocated anew.

    Parameters
    ----------
    kind, device_id:
        The device: ``cuda``, or ``cpu``.
    """

    def __init__(self, opened: Any, kind: str, device_id: int = 0) -> None:
        self._session, self._device = opened, (kind, device_id)
        self._held: dict[str, Any] = {}

    def run(self, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As ``InferenceSession.run``."""
        from onnxruntime import OrtValue

        binding = self._session.io_binding()
        for name, array in feed.items():
            held = self._held.get(name)
            if held is not None and tuple(held.shape()) == array.shape:
                held.update_inplace(array)
            else:
                self._held[name] = OrtValue.ortvalue_from_numpy(array, *self._device)
            binding.bind_ortvalue_input(name, self._held[name])
        for name in outputs:
            binding.bind_output(name, *self._device)
        self._session.run_with_iobinding(binding)
        values: list[NDArray[Any]] = binding.copy_outputs_to_cpu()
        return values


def session(model: Path | bytes, device: Device, where: str, engines: Path | None = None) -> Any:
    """An ``onnxruntime.InferenceSession`` that runs on the provider that was asked for.

    Parameters
    ----------
    model:
        The file, or a serialised model.
    where:
        What messages name.
    engines:
        Folder for what TensorRT builds of this one file in minutes, kept for the next session; None to build anew.

    Raises
    ------
    ModelError
        The provider is unknown, not in this build, or not what the session got; or the file is no network.
    """
    import onnxruntime as ort

    if device.provider not in PROVIDERS:
        raise ModelError(
            f"provider {device.provider!r} is unknown", where=where, fix=f"one of: {', '.join(PROVIDERS)}"
        )
    wanted = PROVIDERS[device.provider]
    if wanted not in ort.get_available_providers():
        raise ModelError(
            f"{device.provider} was asked for, this onnxruntime {ort.__version__} has only"
            f" {', '.join(ort.get_available_providers())}",
            where=where,
            fix=REPAIR[device.provider],
        )
    if device.provider in ("cuda", "tensorrt"):
        ort.preload_dlls()
    source = model if isinstance(model, bytes) else str(model)
    try:
        opened = ort.InferenceSession(source, _options(ort, device), providers=_providers(device, engines))
    except Exception as error:
        # ONNX Runtime's errors share no base but this one.
        raise ModelError(
            f"onnxruntime cannot load it: {' '.join(str(error).split())[:300]}",
            where=where,
            fix="delete the file, then run: snakemake models",
        ) from error
    opened.disable_fallback()
    got = opened.get_providers()
    if got[0] != wanted:
        raise ModelError(
            f"{device.provider} was asked for, the session runs on {got[0]}",
            where=where,
            fix=REPAIR[device.provider],
        )
    return opened


def _options(ort: Any, device: Device) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = device.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A waiting thread that spins takes its core from the jobs beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if device.provider == "directml":
        options.enable_mem_pattern = False
    return options


def _providers(device: Device, engines: Path | None) -> list[Any]:
    """Providers in order of preference, with their options; the CPU takes what the first ones have no kernel for."""
    cuda = ("CUDAExecutionProvider", {"device_id": device.device_id})
    match device.provider:
        case "cpu":
            return [PROVIDERS["cpu"]]
        case "cuda":
            return [cuda, PROVIDERS["cpu"]]
        case "tensorrt":
            kept = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(engines)} if engines else {}
            return [
                (PROVIDERS["tensorrt"], {"device_id": device.device_id} | kept),
                cuda,
                PROVIDERS["cpu"],
            ]
        case "directml" | "rocm":
            return [(PROVIDERS[device.provider], {"device_id": device.device_id}), PROVIDERS["cpu"]]
        case _:
            return [PROVIDERS[device.provider], PROVIDERS["cpu"]]
