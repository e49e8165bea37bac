"""How stages find faces: the networks that a look names, put together once per job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from understudy.errors import FaceError
from understudy.faces.boxes import Detector, Image, Picture, whole
from understudy.faces.detect import Face, find_faces
from understudy.faces.detectors import CardDetector
from understudy.faces.insight import Analysis
from understudy.faces.landmarkers import landmarker, with_five
from understudy.faces.networks import BlazeFace, FaceMesh
from understudy.faces.recognise import Recogniser, with_embeddings
from understudy.runtime.job import Job
from understudy.show.models import DETECTOR, LANDMARKER
from understudy.stages.networks import device_of, network_of


def mesh_of(job: Job) -> FaceMesh:
    """The network of 468 points."""
    return FaceMesh(job.weights[LANDMARKER].file)


class Finder:
    """Detector, mesh, and whatever else a look has for points and vectors.

    Parameters
    ----------
    look:
        Settings of the stage ``detect``.
    """

    def __init__(self, job: Job, look: Mapping[str, Any]) -> None:
        self._look = look
        self._mesh = mesh_of(job)
        self._detector = _detector(job, look)
        self._landmarker = landmarker(network_of(job, look["landmarker"])) if look["landmarker"] else None
        self._recogniser = Recogniser(network_of(job, look["recogniser"])) if look["recogniser"] else None

    def faces(self, picture: Picture, now: Mapping[str, Any]) -> list[Face]:
        """Every face of a picture, uint8 or float32 display RGB, with the five points and the vector of the look.

        Parameters
        ----------
        now:
            The look's settings as they hold on this frame.
        """
        look = self._look
        own = look["five"] == "detector"
        if not isinstance(self._detector, BlazeFace):
            picture = whole(picture)
        found = find_faces(picture, self._detector, self._mesh, now, "detector" if own else "mesh")
        if look["five"] == "landmarker" and self._landmarker is not None:
            found = with_five(whole(picture), found, self._landmarker, look["landmark_score"])
        if self._recogniser is not None:
            return with_embeddings(whole(picture), found, self._recogniser)
        if isinstance(self._detector, Analysis):
            return self._detector.with_embeddings(whole(picture), found)
        return found

    def only_face(self, image: Image, path: Path, where: str) -> Face:
        """The one face of a picture.

        Raises
        ------
        FaceError
            There is none, or more than one. ``where`` and ``path`` say in which picture.
        """
        faces = self.faces(image, self._look)
        if len(faces) != 1:
            seen = f"{len(faces)} faces" if faces else "no face"
            raise FaceError(
                f"{seen} found, where exactly one is needed",
                where=f"{where}, picture {path}",
                fix="crop the picture to the one face, or take another one",
            )
        return faces[0]


def _detector(job: Job, look: Mapping[str, Any]) -> Detector:
    if look["faces"] == "cards":
        networks = [network_of(job, name) for name in look["detectors"]]
        return CardDetector(networks, look["sizes"], look["margin"], look["angles"])
    if look["faces"] == "insightface":
        # It wants the members of its pack in a folder of their own.
        with TemporaryDirectory() as folder:
            for name in look["members"]:
                path = job.weights[name].file
                (Path(folder) / path.name).symlink_to(path.absolute())
            return Analysis(Path(folder), look["sizes"], device_of(job))
    return BlazeFace(job.weights[DETECTOR].file)
