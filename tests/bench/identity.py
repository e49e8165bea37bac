"""How much of the talent, and how little of the performer, is seen in finished frames.

    python tests/bench/identity.py --shared ../shared

renders every clip of `plates` there with both sample portraits through the workflow, with default settings, and prints
for each the mean cosine between the recogniser's opinion of the talent and of the result, and of the performer and of
the result, over the frames on which the face looks within 25 degrees of the camera. Frames that are there already are
judged with

    python tests/bench/identity.py --recogniser MobileFaceNet.onnx \
        --case render/demo/out/sh010 plates/sh010.mov astronaut.png

(a shot's folder in `out`, its plate, a picture of the talent). Two pictures of one person score .71 to .86 with
MobileFaceNet, two strangers .04 on average and .23 at most. The exit code says whether every case reaches .60 and stays
below .35, but for those that are known to be out of reach.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("scripts", "demo", "tests/workflow")]

from shows import TestShow, new_show  # noqa: E402

from understudy.faces import geometry as g  # noqa: E402
from understudy.faces.detect import find_faces, landmarks_near  # noqa: E402
from understudy.faces.networks import BlazeFace, FaceMesh  # noqa: E402
from understudy.media.colour import to_display  # noqa: E402
from understudy.media.extract import decode  # noqa: E402
from understudy.media.frames import Frames  # noqa: E402
from understudy.media.plate import probe  # noqa: E402
from understudy.media.stills import read, read_picture  # noqa: E402

LEAST_TALENT, MOST_PERFORMER = 0.60, 0.35
FRONTAL = 25.0  # degrees of yaw
TALENTS = ("astronaut", "hopper")
OUT_OF_REACH = {"classroom": "its faces are 20 pixels wide, less than a recogniser can read"}
DETECT = {"threshold": 0.5, "tiles": "auto", "min_faces": 1, "refine": 2}
# Where ArcFace wants eyes, nose tip and mouth corners in its 112 x 112 crop (Deng et al. 2019), OpenCV's pixel centres.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)

Picture = NDArray[np.float32]


class Recogniser:
    """A network that turns a face into a direction: 112 x 112 RGB, (x - 127.5) / 127.5."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, image: Picture, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Unit vector of the face whose mesh [468, 3] lies on a display picture [h, w, 3]."""
        matrix = g.similarity(five(points) - 0.5, TEMPLATE)
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if scale < 1:
            image = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(scale**-2 - 1) + 1e-3)
        crop = cv2.warpAffine(
            image, matrix, (112, 112), flags=cv2.INTER_LINEAR if scale < 1.5 else cv2.INTER_CUBIC
        )
        blob = (crop.astype(np.float32) * 2 - 1).transpose(2, 0, 1)[None]
        vector = self._session.run(None, {self._input: blob})[0][0]
        return vector / np.linalg.norm(vector)


def five(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Eye centres, nose tip and mouth corners [5, 2] of a mesh, from the left of the picture to its right."""
    flat = np.asarray(points, np.float64)[:, :2]
    eyes = [flat[list(pair)].mean(axis=0) for pair in ((33, 133), (362, 263))]
    return np.array([*eyes, flat[g.NOSE_TIP], flat[61], flat[291]])


@dataclass(frozen=True)
class Case:
    """A shot's folder of finished work, its plate, and a picture of the talent."""

    out: Path
    plate: Path
    talent: Path


@dataclass(frozen=True)
class Likeness:
    """Mean cosines over the frontal frames of a shot, and how many those are."""

    frames: int
    talent: float
    performer: float

    @property
    def holds(self) -> bool:
        return self.frames > 0 and self.talent >= LEAST_TALENT and self.performer <= MOST_PERFORMER


def measure(
    pairs: Iterable[tuple[Picture, Picture]],
    talent: Picture,
    detector: BlazeFace,
    landmarker: FaceMesh,
    recogniser: Recogniser,
) -> Likeness:
    """Likeness of a shot.

    Parameters
    ----------
    pairs:
        Plate and result, display float32 [h, w, 3], frame by frame. The largest face of the first plate is followed.
    talent:
        A picture of the talent alone.
    """
    (face,) = find_faces(talent, detector, landmarker, DETECT)
    wanted = recogniser(talent, face.points)
    rows, last = [], None
    for plate, result in pairs:
        found = find_faces(plate, detector, landmarker, DETECT)
        if not found:
            continue
        if last is None:
            own = max(found, key=lambda one: float(np.prod(one.box[2:] - one.box[:2])))
        else:
            middle = last.mean(axis=0)[:2]
            own = min(found, key=lambda one: float(np.linalg.norm(one.points[:, :2].mean(axis=0) - middle)))
        last = own.points
        new = landmarks_near(result, landmarker, own.points, DETECT)
        if new is None or abs(g.pose(own.points)[0]) >= FRONTAL:
            continue
        seen = recogniser(result, new.points)
        rows.append((float(wanted @ seen), float(recogniser(plate, own.points) @ seen)))
    if not rows:
        return Likeness(0, float("nan"), float("nan"))
    return Likeness(len(rows), *np.mean(rows, axis=0).tolist())


def rendered(folder: Path, plate_path: Path, step: int) -> Iterator[tuple[Picture, Picture]]:
    """Every `step`-th finished frame of a shot's `out` folder with the plate's frame of the same number."""
    plate = probe(plate_path)
    stills = {int(path.stem.rsplit(".", 1)[-1]): path for path in sorted((folder / "frames").iterdir())}
    numbers = sorted(stills)[::step]
    if plate.kind == "movie":
        source = ((n, image) for n, image in decode(plate, numbers[0], numbers[-1]) if n in set(numbers))
    else:
        frames = Frames(plate, None)
        source = ((n, frames.read(n)) for n in numbers)
    for number, image in source:
        yield to_display(image[..., :3], plate), to_display(read(stills[number])[..., :3], plate)


def texture(out: Path) -> float:
    """Median texture index of a shot, in dB, as QC measured it."""
    numbers = [track["numbers"] for track in json.loads((out / "qc.json").read_text(encoding="utf-8"))["tracks"]]
    values = [value for track in numbers for value in track.get("texture_index", []) if value is not None]
    return float(np.median(values)) if values else float("nan")


def cases(show: TestShow, clips: Iterable[Path]) -> list[Case]:
    """Add each clip to a show once per talent; what will be looked at when the show is rendered."""
    found = []
    for clip in clips:
        for talent in TALENTS:
            shot = f"{clip.stem}.{talent}"
            show.rows.append(f"{shot}\t{clip.resolve()}\t\t\t{talent}\t\tframes\t\t")
            found.append(Case(show.out / shot, clip, show.folder / "talent" / f"{talent}.png"))
    return found


def render(show: TestShow, store: Path) -> None:
    """Render a show with the default settings; its models come from, or go to, ``store``."""
    show.config |= {"store": str(store.resolve()), "deliveries": {"frames": {"frames": {"format": "tiff"}}}}
    show.write()
    done = show.run("--keep-going", check=False)
    missing = [row.split("\t")[0] for row in show.rows if not any((show.out / row.split("\t")[0]).glob("frames/*"))]
    if missing:
        raise SystemExit(f"{done.stdout[-4000:]}\nnot rendered: {', '.join(missing)}")


def main() -> int:
    """Print the table; 0 when every case within reach holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, help="folder with plates/ and models/: render and judge them all")
    parser.add_argument("--clips", default="*", help="names of the clips to take, with * and ?, separated by spaces")
    parser.add_argument("--case", nargs=3, action="append", default=[], type=Path, metavar=("OUT", "PLATE", "TALENT"))
    parser.add_argument("--recogniser", type=Path, help="ArcFace-shaped network, 112 x 112, ONNX; default: the shared")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="folder with detector and landmarker")
    parser.add_argument("--keep", type=Path, help="folder to render in and keep")
    parser.add_argument("--step", type=int, default=1, help="look at every so many frames")
    asked = parser.parse_args()
    if not (asked.shared or (asked.recogniser and asked.case)):
        parser.error("give --shared, or --recogniser and one --case or more")
    wanted = [Case(*case) for case in asked.case]
    if asked.shared:
        every = sorted(p for p in (asked.shared / "plates").iterdir() if p.suffix in (".mkv", ".gif"))
        clips = [clip for clip in every if any(fnmatch(clip.stem, name) for name in asked.clips.split())]
        show = new_show(asked.keep or Path(tempfile.mkdtemp(prefix="identity-")), asked.models)
        wanted += cases(show, clips)
        render(show, asked.models)
    cv2.setNumThreads(1)
    detector = BlazeFace(next(asked.models.rglob("face_detection_full_range_sparse.tflite")))
    landmarker = FaceMesh(next(asked.models.rglob("face_landmark.tflite")))
    recogniser = Recogniser(asked.recogniser or asked.shared / "models" / "mobilefacenet" / "MobileFaceNet.onnx")
    print(f"{'shot':44s} frames  talent  performer  texture dB")
    held = []
    for case in wanted:
        pairs = rendered(case.out, case.plate, asked.step)
        found = measure(pairs, read_picture(case.talent), detector, landmarker, recogniser)
        reason = OUT_OF_REACH.get(case.plate.stem)
        held.append(found.holds or reason is not None)
        note = "" if found.holds else f"   <- {reason or 'does not hold'}"
        name = f"{case.plate.stem} <- {case.talent.stem}"
        numbers = f"{found.frames:6d}  {found.talent:6.3f}  {found.performer:9.3f}  {texture(case.out):10.1f}"
        print(f"{name:44s} {numbers}{note}", flush=True)
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
