"""The rows of a recorded table, column by column."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.errors import ConfigError
from lanet_live.records import F32Array, F64Array
from lanet_live.review.decimal_csv import NumberTable, read_header, read_numbers

NO_FACE: Final = -1
_BOX: Final = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
_JUDGED: Final = ("uncertainty", "quality", "reliable")
_NEEDED: Final = ("frame", "face_id", "timestamp", *_BOX, *_JUDGED)
# In every table the classes stand between these two.
_BEFORE_CLASSES, _AFTER_CLASSES = "pose_Rz", "expression"


@dataclass(frozen=True, slots=True)
class FrameTable:
    """A recorded table: one row per face and frame, and one per frame without a face.

    Attributes:
        labels: Class names, (C,).
        frame: Number of the frame, (N,) int64, ascending.
        time_s: In the source's time, (N,); the frame's number where the source has no time.
        face_id: (N,) int64; `NO_FACE` in a frame without a face.
        probabilities: (N, C); NaN without a face.
        uncertainty: (N,).
        quality: (N,).
        is_reliable: As recorded, (N,) bool.
        box_xywh_px: (N, 4) float32.
        has_time: The source has time stamps.
        is_cut_off: The last line was incomplete and is left out.
    """

    labels: tuple[str, ...]
    frame: NDArray[np.int64]
    time_s: F64Array
    face_id: NDArray[np.int64]
    probabilities: F64Array
    uncertainty: F64Array
    quality: F64Array
    is_reliable: NDArray[np.bool_]
    box_xywh_px: F32Array
    has_time: bool
    is_cut_off: bool = False

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def face_ids(self) -> tuple[int, ...]:
        """The faces in the table, ascending."""
        return tuple(int(i) for i in np.unique(self.face_id) if i != NO_FACE)

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last moment; 0, 0 for an empty table."""
        return (float(self.time_s[0]), float(self.time_s[-1])) if len(self) else (0.0, 0.0)


def read_frame_table(path: Path, labels: Sequence[str] | None = None) -> FrameTable:
    """Read a table written by this program, CSV or Parquet.

    Args:
        path: The table.
        labels: Class names; taken from the header when None.

    Raises:
        ConfigError: It is no such table.
    """
    header = read_column_names(path)
    classes = tuple(labels) if labels is not None else _classes_of(header, path)
    missing = [name for name in (*_NEEDED, *classes) if name not in header]
    if missing:
        raise ConfigError(
            f"{path} is no table of LA-Net Live: it has no column {', '.join(missing[:4])}."
        )
    wanted = (*_NEEDED, *classes)
    table = _read_parquet(path, wanted) if is_parquet(path) else read_numbers(path, wanted)
    return _checked(table, classes, path)


def _classes_of(header: Sequence[str], path: Path) -> tuple[str, ...]:
    try:
        first, after = header.index(_BEFORE_CLASSES) + 1, header.index(_AFTER_CLASSES)
    except ValueError as error:
        raise ConfigError(
            f"{path} is no table of LA-Net Live: it lacks {_BEFORE_CLASSES} or {_AFTER_CLASSES}."
        ) from error
    return tuple(header[first:after])


def _checked(table: NumberTable, labels: tuple[str, ...], path: Path) -> FrameTable:
    columns = table.columns
    frame = _whole(columns, "frame", path)
    if len(frame) and (np.diff(frame) < 0).any():
        raise ConfigError(f"{path} is not in the order of its frames; sort it by frame first.")
    time_s = columns["timestamp"]
    has_time = bool(np.isfinite(time_s).any())
    # Pictures have no time; single missing stamps are filled between their neighbours.
    if not has_time:
        time_s = frame.astype(np.float64)
    elif not np.isfinite(time_s).all():
        known = np.isfinite(time_s)
        time_s = np.interp(np.arange(len(time_s)), np.flatnonzero(known), time_s[known])
    face_id = np.where(np.isnan(columns["face_id"]), NO_FACE, columns["face_id"])
    return FrameTable(
        labels=labels,
        frame=frame,
        time_s=time_s,
        face_id=face_id.astype(np.int64),
        probabilities=np.stack([columns[label] for label in labels], axis=1),
        uncertainty=columns["uncertainty"],
        quality=columns["quality"],
        is_reliable=columns["reliable"] == 1,
        box_xywh_px=np.stack([columns[name] for name in _BOX], axis=1).astype(np.float32),
        has_time=has_time,
        is_cut_off=table.is_cut_off,
    )


def _whole(columns: Mapping[str, F64Array], name: str, path: Path) -> NDArray[np.int64]:
    values = columns[name]
    if not np.isfinite(values).all():
        raise ConfigError(f"{path} has lines without a number of the {name}.")
    return values.astype(np.int64)


def is_parquet(path: Path) -> bool:
    """Return whether a table is Parquet by its name; it is CSV otherwise."""
    return path.suffix.lower() == ".parquet"


def read_column_names(path: Path) -> tuple[str, ...]:
    """Return the names of a table's columns, CSV or Parquet.

    Raises:
        ConfigError: It cannot be read or names none.
    """
    if not is_parquet(path):
        return read_header(path)
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return tuple(parquet.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"{path} is no Parquet file: {error}.") from error


def _read_parquet(path: Path, wanted: Sequence[str]) -> NumberTable:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, columns=list(wanted))
        columns = {
            name: table[name].cast(pa.float64()).to_numpy().astype(np.float64) for name in wanted
        }
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    return NumberTable(columns, table.num_rows, is_cut_off=False)


def nearest_row_time(time_s: F64Array, wanted_s: float) -> float:
    """Return the moment of the table closest to another; NaN for an empty table.

    Args:
        time_s: Ascending, (N,).
        wanted_s: Any moment.
    """
    if not len(time_s):
        return math.nan
    after = min(int(np.searchsorted(time_s, wanted_s)), len(time_s) - 1)
    before = max(0, after - 1)
    is_before = wanted_s - time_s[before] <= time_s[after] - wanted_s
    return float(time_s[before if is_before else after])
