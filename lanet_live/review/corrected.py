"""Reads the values a session holds that were corrected by neutral baselines."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lanet_live.errors import ConfigError
from lanet_live.records import F64Array
from lanet_live.review.decimal_csv import read_header, read_numbers
from lanet_live.review.table import FrameTable

_KEY_COLUMNS: Final = ("frame", "face_id")
# Keys and time stand in the frames' table already.
_FIRST_OWN_COLUMN: Final = 3


def read_corrected(path: Path, table: FrameTable) -> F64Array | None:
    """Read the corrected probabilities of a session.

    Args:
        path: Its `corrected.csv`.
        table: Its frames.

    Returns:
        (N, C) in the rows of the table, NaN where nothing was corrected; None when nothing was.

    Raises:
        ConfigError: It is no such table.
    """
    names = [f"{label}_bc" for label in table.labels]
    missing = {*_KEY_COLUMNS, *names} - set(read_header(path))
    if missing:
        raise ConfigError(f"{path} lacks {', '.join(sorted(missing)[:4])}.")
    columns = read_numbers(path, (*_KEY_COLUMNS, *names)).columns
    frame, face_id = (columns[name].astype(np.int64) for name in _KEY_COLUMNS)
    if not len(frame) or not len(table):
        return None
    n_faces = int(max(table.face_id.max(), face_id.max())) + 1
    has_face = table.face_id >= 0
    keys = np.where(has_face, table.frame * n_faces + table.face_id, -1)
    order = np.argsort(keys, kind="stable")
    wanted = frame * n_faces + face_id
    place = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    is_found = keys[place] == wanted
    corrected = np.full(table.probabilities.shape, np.nan)
    corrected[place[is_found]] = np.column_stack([columns[name] for name in names])[is_found]
    return corrected if is_found.any() else None


class CorrectedFields:
    """The fields of `corrected.csv`, handed out along the rows of the frames' table.

    Both have the same order, so one pass is enough however long they are.

    Args:
        path: `corrected.csv`.
    """

    def __init__(self, path: Path) -> None:
        self.names = read_header(path)[_FIRST_OWN_COLUMN:]
        self._rows = _rows_of(path)
        self._next = next(self._rows, None)

    def take(self, frame: str, face_id: str) -> Sequence[str]:
        """Return the fields of a row, as recorded; empty ones where nothing was corrected."""
        row = self._next
        if row is None or row[:2] != [frame, face_id]:
            return [""] * len(self.names)
        self._next = next(self._rows, None)
        return row[_FIRST_OWN_COLUMN:]


def _rows_of(path: Path) -> Iterator[list[str]]:
    n_columns = len(read_header(path))
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader, None)
        # A crash may have cut the last row.
        yield from (row for row in reader if len(row) == n_columns)
