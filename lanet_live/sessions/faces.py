"""The faces of a session as CSV: who, from when to when, corrected by which baseline."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanet_live.errors import ConfigError
from lanet_live.sinks.output_file import published

COLUMNS: Final = (
    "face_id",
    "name",
    "first_timestamp",
    "last_timestamp",
    "n_frames",
    "n_reliable",
    "baseline",
)
_MAX_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class FaceEntry:
    """One face of a session.

    Attributes:
        face_id: As in the frames' table.
        name: Given by the user, or the default one.
        first_s: First moment it was seen, in the source's time.
        last_s: Last moment.
        n_frames: Frames it was seen in.
        n_reliable: Of these, with a reliable estimate.
        baseline: Name of the last baseline profile in force; empty for none.
    """

    face_id: int
    name: str
    first_s: float
    last_s: float
    n_frames: int
    n_reliable: int
    baseline: str = ""


def write_faces(path: Path, faces: Iterable[FaceEntry]) -> None:
    """Write all faces anew, the whole file or nothing.

    Raises:
        SinkError: It cannot be written; the old file is kept.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for face in sorted(faces, key=lambda face: face.face_id):
        first, last = f"{face.first_s:.6f}", f"{face.last_s:.6f}"
        counts = (face.n_frames, face.n_reliable)
        writer.writerow([face.face_id, face.name, first, last, *counts, face.baseline])
    with published(path, overwrite=True) as part:
        part.write_bytes(text.getvalue().encode())


def read_faces(path: Path) -> tuple[FaceEntry, ...]:
    """Read the faces of a session by ascending id.

    Raises:
        ConfigError: It is no table of faces.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is too large to be a table of faces.")
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        faces = [_face(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigError(f"{path} is no table of faces: {error}.") from error
    return tuple(sorted(faces, key=lambda face: face.face_id))


def _face(row: dict[str, str]) -> FaceEntry:
    return FaceEntry(
        face_id=int(row["face_id"]),
        name=row["name"],
        first_s=float(row["first_timestamp"]),
        last_s=float(row["last_timestamp"]),
        n_frames=int(row["n_frames"]),
        n_reliable=int(row["n_reliable"]),
        baseline=row["baseline"],
    )
