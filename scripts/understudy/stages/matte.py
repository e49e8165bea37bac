"""Stage `matte`: the matte layers of one chunk and their combination."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np

from understudy.comp.lay import back, take
from understudy.comp.match import Laid
from understudy.comp.mattes.matte import COARSE, Drawn, changed, layers
from understudy.comp.mattes.occlusion import (
    face_thumb,
    over_crop,
    suspicion,
    suspicion_reference,
    suspicion_score,
)
from understudy.comp.mattes.parsing import harden, lesser, regions
from understudy.comp.mattes.steady import GATE_REACH, alike, gate, steadied
from understudy.comp.resample import enlarged, reduced, warp
from understudy.comp.skin.texture import luma
from understudy.faces import geometry
from understudy.faces.align import similarity
from understudy.faces.geometry import STABLE, iod
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.media.plate import Plate
from understudy.media.roto import Roto
from understudy.runtime.job import Job
from understudy.runtime.network import Network
from understudy.runtime.records import Facts
from understudy.show.mattes import sourced
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, Pages, opened, read_cuts, to_page
from understudy.stages.faces import Faces, new_faces
from understudy.stages.networks import network_of
from understudy.stages.plates import plate_of
from understudy.stages.tracks import Tracks, cast_of

Layers = dict[str, np.ndarray]
Settings = Mapping[str, Any]

WIDE = "arcface_128"
"""How a crop lies for a network whose card does not say."""
SAMPLES = 24
"""Frames of a shot that a track's usual look is taken from."""


@dataclass(frozen=True, eq=False)
class View:
    """One face on one frame; its pictures are read when they are asked for.

    Attributes
    ----------
    points, five:
        Its landmarks in pixels of the crop.
    crop:
        Gives the display crop [h, w, 3].
    engine:
        Gives the engine's own matte at the crop's pixels [h, w].
    new:
        Gives the new face there, before it is matched.
    """

    cut: Cut
    points: np.ndarray
    five: np.ndarray
    crop: Callable[[], np.ndarray]
    engine: Callable[[], np.ndarray]
    new: Callable[[], Laid]


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


class Seen:
    """What is seen of a face in the picture, by the layers that a look gives a source.

    Parameters
    ----------
    settings:
        Of the stage ``matte``.
    """

    def __init__(self, job: Job, settings: Settings) -> None:
        self._settings, self._sourced = settings, sourced(settings)
        self._occluders = [Seer(network_of(job, name)) for name in settings["occluders"]]
        parser = settings["parser"]
        self._parser = Seer(network_of(job, parser), settings["regions"]) if parser else None
        self.suspects = "occlusion" in self._sourced

    def alone(self, view: View) -> Layers:
        """What one frame says for itself, float32 [h, w] at the crop's pixels: all but ``occlusion``."""
        found: Layers = {}
        if self._occluders:
            found["unoccluded"] = lesser(
                [seer(view.crop(), view.points, view.five) for seer in self._occluders]
            )
        if self._parser is not None:
            found["regions"] = self._parser(view.crop(), view.points, view.five)
        if "difference" in self._sourced:
            least = settings_at(self._settings, view.cut.frame)["difference"]
            found["difference"] = changed(view.crop(), view.new().swapped, least, iod(view.points))
        return found

    def apart(self, views: Sequence[View]) -> list[Layers]:
        """What is seen of faces on frames that lie apart, which cannot be steadied by each other."""
        looks = usual_looks(views) if self.suspects else {}
        found = []
        for view in views:
            occlusion = {"occlusion": suspected(view, looks[view.cut.track])} if self.suspects else {}
            found.append(self.alone(view) | occlusion)
        return found


def usual_looks(views: Iterable[View]) -> dict[str, np.ndarray]:
    """Each track's usual look (`comp.mattes.occlusion.suspicion_reference`) by some of its frames."""
    thumbs: dict[str, list[np.ndarray]] = {}
    for view in views:
        thumbs.setdefault(view.cut.track, []).append(_thumb(view))
    return {track: suspicion_reference(np.stack(own)) for track, own in thumbs.items()}


def suspected(view: View, usual: np.ndarray) -> np.ndarray:
    """The layer ``occlusion`` of a face [h, w], by its track's usual look."""
    return over_crop(suspicion(_thumb(view), usual), view.points, view.crop().shape[:2])


def _thumb(view: View) -> np.ndarray:
    return face_thumb(view.crop(), view.points)


def layers_of(view: View, seen: Layers, roto: Sequence[tuple[Roto, Settings]], settings: Settings) -> Layers:
    """The matte layers of one face (see `understudy.comp.mattes.matte.layers`), imported roto included."""
    frame, region, engine = view.cut.frame, view.cut.region, view.engine()
    drawn = [Drawn(source.read(frame)[region], **does) for source, does in roto]
    return layers(view.points, engine.shape, engine, view.crop, seen, drawn, settings_at(settings, frame))


def roto_of(settings: Settings, plate: Plate) -> list[tuple[Roto, Settings]]:
    """The imported mattes that the settings of the stage ``matte`` name, each with what it does to the others."""
    return [
        (
            Roto(entry["pattern"], entry["channel"], plate),
            {key: entry[key] for key in ("mode", "erode", "feather")},
        )
        for entry in settings["roto"]
    ]


class Views:
    """The faces of a chunk and of those beside it.

    Attributes
    ----------
    held:
        Faces that are kept in memory: a window of frames of every track.
    """

    def __init__(self, job: Job, cast: Tracks, plate: Plate, stack: ExitStack) -> None:
        self.held = (2 * job.settings["steady"] + 1) * len(cast)
        self._cast, self._plate, self._stack = cast, plate, stack
        self._sources = list(zip(job.records("crops"), job.records("faces"), strict=True))
        self._cuts = [read_cuts(source) for source, _ in self._sources]
        self._places = {(cut.track, cut.frame): (k, cut) for k, cuts in enumerate(self._cuts) for cut in cuts}
        self.at = lru_cache(self.held)(self._at)
        # A neighbour's new faces are looked at by few.
        self._images, self._faces = cache(self._open_images), cache(self._open_faces)

    def frames(self, track: str) -> list[int]:
        """All frames that a track has a face on, as far as the window reaches."""
        return sorted(frame for name, frame in self._places if name == track)

    def cuts(self, frames: range) -> list[Cut]:
        """The cuts of some frames, in the order of their pages."""
        return [cut for _, cut in self._places.values() if cut.frame in frames]

    def of(self, track: str, frame: int) -> View | None:
        """A face on a frame, if the track has one there."""
        place = self._places.get((track, frame))
        return self.at(place[1]) if place else None

    def _at(self, cut: Cut) -> View:
        source, _ = self._places[cut.track, cut.frame]
        track = self._cast[cut.track]
        # Few looks need the crop itself, and those that do may ask for it several times.
        crop = cache(lambda: to_display(self._images(source)[cut.page], self._plate))
        return View(
            cut=cut,
            points=cut.inside(track.points),
            five=cut.inside(track.five),
            crop=crop,
            engine=lambda: self._faces(source).matte(cut),
            new=lambda: self._faces(source).of(cut).over(crop()),
        )

    def _open_images(self, source: int) -> Pages:
        return self._stack.enter_context(opened(self._sources[source][0], "crops.tif", self._cuts[source]))

    def _open_faces(self, source: int) -> Faces:
        return self._stack.enter_context(new_faces(self._sources[source][1], None, self._cuts[source]))


class Watch:
    """What is seen of each face of a chunk, steadied by the frames around it.

    A chunk's result does not depend on where it begins and ends: usual looks are taken from the whole shot, gates and
    filters look so many frames to either side, beyond the chunk if need be.
    """

    def __init__(self, seen: Seen, views: Views, frames: range, steady: int) -> None:
        self._seen, self._views, self._steady = seen, views, steady
        self._own = lru_cache(views.held)(self._alone)
        self._looks: dict[str, np.ndarray] = {}
        self._gates: dict[tuple[str, int], float] = {}
        for track in sorted({cut.track for cut in views.cuts(frames)} if seen.suspects else ()):
            self._suspect(track, frames)

    def _suspect(self, track: str, frames: range) -> None:
        every = self._views.frames(track)
        chosen = np.unique(np.linspace(0, len(every) - 1, min(SAMPLES, len(every))).round().astype(int))
        some = (self._views.of(track, every[pick]) for pick in chosen)
        self._looks |= usual_looks(view for view in some if view is not None)
        reach = GATE_REACH + self._steady
        around = range(frames.start - reach, frames.stop + reach)
        scores = [self._score(self._views.of(track, frame)) for frame in around]
        self._gates |= {(track, frame): share for frame, share in zip(around, gate(scores), strict=True)}

    def _score(self, view: View | None) -> float:
        """NaN where there is no face."""
        if view is None:
            return float("nan")
        return suspicion_score(suspicion(_thumb(view), self._looks[view.cut.track]))

    def layers(self, view: View) -> Layers:
        """The layers that are seen of a face of the chunk, float32 [h, w] at its crop's pixels."""
        own = self._own(view)
        return self._steadied(view, own) if self._steady and own else own

    def _alone(self, view: View) -> Layers:
        found = self._seen.alone(view)
        if self._seen.suspects:
            share = np.float32(self._gates[view.cut.track, view.cut.frame])
            shut = np.zeros(view.crop().shape[:2], np.float32)
            found["occlusion"] = share * suspected(view, self._looks[view.cut.track]) if share else shut
        return found

    def _steadied(self, view: View, own: Layers) -> Layers:
        frame, shape = view.cut.frame, view.crop().shape[:2]
        step = max(1, round(iod(view.points) / COARSE))
        here = _small(view, step)
        likeness: list[np.ndarray | float] = []
        stacks: dict[str, list[np.ndarray]] = {name: [] for name in own}
        for number in range(frame - self._steady, frame + self._steady + 1):
            other = self._views.of(view.cut.track, number)
            if other is None or other.cut == view.cut:
                likeness.append(float(other is not None))
                for name, layer in own.items():
                    stacks[name].append(layer)
                continue
            # By the track's own similarity: what moves with the face lies still.
            place = geometry.similarity(other.points[STABLE], view.points[STABLE])
            coarse = np.column_stack([place[:, :2], place[:, 2] / step])
            there = warp(_small(other, step), coarse, here.shape[::-1])
            likeness.append(enlarged(alike(here, there), step, shape))
            for name, layer in self._own(other).items():
                stacks[name].append(warp(layer, place, shape[::-1], cv2.INTER_LINEAR))
        return {name: steadied(stack, likeness) for name, stack in stacks.items()}


def _small(view: View, step: int) -> np.ndarray:
    """Log luma of a crop, a value per block of ``step`` x ``step`` pixels."""
    return np.log(np.clip(reduced(luma(view.crop()), step), 0, None) + np.float32(0.05))


def matte(job: Job) -> Facts:
    """Build and store the layers, 16-bit grey, one store each, page by page with the chunk's crops.

    The engine's own matte is not among them: it lies with the new faces, as it came.
    """
    plate = plate_of(job)
    cast, _ = cast_of(job)
    roto = roto_of(job.settings, plate)
    with ExitStack() as stack:
        views = Views(job, cast, plate, stack)
        cuts = views.cuts(job.frames)
        if not cuts:
            return {"mattes": 0}
        watch = Watch(Seen(job, job.settings), views, job.frames, job.settings["steady"])
        stores: dict[str, crops.Writer] = {}
        for cut in cuts:
            view = views.at(cut)
            for name, layer in layers_of(view, watch.layers(view), roto, job.settings).items():
                if name == "engine":
                    continue
                if name not in stores:
                    stores[name] = stack.enter_context(crops.Writer(job.folder / f"{name}.tif"))
                stores[name].add(to_page(layer))
            job.tick(1)
    return {"mattes": len(cuts), "layers": sorted(stores), "roto": bool(roto)}
