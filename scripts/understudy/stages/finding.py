"""How stages find faces: the networks that a look names, put together once per job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from understudy.faces.boxes import Detector, Image
from understudy.faces.detect import Face, find_faces
from understudy.faces.networks import BlazeFace, FaceMesh
from understudy.runtime.job import Job
from understudy.show.models import DETECTOR, LANDMARKER
from understudy.stages.networks import network_of


def mesh_of(job: Job) -> FaceMesh:
    """The network of 468 points."""
    return FaceMesh(job.weights[LANDMARKER].file)


class Finder:
    """Detector, mesh, and whatever else a look has for points and vectors.

    Parameters
    ----------
    look:
        Settings of the stage ``detect``.

    Attributes
    ----------
    look:
        The same.
    mesh:
        The network of 468 points.
    """

    def __init__(self, job: Job, look: Mapping[str, Any]) -> None:
        self.mesh = mesh_of(job)
        self.look = look
        self._analysis: Any = None
        self._detector: Detector = self._detector_of(job)
        self._landmarker: Any = None
        if look["landmarker"]:
            from understudy.faces.landmarkers import landmarker

            self._landmarker = landmarker(network_of(job, look["landmarker"]))
        self._recogniser: Any = None
        if look["recogniser"]:
            from understudy.faces.recognise import Recogniser

            self._recogniser = Recogniser(network_of(job, look["recogniser"]))

    def faces(self, image: Image, now: Mapping[str, Any]) -> list[Face]:
        """Every face of a picture, uint8 or float32 display RGB, with the five points and the vector of the look.

        Parameters
        ----------
        now:
            The look's settings as they hold on this frame.
        """
        look = self.look
        own = look["five"] == "detector"
        found = find_faces(image, self._detector, self.mesh, now, "detector" if own else "mesh")
        if look["five"] == "landmarker":
            from understudy.faces.landmarkers import with_five

            found = with_five(image, found, self._landmarker, look["landmark_score"])
        if self._recogniser is not None:
            from understudy.faces.recognise import with_embeddings

            return with_embeddings(image, found, self._recogniser)
        return found if self._analysis is None else self._analysis.with_embeddings(image, found)

    def _detector_of(self, job: Job) -> Detector:
        look = self.look
        if look["faces"] == "cards":
            from understudy.faces.detectors import CardDetector

            networks = [network_of(job, name) for name in look["detectors"]]
            return CardDetector(networks, look["sizes"], look["margin"], look["angles"])
        if look["faces"] == "insightface":
            self._analysis = _analysis(job, look)
            return self._analysis
        return BlazeFace(job.weights[DETECTOR].file)


def _analysis(job: Job, look: Mapping[str, Any]) -> Any:
    """Insightface's own analysis, shown the members of its pack as a folder of their own."""
    from understudy.faces.insight import Analysis
    from understudy.runtime.network import Device

    with TemporaryDirectory() as folder:
        for name in look["members"]:
            path = job.weights[name].file
            (Path(folder) / path.name).symlink_to(path.absolute())
        return Analysis(Path(folder), look["sizes"], Device(**job.device))
