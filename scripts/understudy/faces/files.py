"""Faces and tracks as files: JSON lines for people, arrays without pickle for the numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from understudy.faces.detect import Face
from understudy.faces.tracks import FrameRow, Track

ARRAYS = ("points", "transform", "pose", "light", "score", "seen", "five", "embeddings")


def write_faces(path: Path, rows: Iterable[FrameRow]) -> None:
    """Write the faces of frames, one frame a line, landmarks rounded to a hundredth of a pixel."""
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            line = {
                "frame": row.frame,
                "faces": [
                    {
                        "box": np.round(np.asarray(face.box, float), 2).tolist(),
                        "score": round(float(face.score), 4),
                        "confidence": round(float(face.confidence), 4),
                        "light": np.round(np.asarray(face.light, float), 4).tolist(),
                        "points": np.round(np.asarray(face.points, float), 2).ravel().tolist(),
                        "five": np.round(np.asarray(face.five, float), 2).ravel().tolist(),
                    }
                    | _embedding(face)
                    for face in row.faces
                ],
                "signature": np.round(np.asarray(row.signature, float), 4).tolist(),
            }
            stream.write(json.dumps(line, separators=(",", ":")) + "\n")


def read_faces(path: Path) -> Iterator[FrameRow]:
    """Read what `write_faces` wrote."""
    with path.open(encoding="utf-8") as stream:
        for text in stream:
            line = json.loads(text)
            faces = tuple(
                Face(
                    box=np.asarray(face["box"], np.float32),
                    score=face["score"],
                    confidence=face["confidence"],
                    points=np.asarray(face["points"], np.float32).reshape(-1, 3),
                    light=np.asarray(face["light"], np.float32),
                    five=np.asarray(face["five"], np.float32).reshape(5, 2),
                    embedding=np.asarray(face["embedding"], np.float32) if "embedding" in face else None,
                )
                for face in line["faces"]
            )
            yield FrameRow(line["frame"], faces, np.asarray(line["signature"], np.float32))


def _embedding(face: Face) -> dict[str, list[float]]:
    return {} if face.embedding is None else {"embedding": np.round(face.embedding.astype(float), 5).tolist()}


def write_tracks(folder: Path, tracks: list[Track], roles: dict[str, str]) -> None:
    """Write tracks: ``tracks.json`` says who is where, ``tracks.npz`` holds the numbers of every frame.

    Parameters
    ----------
    roles:
        Track id to talent id, for the tracks that are cast.
    """
    table = [
        {
            "id": track.id,
            "frames": [int(track.frames[0]), int(track.frames[-1])],
            "talent": roles.get(track.id),
            "seen": int(np.sum(track.seen)),
            "score": round(float(np.mean(track.score)), 3),
        }
        for track in tracks
    ]
    (folder / "tracks.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    arrays = {f"{track.id}.{name}": getattr(track, name) for track in tracks for name in ARRAYS}
    np.savez(folder / "tracks.npz", allow_pickle=False, **arrays)


def read_tracks(folder: Path) -> tuple[list[Track], dict[str, str]]:
    """Read what `write_tracks` wrote: the tracks, and track id to talent id."""
    table: list[dict[str, Any]] = json.loads((folder / "tracks.json").read_text(encoding="utf-8"))
    with np.load(folder / "tracks.npz", allow_pickle=False) as arrays:
        tracks = [
            Track(
                id=row["id"],
                frames=np.arange(row["frames"][0], row["frames"][1] + 1),
                **{name: arrays[f"{row['id']}.{name}"] for name in ARRAYS},
            )
            for row in table
        ]
    return tracks, {row["id"]: row["talent"] for row in table if row["talent"]}
