"""Stage `matte`: the matte layers of one chunk and their combination."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from understudy.comp.lay import back, take
from understudy.comp.matte import layers
from understudy.comp.parsing import harden, lesser, regions
from understudy.faces.align import similarity
from understudy.faces.geometry import iod
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.media.plate import Plate
from understudy.media.roto import Roto
from understudy.runtime.job import Job
from understudy.runtime.network import Network
from understudy.runtime.records import Facts
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, Pages, opened, read_cuts, to_page
from understudy.stages.faces import new_faces
from understudy.stages.networks import network_of
from understudy.stages.plates import plate_of
from understudy.stages.tracks import cast_of

WIDE = "arcface_128"
"""How a crop lies for a network whose card does not say."""


class Seer:
    """A network that sees what may be covered: an occluder, or a parser of which some labels count."""

    def __init__(self, network: Network, labels: Sequence[str] = ()) -> None:
        card = network.card
        self._network, self._labels = network, labels
        self._template, self._side = replace(card, template=card.template or WIDE).aligned

    def __call__(self, crop: np.ndarray, points: np.ndarray, five: np.ndarray) -> np.ndarray:
        """Its hardened matte, float32 [h, w] at the crop's pixels; 1 where it did not look."""
        side, place = self._side, similarity(five, self._template, self._side)
        out = self._network(image=np.clip(take(crop, place, side), 0, 1)[None])
        matte = regions(out["classes"][0], self._labels) if self._labels else out["mask"][0]
        unit = iod(points) * float(np.sqrt(abs(np.linalg.det(place[:, :2]))))
        looked = back(np.ones((side, side), np.float32), place, crop.shape[:2])
        return back(harden(matte, unit), place, crop.shape[:2]) + (1 - looked)


class Seers:
    """All of a look's.

    Parameters
    ----------
    settings:
        Of the stage ``matte``.
    """

    def __init__(self, job: Job, settings: Mapping[str, Any]) -> None:
        self._occluders = [Seer(network_of(job, name)) for name in settings["occluders"]]
        parser = settings["parser"]
        self._parser = Seer(network_of(job, parser), settings["regions"]) if parser else None

    def layers(self, crop: Callable[[], np.ndarray], points: np.ndarray, five: np.ndarray) -> dict[str, np.ndarray]:
        """What they leave of the face, float32 [h, w] at the crop's pixels: ``unoccluded`` and ``regions``."""
        found: dict[str, np.ndarray] = {}
        if self._occluders:
            found["unoccluded"] = lesser([seer(crop(), points, five) for seer in self._occluders])
        if self._parser is not None:
            found["regions"] = self._parser(crop(), points, five)
        return found


def layers_of(
    cut: Cut,
    track: Track,
    crop: Callable[[], np.ndarray],
    engine: np.ndarray,
    seers: Seers,
    roto: Sequence[Roto],
    settings: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """The matte layers of one crop (see `understudy.comp.matte.layers`): networks and imported roto included.

    Parameters
    ----------
    crop:
        Gives the display crop [h, w, 3].
    engine:
        The engine's own matte at the crop's pixels [h, w].
    """
    points = cut.inside(track.points)
    given = [(source.mode, source.read(cut.frame)[cut.region]) for source in roto]
    seen = seers.layers(crop, points, cut.inside(track.five))
    return layers(points, engine.shape, engine, crop, seen, given, settings_at(settings, cut.frame))


def roto_of(settings: Mapping[str, Any], plate: Plate) -> list[Roto]:
    """The imported mattes that the settings of the stage ``matte`` name."""
    return [Roto(pattern, channel, mode, plate) for pattern, channel, mode in settings["roto"]]


def matte(job: Job) -> Facts:
    """Build and store the layers, 16-bit grey, page by page with the chunk's crops."""
    source, plate = job.record("crops"), plate_of(job)
    cuts = read_cuts(source)
    if not cuts:
        return {"mattes": 0}
    cast, _ = cast_of(job)
    roto = roto_of(job.settings, plate)
    seers = Seers(job, job.settings)
    with (
        opened(source, "crops.tif", cuts) as images,
        new_faces(job.record("faces"), None, cuts) as faces,
        crops.Writer(job.folder / "matte.tif") as mattes,
        crops.Writer(job.folder / "face.tif") as hulls,
    ):
        for cut in cuts:
            # Few looks need the crop itself, and those that do may ask for it several times.
            crop = cache(partial(_displayed, images, cut.page, plate))
            made = layers_of(cut, cast[cut.track], crop, faces.matte(cut), seers, roto, job.settings)
            mattes.add(to_page(made["matte"]))
            hulls.add(to_page(made["face"]))
            job.tick(1)
    return {"mattes": len(cuts), "roto": bool(roto)}


def _displayed(images: Pages, page: int, plate: Plate) -> np.ndarray:
    return to_display(images[page], plate)
