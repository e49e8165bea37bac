"""How stages come by ONNX networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.runtime.job import Job
from understudy.runtime.sessions import Device

if TYPE_CHECKING:
    from understudy.runtime.network import Network


def device_of(job: Job, *, half: bool = False) -> Device:
    """Where the job's networks run, and how precisely."""
    return Device(**job.device, fp16=half)


def network_of(job: Job, name: str) -> Network:
    """A model of the job, loaded and checked against its card."""
    # A job without networks does not load what runs them.
    from understudy.runtime.network import Network

    weights = job.weights[name]
    return Network(weights.card, weights.file, device_of(job))
