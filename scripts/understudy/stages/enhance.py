"""Stage `enhance`: the new faces of one chunk, restored at full strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from understudy.engines.base import NewFace
from understudy.faces.align import similarity
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.restore.load import load_restorer
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.stages.crops import Cut, blocks, opened, read_cuts, to_page
from understudy.stages.faces import WHOLE, Restored, before_restoring, new_faces, write_transforms
from understudy.stages.networks import device_of
from understudy.stages.plates import plate_of
from understudy.stages.tracks import Tracks, cast_of


class Enhancer:
    """The restorer of a look, and where its crops lie.

    Parameters
    ----------
    settings:
        Of the stage ``enhance``.
    """

    def __init__(self, job: Job, settings: Mapping[str, Any], cast: Tracks) -> None:
        given = job.weights[settings["model"]]
        device = device_of(job, half=settings["precision"] == "half")
        self._settings, self._tracks = settings, cast
        self._restorer = load_restorer(given.card, given.file, device)
        self._template, self._side = given.card.aligned

    def make(
        self, cuts: Sequence[Cut], images: Sequence[np.ndarray], faces: Sequence[NewFace]
    ) -> list[Restored]:
        """A restored face for every new one.

        Parameters
        ----------
        images:
            Crops of ``cuts``, float32 display [h, w, 3].
        """
        fives = [cut.inside(self._tracks[cut.track].five) for cut in cuts]
        places = [similarity(five, self._template, self._side) for five in fives]
        seen = [
            before_restoring(crop, new, place, self._side)
            for crop, new, place in zip(images, faces, places, strict=True)
        ]
        made = self._restorer.restore(np.stack(seen), self._settings)
        larger = made.shape[1] / self._side
        return [Restored(image, larger * place) for image, place in zip(made, places, strict=True)]


def enhance(job: Job) -> Facts:
    """Restore every new face, page by page with the chunk's crops."""
    source, plate = job.record("crops"), plate_of(job)
    cuts = read_cuts(source)
    if not cuts:
        return {"faces": 0}
    cast, _ = cast_of(job)
    enhancer = Enhancer(job, job.settings, cast)
    places = []
    with (
        opened(source, "crops.tif", cuts) as images,
        new_faces(job.record("faces"), None, cuts) as faces,
        crops.Writer(job.folder / "restored.tif") as pages,
    ):
        for block in blocks(cuts, device_of(job).batch):
            plain = [to_display(images[cut.page], plate) for cut in block]
            for restored in enhancer.make(block, plain, [faces.new(cut, WHOLE) for cut in block]):
                pages.add(to_page(restored.image))
                places.append(restored.transform)
                job.tick(1)
    write_transforms(job.folder, places)
    return {"faces": len(cuts)}
