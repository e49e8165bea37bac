"""Stage `talent`: the one face on each of a talent's pictures."""

from __future__ import annotations

import numpy as np

from understudy.errors import FaceError
from understudy.faces.detect import find_faces
from understudy.faces.networks import BlazeFace, FaceMesh
from understudy.media.stills import read_picture
from understudy.runtime.job import Job
from understudy.runtime.records import Facts


def talent(job: Job) -> Facts:
    """Find the talent's face on every picture.

    Raises
    ------
    FaceError
        When a picture shows no face, or more than one.
    """
    name = job.subject["talent"]
    detector, landmarker = BlazeFace(job.file("detector")), FaceMesh(job.file("landmarker"))
    arrays, pictures = {}, job.inputs["pictures"]
    for index, path in enumerate(pictures):
        faces = find_faces(read_picture(path), detector, landmarker, job.settings)
        if len(faces) != 1:
            seen = f"{len(faces)} faces" if faces else "no face"
            raise FaceError(
                f"{seen} found, where exactly one is needed",
                where=f"talent {name}, picture {path}",
                fix="crop the picture to the talent's face, or take another one",
            )
        arrays[f"points{index}"], arrays[f"light{index}"] = faces[0].points, faces[0].light
    np.savez(job.folder / "atlas.npz", allow_pickle=False, **arrays)
    return {"talent": name, "pictures": [str(path) for path in pictures]}
