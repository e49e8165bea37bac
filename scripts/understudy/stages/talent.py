"""Stage `talent`: the one face on each of a talent's pictures, and what recognisers say of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from understudy.faces.identity import identity, quality
from understudy.faces.recognise import Recogniser
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
    found = [finder.only_face(image, path, where) for image, path in zip(images, pictures, strict=True)]
    arrays: dict[str, Any] = {}
    for index, face in enumerate(found):
        arrays |= {f"points{index}": face.points, f"light{index}": face.light, f"five{index}": face.five}
    strangers: dict[str, list[str]] = {}
    for recogniser in (name for name, weights in job.weights.items() if weights.card.role == "recogniser"):
        network = Recogniser(network_of(job, recogniser))
        crops = [network.crop(image, face.five) for image, face in zip(images, found, strict=True)]
        worth = np.array([quality(face, crop) for face, crop in zip(found, crops, strict=True)])
        vectors = network(np.stack(crops))
        one = identity(vectors, worth, [str(path) for path in pictures], where)
        arrays[f"vectors.{recogniser}"] = vectors
        # A picture of somebody else says nothing of the talent, whatever it is worth as a picture.
        arrays[f"quality.{recogniser}"] = one.weights
        strangers[recogniser] = [str(path) for path, counts in zip(pictures, one.weights, strict=True) if not counts]
    np.savez(job.folder / "atlas.npz", allow_pickle=False, **arrays)
    return {"talent": name, "pictures": [str(path) for path in pictures], "left out": strangers}
