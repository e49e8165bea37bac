"""Stage `qc`: numbers per frame, flags with reasons, and the pictures that the review page shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from understudy.comp.mattes.occlusion import face_thumb, occlusion_reference, occlusion_scores
from understudy.comp.resample import reduced
from understudy.comp.skin.texture import extent
from understudy.errors import DeliverableError
from understudy.faces.files import read_tracks
from understudy.faces.geometry import iod
from understudy.faces.tracks import Track
from understudy.media.colour import to_display, unit
from understudy.media.patches import lay
from understudy.media.proxy import proxy, renewed, shrunk
from understudy.qc import texture
from understudy.qc.flags import Limits, ends, flags, in_order, state
from understudy.qc.measures import crop_jitter, flicker, jitter, per_frame, sample_step
from understudy.qc.measures import frame as measure
from understudy.qc.motion import Watch
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.models import debt
from understudy.show.settings import settings_at
from understudy.stages.crops import opened, read_cuts
from understudy.stages.finished import finished
from understudy.stages.plates import frames_of

PROXY_SIDE = 960
QUALITY = 82


def save_jpeg(path: Path, image: np.ndarray) -> None:
    """Write uint8 RGB or grey as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
        raise DeliverableError("could not be written", where=str(path), fix="check free space and rights")


def add_occlusion(rows: list[dict[str, Any]], thumbs: list[np.ndarray]) -> None:
    """Add the suspicion that something is in front of a face, track by track (`comp.mattes.occlusion`).

    Parameters
    ----------
    thumbs:
        `comp.mattes.occlusion.face_thumb` of every row.
    """
    for name in {row["track"] for row in rows}:
        own = [index for index, row in enumerate(rows) if row["track"] == name]
        stack = np.stack([thumbs[index] for index in own])
        for index, score in zip(own, occlusion_scores(stack, occlusion_reference(stack)), strict=True):
            rows[index]["occlusion"] = float(score)


def qc(job: Job) -> Facts:
    """Measure every finished frame against the plate."""
    plate, frames = frames_of(job)
    tracks_list, roles = read_tracks(job.record("tracks").folder)
    tracks = {track.id: track for track in tracks_list}
    excluded = {f for first, last in job.settings["exclude"] for f in range(first, last + 1)}
    page = job.folder / "review" / job.shot
    for kind in ("plate", "result", "matte"):
        (page / kind).mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    thumbs: list[np.ndarray] = []
    kept = [number for number in job.frames if number not in excluded]
    watch = Watch({name: sorted({*track.frames.tolist()} & {*kept}) for name, track in tracks.items()})
    chunks = zip(job.records("finished"), job.records("crops"), job.records("mattes"), strict=True)
    for chunk, source, layers in chunks:
        first, last = chunk.subject["frames"]
        cuts = read_cuts(source)
        with (
            opened(source, "crops.tif", cuts) as crops,
            opened(layers, "matte.tif", cuts) as mattes,
            finished(frames, [chunk]) as made,
        ):
            for number in range(first, last + 1):
                stored, changed = frames.stored(number), made.patches(number)
                shown = [replace(patch, pixels=to_display(patch.pixels, plate)) for patch in changed]
                whole = np.zeros((plate.height, plate.width), np.uint8)
                for cut in (cut for cut in cuts if cut.frame == number):
                    track, layer = tracks[cut.track], mattes[cut.page]
                    matte = unit(layer)
                    seen = cv2.convertScaleAbs(layer, alpha=1 / 257)
                    whole[cut.region] = np.maximum(whole[cut.region], seen)
                    crop = to_display(crops[cut.page], plate)
                    result = crop.copy()
                    lay(result, cut.box[:2], shown)
                    points = track.points[cut.index] - cut.corner
                    row = measure(crop, result, matte, points)
                    step = sample_step(points)
                    thumbs.append(face_thumb(reduced(crop, step), points / step))
                    rows.append(
                        row
                        | {
                            "frame": number,
                            "track": cut.track,
                            "seen": bool(track.seen[cut.index]),
                            "score": float(track.score[cut.index]),
                            "matte": bool(matte.max() > 0) or number in excluded,
                            "roto": layers.facts["roto"],
                        }
                    )
                    watch.look(rows[-1], crop, result, matte, points, cut.place(track.transform))
                name = f"{number:07d}.jpg"
                small = proxy(stored, plate, PROXY_SIDE)
                save_jpeg(page / "plate" / name, small)
                save_jpeg(page / "result" / name, renewed(small, stored, plate, changed))
                save_jpeg(page / "matte" / name, shrunk(whole, PROXY_SIDE))
                job.tick(1)
    add_occlusion(rows, thumbs)
    add_motion(rows, tracks, excluded)
    subject = {"first": job.frames[0], "last": job.frames[-1], "excluded": sorted(excluded)}
    found = flags(rows, subject, lambda number: Limits.of(settings_at(job.settings, number)))
    skins = textures(job, [row for row in rows if row["frame"] not in excluded], tracks)
    found = in_order(found + [flag for skin in skins.values() for flag in skin.pop("flags")])
    report = {
        "shot": job.shot,
        "first": job.frames[0],
        "last": job.frames[-1],
        "state": state(found),
        "cast": roles,
        "flags": found,
        "tracks": [
            {"id": name, "talent": talent, "numbers": numbers_of(rows, name, job.frames), "texture": skins.get(name)}
            for name, talent in sorted(roles.items())
        ],
    }
    out = job.folder / "out" / job.shot
    out.mkdir(parents=True)
    (out / "qc.json").write_text(json.dumps(report, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8")
    (out / "settings.json").write_text(json.dumps(ran(job), indent=1, sort_keys=True), encoding="utf-8")
    facts = {key: report[key] for key in ("state", "cast", "first", "last")}
    return facts | {
        "notes": job.settings["notes"],
        "size": [plate.width, plate.height],
        "rate": f"{plate.rate.numerator}/{plate.rate.denominator}",
        "flags": len(found),
    }


def textures(job: Job, rows: list[dict[str, Any]], tracks: dict[str, Track]) -> dict[str, dict[str, Any]]:
    """Track to its texture (see `qc.texture.summary`), with what is to be said of it as ``flags``."""
    fits = json.loads(job.record("fit").path("fit.json").read_text(encoding="utf-8"))
    found = {}
    for name in {row["track"] for row in rows}:
        own = [row for row in rows if row["track"] == name]
        largest = max(extent(tracks[name].points[row["frame"] - int(tracks[name].frames[0])]) for row in own)
        skin = texture.summary(own, fits.get(name), debt(largest, job.settings["network"]))
        gains = job.settings["resolved"]["match"]["gain"]
        found[name] = skin | {"flags": texture.told(skin, ends(own), gains)}
    return found


def ran(job: Job) -> dict[str, Any]:
    """The settings as resolved, the purpose, and every model file that ran: name, file, sha256, licence, evidence."""
    hashes = {path.stem: json.loads(path.read_text(encoding="utf-8"))["sha256"] for path in job.inputs["models"]}
    models = [row | {"sha256": hashes.get(row["name"])} for row in job.settings["models"]]
    return job.settings["resolved"] | {"purpose": job.settings["purpose"], "models": models}


def numbers_of(rows: list[dict[str, Any]], track: str, frames: range) -> dict[str, list[float | None]]:
    """The numbers of one track, one value for every frame of the shot."""
    return per_frame([row for row in rows if row["track"] == track], frames[0], frames[-1])


def add_motion(rows: list[dict[str, Any]], tracks: dict[str, Track], excluded: set[int]) -> None:
    """Add jitter and flicker, which need a track's neighbouring frames, to its rows.

    Where frames are left alone on purpose, the step from face to face is no flicker.
    """
    for name, track in tracks.items():
        own = sorted((row for row in rows if row["track"] == name), key=lambda row: row["frame"])
        if not own:
            continue
        eyes = np.array([iod(points) for points in track.points])
        shake, sway = jitter(track.points, eyes), crop_jitter(track.transform, eyes)
        first = int(track.frames[0])
        ratios = [None if row["frame"] in excluded else row["luma_ratio"] for row in own]
        for row, blink in zip(own, flicker(ratios), strict=True):
            place = row["frame"] - first
            row["jitter"], row["crop_jitter"], row["flicker"] = shake[place], sway[place], blink
