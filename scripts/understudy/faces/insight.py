"""insightface's own FaceAnalysis, run as it is: what a look with ``faces: insightface`` gets.

Boxes, five points, scores and embeddings are its; the mesh is ours as with any detector. Of a pack only the detector
and the recogniser are run, never what sorts people by gender or age. A pack is a folder that is there: nothing is
ever fetched from here.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ModelError
from understudy.faces.boxes import Detection, Image, Picture, unit_float, whole
from understudy.faces.detect import Face
from understudy.runtime.sessions import Device, session

MODULES = ("detection", "recognition")


class Analysis:
    """A model pack's detector, as a `Detector`, and its recogniser.

    Parameters
    ----------
    folder:
        Where the pack's ``.onnx`` files lie.
    sizes:
        Sides in pixels of the squares that the detector is shown, each one more look. It enlarges smaller pictures.

    Attributes
    ----------
    files:
        The pack's files that are run: the detector's and the recogniser's.

    Raises
    ------
    ModelError
        The pack is not there, or has no detector or no recogniser, or the provider is not to be had.
    """

    def __init__(self, folder: Path, sizes: Sequence[int], device: Device) -> None:
        where = f"insightface's pack {folder}"
        if not any(folder.glob("*.onnx")):
            raise ModelError(
                "there are no .onnx files" if folder.is_dir() else "there is no such folder",
                where=where,
                fix="put the pack there; where a network is allowed: insightface-cli model.download"
                f" {folder.name}",
            )
        from insightface.app import FaceAnalysis

        try:
            with quiet():
                self._app = FaceAnalysis(
                    str(folder),
                    allowed_modules=list(MODULES),
                    providers=["CPUExecutionProvider"],
                    # One session for all sizes, so that it can be the one below.
                    static_shape_sessions=False,
                )
        except (AssertionError, AttributeError) as error:
            # What it raises without a detector, and on swappers, which have no place in a pack.
            raise ModelError(
                f"FaceAnalysis cannot use it ({type(error).__name__}: {error})",
                where=where,
                fix="a pack holds one detector and one recogniser; keep swappers in the model store",
            ) from error
        if "recognition" not in self._app.models:
            raise ModelError(
                "it has no recogniser", where=where, fix="add one, or set faces to something else"
            )
        models = [self._app.models[name] for name in MODULES]
        self.files = tuple(Path(model.model_file) for model in models)
        for model, file in zip(models, self.files, strict=True):
            # Runs on what was asked for, or not at all.
            model.session = session(file, device, where)
        self._app.prepare(0, det_size=[(size, size) for size in sizes])

    def __call__(self, picture: Picture, min_score: float) -> list[Detection]:
        """Faces in an RGB picture ([h, w, 3] uint8, or float32 display values 0..1), best first; five keys each."""
        with quiet():
            boxes, keys = self._app.det_model.detect(bgr8(whole(picture)), det_thresh=min_score)
        if keys is None:
            raise ModelError("its detector gives no points", where=f"insightface's {self.files[0]}")
        return [
            Detection(float(row[4]), row[:4].astype(np.float64) + 0.5, five.astype(np.float64) + 0.5)
            for row, five in zip(boxes, keys, strict=True)
        ]

    def with_embeddings(self, image: Image, faces: Sequence[Face]) -> list[Face]:
        """The faces of a picture with the recogniser's embeddings, raw, of crops laid by the faces' five points."""
        from insightface.app.common import Face as Theirs

        recogniser, bgr = self._app.models["recognition"], bgr8(image)
        with quiet():
            vectors = [recogniser.get(bgr, Theirs(kps=face.five - 0.5)) for face in faces]
        return [
            replace(face, embedding=vector.astype(np.float32))
            for face, vector in zip(faces, vectors, strict=True)
        ]


def bgr8(image: Image) -> NDArray[np.uint8]:
    """A picture (uint8, or float32 0..1, limited and rounded) as insightface takes it: 8 bit, blue first."""
    eight = image if image.dtype == np.uint8 else np.rint(unit_float(image) * 255).astype(np.uint8)
    return np.ascontiguousarray(eight[..., ::-1])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what insightface prints, and without scikit-image's warnings about how it is called."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
