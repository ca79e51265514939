"""Reads the numbers of a large CSV table quickly, with numpy alone.

An hour of three faces is 324,000 lines of 25 fields. The tables of this program hold plain decimals
without quotes, so all fields of a column can be turned into numbers at once: as whole numbers and
a power of ten, whose quotient is exactly the double Python's `float` gives. Any other line, as a
spreadsheet may write it, is read field by field.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.errors import ConfigError
from lanet_live.records import F64Array, U8Array

_BLOCK_BYTES: Final = 16_000_000
_MAX_HEADER_BYTES: Final = 100_000
# Digits of a whole number that a double holds exactly.
_MAX_DIGITS: Final = 15
_COMMA, _NEWLINE, _DOT, _MINUS, _ZERO = (ord(sign) for sign in ",\n.-0")


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
            line = file.readline(_MAX_HEADER_BYTES)
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
    header = read_header(path)
    places = [header.index(name) for name in wanted]
    parts: list[list[F64Array]] = []
    is_cut_off = False
    try:
        for block, is_last in _blocks(path):
            whole, is_cut_off = _whole_lines(block, len(header), is_last=is_last)
            if whole:
                parts.append(_read_block(whole, len(header), places))
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as a table: {error}.") from error
    columns = {
        name: np.concatenate([part[k] for part in parts]) if parts else np.empty(0)
        for k, name in enumerate(wanted)
    }
    n_rows = sum(len(part[0]) for part in parts) if places else 0
    return NumberTable(columns, n_rows, is_cut_off)


def _blocks(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield the file after its header in blocks that end at a line, and whether each is the last.

    Only the last block may end within a line.
    """
    with path.open("rb") as file:
        file.readline(_MAX_HEADER_BYTES)
        rest = b""
        while piece := file.read(_BLOCK_BYTES):
            rest += piece
            end = rest.rfind(b"\n") + 1
            if end:
                yield rest[:end], False
                rest = rest[end:]
        if rest:
            yield rest, True


def _whole_lines(block: bytes, n_fields: int, *, is_last: bool) -> tuple[bytes, bool]:
    """Return a block of whole lines; a last one without its end counts if it has all fields."""
    if not is_last:
        return block.replace(b"\r\n", b"\n") if b"\r" in block else block, False
    fields = block.decode("utf-8", errors="replace").split(",")
    # A number may be cut, too: only a last field that is as short as a flag is whole for certain.
    if len(fields) == n_fields and fields[-1] in ("0", "1"):
        return block + b"\n", False
    return b"", True


def _read_block(block: bytes, n_fields: int, places: Sequence[int]) -> list[F64Array]:
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero((data == _COMMA) | (data == _NEWLINE))
    is_plain = b'"' not in block and len(ends) % n_fields == 0
    if is_plain:
        is_line_end = (data[ends] == _NEWLINE).reshape(-1, n_fields)
        is_plain = bool(is_line_end[:, -1].all()) and not is_line_end[:, :-1].any()
    if not is_plain:
        return _read_block_slowly(block, n_fields, places)
    starts = np.concatenate([[0], ends[:-1] + 1])
    return [_parse(data, starts[place::n_fields], ends[place::n_fields]) for place in places]


def _read_block_slowly(block: bytes, n_fields: int, places: Sequence[int]) -> list[F64Array]:
    rows = [row for row in csv.reader(io.StringIO(block.decode(), newline="")) if row]
    for row in rows:
        if len(row) != n_fields:
            raise ValueError(f"a line has {len(row)} fields instead of {n_fields}")
    return [np.array([_to_float(row[place]) for row in rows]) for place in places]


def _parse(data: U8Array, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> F64Array:
    """Turn the fields between starts and ends into numbers, (N,)."""
    lengths = ends - starts
    whole = np.zeros(len(starts), dtype=np.int64)
    n_decimals = np.zeros(len(starts), dtype=np.int64)
    n_digits = np.zeros(len(starts), dtype=np.int64)
    has_dot = np.zeros(len(starts), dtype=bool)
    is_odd = np.zeros(len(starts), dtype=bool)
    signs = data[starts]
    is_negative = (signs == _MINUS) & (lengths > 0)
    for place in range(int(min(lengths.max(initial=0), _MAX_DIGITS + 2))):
        is_inside = place < lengths
        signs = data[np.minimum(starts + place, len(data) - 1)]
        digits = signs.astype(np.int64) - _ZERO
        is_digit = is_inside & (digits >= 0) & (digits <= 9)
        is_dot = is_inside & (signs == _DOT)
        whole = np.where(is_digit, whole * 10 + digits, whole)
        n_digits += is_digit
        n_decimals += is_digit & has_dot
        is_minus = is_negative & (place == 0)
        is_odd |= (is_inside & ~is_digit & ~is_dot & ~is_minus) | (is_dot & has_dot)
        has_dot |= is_dot
    numbers = whole / 10.0**n_decimals
    numbers[is_negative] *= -1
    numbers[lengths == 0] = np.nan
    is_odd |= (lengths > _MAX_DIGITS + 2) | (n_digits > _MAX_DIGITS)
    is_odd |= (n_digits == 0) & (lengths > 0)
    for row in np.flatnonzero(is_odd):
        numbers[row] = _to_float(data[starts[row] : ends[row]].tobytes().decode())
    return numbers


def _to_float(text: str) -> float:
    return float(text) if text.strip() else float("nan")
