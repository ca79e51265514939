"""Reads the numbers of a large CSV table with pyarrow, as the doubles Python's `float` gives.

Only the columns asked for are converted. Where pyarrow does not take a field for a number, Python's
`float` decides, and a last line that a crash cut off is left out.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from lanet_live.errors import ConfigError
from lanet_live.records import F64Array

# No line may be longer than a block.
_BLOCK_BYTES: Final = 4_000_000
_MAX_LINE_BYTES: Final = 100_000


@dataclass(frozen=True, slots=True)
class NumberTable:
    """Columns of numbers.

    Attributes:
        columns: By name, (N,) float64; NaN where a field is empty.
        n_rows: N.
        is_cut_off: The last line was incomplete and is left out.
    """

    columns: dict[str, F64Array]
    n_rows: int
    is_cut_off: bool


def read_header(path: Path) -> tuple[str, ...]:
    """Return the names of a table's columns.

    Raises:
        ConfigError: It cannot be read or has no header.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(_MAX_LINE_BYTES)
        names = next(csv.reader([line.decode("utf-8-sig").rstrip("\r\n")]), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    if len(names) < 2:
        raise ConfigError(f"{path} is no table: its first line names no columns.")
    return tuple(names)


def read_numbers(path: Path, wanted: Sequence[str]) -> NumberTable:
    """Read columns of a table as numbers.

    Args:
        path: UTF-8, comma-separated, with a header.
        wanted: Names of the columns; all must be there.

    Raises:
        ConfigError: It cannot be read, or a field is no number.
    """
    import pyarrow as pa

    header = read_header(path)
    places = [header.index(name) for name in wanted]
    try:
        with path.open("rb") as file:
            begin = len(file.readline(_MAX_LINE_BYTES))
            end, is_cut_off = _end_of_whole_lines(file, begin, len(header))
        span = (begin, end - begin)
        try:
            fields = _read_fields(path, span, len(header), places, pa.float64())
            arrays = [np.array(column.to_numpy()) for column in fields]
        except pa.ArrowInvalid:
            fields = _read_fields(path, span, len(header), places, pa.string())
            arrays = [np.array([_to_float(text) for text in f.to_pylist()]) for f in fields]
    # Arrow's own errors are among these.
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a table: {error}.") from error
    n_rows = len(arrays[0]) if arrays else 0
    return NumberTable(dict(zip(wanted, arrays, strict=True)), n_rows, is_cut_off)


def _end_of_whole_lines(file: BinaryIO, begin: int, n_fields: int) -> tuple[int, bool]:
    """Return where the whole lines end and whether something incomplete follows, in bytes."""
    size_bytes = file.seek(0, 2)
    file.seek(max(begin, size_bytes - _MAX_LINE_BYTES))
    tail = file.read()
    last = tail[tail.rfind(b"\n") + 1 :]
    fields = last.decode("utf-8", errors="replace").split(",")
    # A number may be cut, too: only a last field that is as short as a flag is whole for certain.
    if not last or (len(fields) == n_fields and fields[-1] in ("0", "1")):
        return size_bytes, False
    return size_bytes - len(last), True


def _read_fields(
    path: Path, span: tuple[int, int], n_fields: int, places: Sequence[int], kind: Any
) -> list[Any]:
    """Return columns of the lines in a span (first byte, number of bytes), as Arrow arrays."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if not span[1]:
        return [pa.array([], kind)] * len(places)
    # Numbers for names: a header may name two columns alike.
    names = [str(place) for place in range(n_fields)]
    chosen = [names[place] for place in places]
    with pa.OSFile(str(path)) as file:
        table = arrow_csv.read_csv(
            file.get_stream(*span),
            arrow_csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(
                include_columns=list(dict.fromkeys(chosen)),
                column_types=dict.fromkeys(chosen, kind),
                null_values=[""],
            ),
        )
    return [table[name] for name in chosen]


def _to_float(text: str) -> float:
    return float(text) if text.strip() else float("nan")
