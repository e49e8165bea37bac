"""Stage `talent`: the one face on each of a talent's pictures, and what recognisers say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from understudy.errors import FaceError
from understudy.faces.detect import Face
from understudy.faces.identity import identity, quality
from understudy.media.stills import read_picture
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.stages.finding import Finder
from understudy.stages.networks import network_of


def talent(job: Job) -> Facts:
    """Find the talent's face on every picture, and measure its vector with every recogniser that a swapper is fed by.

    Raises
    ------
    FaceError
        When a picture shows no face or more than one, or the pictures are not of one person.
    """
    name, pictures = job.subject["talent"], job.inputs["pictures"]
    finder = Finder(job, job.settings["look"])
    images = [read_picture(path) for path in pictures]
    where = f"talent {name}"
    found = [only_face(finder, image, path, where) for image, path in zip(images, pictures, strict=True)]
    arrays: dict[str, Any] = {}
    for index, face in enumerate(found):
        arrays |= {f"points{index}": face.points, f"light{index}": face.light, f"five{index}": face.five}
    strangers: dict[str, list[str]] = {}
    for recogniser in (weights.card.name for weights in job.weights.values() if weights.card.role == "recogniser"):
        from understudy.faces.recognise import Recogniser

        network = Recogniser(network_of(job, recogniser))
        crops = [network.crop(image, face.five) for image, face in zip(images, found, strict=True)]
        worth = np.array([quality(face, crop) for face, crop in zip(found, crops, strict=True)])
        vectors = network(np.stack(crops))
        one = identity(vectors, worth, [str(path) for path in pictures], where)
        arrays[f"vectors.{recogniser}"] = vectors
        # A picture of somebody else says nothing of the talent, whatever it is worth as a picture.
        arrays["quality"] = one.weights
        strangers[recogniser] = [str(path) for path, counts in zip(pictures, one.weights, strict=True) if not counts]
    np.savez(job.folder / "atlas.npz", allow_pickle=False, **arrays)
    return {"talent": name, "pictures": [str(path) for path in pictures], "left out": strangers}


def only_face(finder: Finder, image: np.ndarray, path: Path, where: str) -> Face:
    """The one face of a picture. Raises FaceError where there is none, or more than one."""
    faces = finder.faces(image, finder.look)
    if len(faces) != 1:
        seen = f"{len(faces)} faces" if faces else "no face"
        raise FaceError(
            f"{seen} found, where exactly one is needed",
            where=f"{where}, picture {path}",
            fix="crop the picture to the one face, or take another one",
        )
    return faces[0]
