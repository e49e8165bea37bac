"""Stage `enhance`: the new faces of one chunk, restored at full strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from understudy.engines.base import NewFace
from understudy.faces.align import similarity
from understudy.faces.files import read_tracks
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.restore.load import load_restorer
from understudy.runtime.cards import Weights
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.runtime.sessions import Device
from understudy.stages.crops import Cut, opened, read_cuts, to_page
from understudy.stages.faces import Restored, before_restoring, new_faces, write_transforms
from understudy.stages.networks import device_of
from understudy.stages.plates import plate_of
from understudy.stages.swap import blocks


class Restorers:
    """One restorer, and where its crops lie.

    Parameters
    ----------
    settings:
        Of the stage ``enhance``.
    """

    def __init__(self, settings: Mapping[str, Any], weights: Mapping[str, Weights], device: Device) -> None:
        given = weights[settings["model"]]
        self._settings = settings
        self._restorer = load_restorer(given.card, given.file, device)
        self._template, self._side = given.card.aligned

    def make(
        self,
        cuts: Sequence[Cut],
        images: Sequence[np.ndarray],
        faces: Sequence[NewFace],
        tracks: Mapping[str, Track],
    ) -> list[Restored]:
        """A restored face for every new one.

        Parameters
        ----------
        images:
            Crops of ``cuts``, float32 display [h, w, 3].
        """
        fives = [tracks[cut.track].five[cut.index] - cut.corner[:2] for cut in cuts]
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
    tracks = {track.id: track for track in read_tracks(job.record("tracks").folder)[0]}
    device = device_of(job, half=job.settings["precision"] == "half")
    restorers = Restorers(job.settings, job.weights, device)
    places = []
    with (
        opened(source, "crops.tif", cuts) as images,
        new_faces(job.record("faces"), None, cuts) as faces,
        crops.Writer(job.folder / "restored.tif") as pages,
    ):
        for block in blocks(cuts, device.batch):
            plain = [to_display(images[cut.page], plate) for cut in block]
            for restored in restorers.make(block, plain, [faces.new(cut) for cut in block], tracks):
                pages.add(to_page(restored.image))
                places.append(restored.transform)
                job.tick(1)
    write_transforms(job.folder, places)
    return {"faces": len(cuts)}
