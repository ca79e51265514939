"""Faces of labelled pictures as the app finds them, kept so that several models can be asked.

The face search, the alignment and the quality do not depend on the expression model, and take most
of the time. So they are done once for all models, data sets and ways of degrading.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import Engine
from lanet_live.face.alignment import cut_crop, estimate_frame_to_crop
from lanet_live.face.quality import measure_quality
from lanet_live.face.tracker import FaceTracker
from lanet_live.records import FaceTrack, Frame
from lanet_trainer.datasets.chips import to_bgr
from lanet_trainer.datasets.prepared import PreparedSplit
from lanet_trainer.errors import ConfigError, DataError
from lanet_trainer.evaluation.degradations import CLEAN
from lanet_trainer.evaluation.predictions import mean_logits
from lanet_trainer.evaluation.reliability import degraded_pictures
from lanet_trainer.surroundings import surround
from lanet_trainer.training.training_data import vote_shares

U8Array = NDArray[np.uint8]
F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# A picture of at least this side goes to the face search as it is, as `lanet-live --images` takes
# it; a smaller one is a cut-out face and gets surroundings first.
_PHOTOGRAPH_SIDE_PX = 96
_BATCH = 128


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """The largest face of every picture. Values of pictures without a found face are 0 or NaN.

    Attributes:
        class_names: The C classes, (C,).
        person: Whose picture it is, (N,); the picture's own name where nobody says.
        label: (N,), positions among the classes.
        votes: Shares of the votes, (N, C); NaN without votes.
        kind: How it was degraded, or "clean", (N,).
        is_found: A face was found, (N,).
        quality: As the app measures it, (N,).
        crops: Aligned faces, (N, S, S, 3) uint8 BGR.
        picture: Names of the pictures inside their data set, (N,).
    """

    class_names: NDArray[np.str_]
    person: NDArray[np.str_]
    label: I64Array
    votes: F64Array
    kind: NDArray[np.str_]
    is_found: BoolArray
    quality: F64Array
    crops: U8Array
    picture: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.label)

    def where(self, chosen: BoolArray) -> "FoundFaces":
        """Return the chosen pictures."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return FoundFaces(
            **{name: v if name == "class_names" else v[chosen] for name, v in values.items()}
        )

    def write(self, path: Path) -> None:
        """Keep the faces in an `.npz` file."""
        with path.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, path: Path) -> "FoundFaces":
        """Read the faces back.

        Raises:
            DataError: The file is something else.
        """
        try:
            with np.load(path, allow_pickle=False) as kept:
                return cls(**{field.name: kept[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise DataError(f"'{path}' holds no found faces: {error}") from error


def find_faces(
    split: PreparedSplit,
    *,
    size_px: int,
    persons: Mapping[str, str],
    is_degraded: bool,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> FoundFaces:
    """Find the largest face of every labelled picture of a split.

    Args:
        split: Pictures without a label are left out.
        size_px: S, side of the crops.
        persons: Name of the picture -> person.
        is_degraded: The pictures are degraded, each in its turn's way and strength.
        seed: Decides ways, strengths, noise and places.
        on_progress: Called with pictures done and in all.
    """
    split = split.select(np.flatnonzero(split.label >= 0))
    total = len(split)
    rows: list[tuple[int, str]] = []
    crops = np.zeros((total, size_px, size_px, 3), dtype=np.uint8)
    quality = np.full(total, np.nan)
    tracker = FaceTracker(has_independent_frames=True)
    try:
        for number, (position, kind, picture) in enumerate(_pictures(split, is_degraded, seed)):
            rows.append((position, kind))
            frame = Frame(picture, number, float(number), float(number), "picture")
            track = max(tracker.update(frame), key=_area, default=None)
            if track is not None:
                to_crop = estimate_frame_to_crop(track.landmarks_px, size_px=size_px)
                crops[number] = cut_crop(picture, to_crop, size_px=size_px)
                quality[number] = measure_quality(picture, track, frame_to_crop=to_crop).value
            if on_progress is not None:
                on_progress(number + 1, total)
    finally:
        tracker.close()
    order = np.array([row[0] for row in rows])
    unknown = np.full((len(split), len(split.class_names)), np.nan)
    votes = unknown if split.votes is None else vote_shares(split)
    names = np.array([persons.get(file, file) for file in split.source_files])
    return FoundFaces(
        class_names=np.array(split.class_names),
        person=names[order],
        label=split.label[order],
        votes=votes[order],
        kind=np.array([row[1] for row in rows]),
        is_found=np.isfinite(quality),
        quality=quality,
        crops=crops,
        picture=np.array(split.source_files)[order],
    )


def join_faces(parts: Sequence[FoundFaces]) -> FoundFaces:
    """Put faces of one data set behind each other, e.g. of clean and of degraded pictures."""
    values = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(FoundFaces)
    }
    return FoundFaces(**values | {"class_names": parts[0].class_names})


def logits_of(engine: Engine, faces: FoundFaces) -> F64Array:
    """Ask a model about the faces: logits averaged over its views, (N, C), classes of the faces.

    Rows of pictures without a found face are NaN.

    Raises:
        ConfigError: The model has other classes, or takes crops of another size.
    """
    names = faces.class_names.tolist()
    if set(engine.spec.labels) != set(names):
        raise ConfigError(f"The model {engine.spec.name} has other classes than the data sets.")
    if engine.spec.input_size_px != faces.crops.shape[1]:
        raise ConfigError(
            f"The model {engine.spec.name} takes crops of {engine.spec.input_size_px} px, the "
            f"faces were cut at {faces.crops.shape[1]} px."
        )
    found = np.flatnonzero(faces.is_found)
    logits = np.full((len(faces), len(names)), np.nan)
    batches = ((part, faces.crops[part]) for part in _chunks(found))
    order = [engine.spec.labels.index(name) for name in names]
    if len(found):
        logits[found] = mean_logits(engine, batches)[:, order]
    return logits


def read_persons(path: Path) -> dict[str, str]:
    """Read the person of each picture from a table with the columns `path` and `person`.

    Raises:
        ConfigError: There is no such table, or it lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["path"]: row["person"] for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"The persons '{path}' cannot be read: {error}") from error
    except KeyError as error:
        raise ConfigError(f"The persons '{path}' lack the column {error}.") from error


def _pictures(
    split: PreparedSplit, is_degraded: bool, seed: int
) -> Iterator[tuple[int, str, U8Array]]:
    if is_degraded:
        for position, kind, _, picture in degraded_pictures(split, seed):
            if kind != CLEAN:
                yield position, kind, picture
        return
    for position in range(len(split)):
        picture = to_bgr(split.image(position))
        if min(picture.shape[:2]) < _PHOTOGRAPH_SIDE_PX:
            picture, _ = surround(picture)
        yield position, CLEAN, picture


def _chunks(positions: I64Array) -> list[I64Array]:
    return [positions[start : start + _BATCH] for start in range(0, len(positions), _BATCH)]


def _area(track: FaceTrack) -> float:
    left, top, right, bottom = track.box_xyxy_px
    return float((right - left) * (bottom - top))
