"""Stage `stills`: the finished frames of one chunk, and their mattes, as files of the deliveries."""

from __future__ import annotations

from understudy.media import stills as files
from understudy.media.delivery import stills_of
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.stages.finished import finished
from understudy.stages.plates import frames_of


def stills(job: Job) -> Facts:
    """Write every frame of the chunk in every format asked for: the plate's own pixels where nothing was changed."""
    plate, frames = frames_of(job)
    deliveries = job.settings["deliveries"]
    formats = stills_of(deliveries, plate)
    with_mattes = any(delivery["matte"] for delivery in deliveries.values())
    (job.folder / "frames").mkdir()
    (job.folder / "matte").mkdir()
    with finished(frames, [job.record("finished")]) as made:
        for frame in job.frames:
            image = made.read(frame)
            for still in formats:
                path = job.folder / "frames" / f"{job.shot}.{frame:04d}{still.suffix}"
                array = still.encode(image, plate)
                files.write(path, array, kind=still.kind, depth=still.depth, header=frames.header(frame))
            if with_mattes:
                path = job.folder / "matte" / f"{job.shot}.{frame:04d}.tif"
                files.write(path, made.matte(frame), kind="tiff", depth=16)
            job.tick(1)
    return {"frames": len(job.frames)}
