"""Stage `matte`: the matte layers of one chunk and their combination."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from understudy.comp.lay import back, take
from understudy.comp.matte import layers
from understudy.comp.parsing import harden, lesser, regions
from understudy.faces.align import similarity
from understudy.faces.files import read_tracks
from understudy.faces.geometry import iod
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.media.plate import Plate
from understudy.media.roto import Roto
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, Pages, opened, read_cuts, to_page
from understudy.stages.faces import new_faces
from understudy.stages.networks import network_of
from understudy.stages.plates import plate_of

if TYPE_CHECKING:
    from understudy.runtime.network import Network

WIDE = "arcface_128"
"""How a crop lies for a network whose card does not say."""


class Seers:
    """The networks of a look that see what may be covered: occluders, and a parser of regions.

    Parameters
    ----------
    settings:
        Of the stage ``matte``.
    """

    def __init__(self, job: Job, settings: Mapping[str, Any]) -> None:
        self._occluders = [network_of(job, name) for name in settings["occluders"]]
        self._parser = network_of(job, settings["parser"]) if settings["parser"] else None
        self._labels: Sequence[str] = settings["regions"]

    def layers(self, crop: Callable[[], np.ndarray], points: np.ndarray, five: np.ndarray) -> dict[str, np.ndarray]:
        """What each leaves of the face, float32 [h, w] at the crop's pixels: ``unoccluded`` and ``regions``."""
        found: dict[str, np.ndarray] = {}
        if self._occluders:
            seen = [_seen(network, crop(), points, five) for network in self._occluders]
            found["unoccluded"] = lesser(seen)
        if self._parser is not None:
            found["regions"] = _seen(self._parser, crop(), points, five, self._labels)
        return found


def _seen(
    network: Network, crop: np.ndarray, points: np.ndarray, five: np.ndarray, labels: Sequence[str] = ()
) -> np.ndarray:
    """The hardened matte of an occluder, or of a parser's labels, at the crop's pixels; 1 where it did not look."""
    side = network.card.size
    assert side is not None
    place = similarity(five, network.card.template or WIDE, side)
    out = network(image=np.clip(take(crop, place, side), 0, 1)[None])
    matte = regions(out["classes"][0], labels) if labels else out["mask"][0]
    unit = iod(points) * float(np.sqrt(abs(np.linalg.det(place[:, :2]))))
    looked = back(np.ones((side, side), np.float32), place, crop.shape[:2])
    return back(harden(matte, unit), place, crop.shape[:2]) + (1 - looked)


class Lazy:
    """A crop of the plate that is read when it is asked for, and once."""

    def __init__(self, images: Pages, page: int, plate: Plate) -> None:
        self._images, self._page, self._plate = images, page, plate

    @cached_property
    def _crop(self) -> np.ndarray:
        return to_display(self._images[self._page], self._plate)

    def __call__(self) -> np.ndarray:
        return self._crop


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
    points, five = track.points[cut.index] - cut.corner, track.five[cut.index] - cut.corner[:2]
    given = [(source.mode, source.read(cut.frame)[cut.region]) for source in roto]
    seen = seers.layers(crop, points, five)
    return layers(points, engine.shape, engine, crop, seen, given, settings_at(settings, cut.frame))


def matte(job: Job) -> Facts:
    """Build and store the layers, 16-bit grey, page by page with the chunk's crops."""
    source, plate = job.record("crops"), plate_of(job)
    cuts = read_cuts(source)
    if not cuts:
        return {"mattes": 0}
    tracks = {track.id: track for track in read_tracks(job.record("tracks").folder)[0]}
    roto = [Roto(pattern, channel, mode, plate) for pattern, channel, mode in job.settings["roto"]]
    seers = Seers(job, job.settings)
    with (
        opened(source, "crops.tif", cuts) as images,
        new_faces(job.record("faces"), None, cuts) as faces,
        crops.Writer(job.folder / "matte.tif") as mattes,
        crops.Writer(job.folder / "face.tif") as hulls,
    ):
        for cut in cuts:
            engine = faces.matte(cut)
            made = layers_of(
                cut, tracks[cut.track], Lazy(images, cut.page, plate), engine, seers, roto, job.settings
            )
            mattes.add(to_page(made["matte"]))
            hulls.add(to_page(made["face"]))
            job.tick(1)
    return {"mattes": len(cuts), "roto": bool(roto)}
