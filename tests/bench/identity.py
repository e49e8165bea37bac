"""How much of the talent, and how little of the performer, is seen in finished frames.

    python tests/bench/identity.py --recogniser MobileFaceNet.onnx --models models \
        --case render/demo/out/sh010 plates/sh010.mov astronaut.png

prints for each case (a shot's folder in `out`, its plate, a picture of the talent) the mean cosine between the
recogniser's opinion of the talent and of the result, and of the performer and of the result, over the frames on which
the largest face looks within 25 degrees of the camera. Two pictures of one person score .71 to .86 with MobileFaceNet,
two strangers .04 on average and .23 at most. The exit code says whether every case reaches .60 and stays below .35.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from understudy.faces import geometry as g  # noqa: E402
from understudy.faces.detect import find_faces, landmarks_near  # noqa: E402
from understudy.faces.networks import BlazeFace, FaceMesh  # noqa: E402
from understudy.media.colour import to_display  # noqa: E402
from understudy.media.frames import Frames, decode  # noqa: E402
from understudy.media.plate import probe  # noqa: E402
from understudy.media.stills import read, read_picture  # noqa: E402

LEAST_TALENT, MOST_PERFORMER = 0.60, 0.35
FRONTAL = 25.0  # degrees of yaw
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


def main() -> int:
    """Print the table; 0 when every case holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--recogniser", type=Path, required=True, help="ArcFace-shaped network, 112 x 112, ONNX"
    )
    parser.add_argument(
        "--models", type=Path, required=True, help="folder with the detector and the landmarker"
    )
    parser.add_argument("--case", nargs=3, action="append", required=True, metavar=("OUT", "PLATE", "TALENT"))
    parser.add_argument("--step", type=int, default=1, help="look at every so many frames")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    find = lambda name: next(asked.models.rglob(name))  # noqa: E731
    detector = BlazeFace(find("face_detection_full_range_sparse.tflite"))
    landmarker = FaceMesh(find("face_landmark.tflite"))
    recogniser = Recogniser(asked.recogniser)
    print(f"{'shot':24s} {'talent':20s} frames  talent  performer")
    held = []
    for out, plate, talent in asked.case:
        pairs = rendered(Path(out), Path(plate), asked.step)
        found = measure(pairs, read_picture(Path(talent)), detector, landmarker, recogniser)
        held.append(found.holds)
        mark = "" if found.holds else "   <- does not hold"
        names = f"{Path(out).name:24s} {Path(talent).stem:20s}"
        print(f"{names} {found.frames:6d}  {found.talent:6.3f}  {found.performer:9.3f}{mark}")
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
