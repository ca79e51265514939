"""Writes a reviewed recording as a table: CSV, Parquet or XLSX.

Rows outside the edits keep every field exactly as recorded. Excluded ranges are left out, merged
faces have one id, `reliable` follows the limits in force, and `face_name` comes last. Where
corrected values were chosen, they stand beside the measured ones. Beside the table stand its events
and its metadata.
"""

import csv
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_live import __version__
from lanet_live.errors import ConfigError, SinkError
from lanet_live.export.plan import METADATA_SUFFIX
from lanet_live.review.corrected import CorrectedFields
from lanet_live.review.edits import Edits
from lanet_live.review.export_watch import ExportWatch
from lanet_live.review.recording import Recording
from lanet_live.review.reviewed import Reviewed, review
from lanet_live.review.table import NO_FACE, is_parquet, read_column_names
from lanet_live.sessions.events import EXCLUDED, write_events
from lanet_live.sinks.output_file import published
from lanet_live.sinks.table import Column, TableLayout

NAME_COLUMN: Final = "face_name"
EVENTS_SUFFIX: Final = ".events.csv"
_BATCH_ROWS: Final = 20_000
_WATCH_ROWS: Final = 500
_MAX_SHEET_ROWS: Final = 1_048_575  # and the header
_MAX_SHEET_COLUMNS: Final = 16_384

_Row = list[str]


@dataclass(frozen=True, slots=True)
class ExportSpan:
    """Which part to write; None is open at that end."""

    start_s: float | None = None
    end_s: float | None = None


def export_table(
    path: Path,
    recording: Recording,
    edits: Edits,
    *,
    span: ExportSpan | None = None,
    watch: ExportWatch | None = None,
) -> int:
    """Write the table and, beside it, its events and metadata; returns the number of rows.

    Args:
        path: Ends with `.csv`, `.parquet` or `.xlsx`; a file that is there is replaced.
        recording: What was opened.
        edits: In force.
        span: Which part; everything when None.
        watch: Called with the progress.

    Raises:
        ConfigError: The format is not known, its package is missing, or the path is the recording.
        SinkError: It cannot be written.
        ExportCancelled: It was stopped; nothing is left of it.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise ConfigError(f"{path.name} must end with {', '.join(_WRITERS)}.")
    if path.resolve() == recording.table_path.resolve():
        raise ConfigError(f"{path} is the recording itself, which is never changed.")
    # A table that was exported from a review before has the column already.
    recorded = [name for name in read_column_names(recording.table_path) if name != NAME_COLUMN]
    header = (*recorded, *_corrected_names(recording), NAME_COLUMN)
    reviewed = review(recording, edits)
    is_kept = _kept(recording, reviewed, span or ExportSpan())
    rows = _edited_rows(recording, edits, reviewed, is_kept)
    counted = _Counted(rows, int(is_kept.sum()), watch or ExportWatch())
    with published(path, overwrite=True) as part:
        write(part, header, counted)
        counted.watch.check()
    write_events(path.with_name(path.stem + EVENTS_SUFFIX), edits.events)
    _write_metadata(path, recording, edits, span or ExportSpan(), n_rows=counted.n_rows)
    return counted.n_rows


class _Counted:
    """Rows on their way, counted; the watcher is updated now and then."""

    def __init__(self, rows: Iterator[_Row], n_expected: int, watch: ExportWatch) -> None:
        self._rows = rows
        self._n_expected = n_expected
        self.watch = watch
        self.n_rows = 0

    def __iter__(self) -> Iterator[_Row]:
        for row in self._rows:
            if self.n_rows % _WATCH_ROWS == 0:
                self.watch.step(self.n_rows, self._n_expected)
            self.n_rows += 1
            yield row
        self.watch.finish()


def _kept(recording: Recording, reviewed: Reviewed, span: ExportSpan) -> NDArray[np.bool_]:
    """Return which rows are written, (N,)."""
    time_s = recording.table.time_s
    is_kept = ~reviewed.is_excluded
    if span.start_s is not None:
        is_kept &= time_s >= span.start_s
    if span.end_s is not None:
        is_kept &= time_s <= span.end_s
    return is_kept


def _edited_rows(
    recording: Recording, edits: Edits, reviewed: Reviewed, is_kept: NDArray[np.bool_]
) -> Iterator[_Row]:
    table = recording.table
    header = read_column_names(recording.table_path)
    face_place, reliable_place = header.index("face_id"), header.index("reliable")
    name_place = header.index(NAME_COLUMN) if NAME_COLUMN in header else len(header)
    names = {face_id: edits.name_of(face_id) for face_id in reviewed.face_ids}
    frame_place = header.index("frame")
    corrected = CorrectedFields(path) if (path := _corrected_path(recording)) else None
    rows = itertools.islice(_recorded_rows(recording), len(table))
    for row, place in zip(rows, range(len(table)), strict=True):
        extra = corrected.take(row[frame_place], row[face_place]) if corrected else ()
        if not is_kept[place]:
            continue
        face_id = int(reviewed.face_id[place])
        if face_id != NO_FACE:
            row[face_place] = str(face_id)
            row[reliable_place] = str(int(reviewed.is_reliable[place]))
        yield [*row[:name_place], *row[name_place + 1 :], *extra, names.get(face_id, "")]


def _corrected_path(recording: Recording) -> Path | None:
    """Return where the corrected values are, if they were chosen."""
    return recording.corrected_path if recording.is_corrected else None


def _corrected_names(recording: Recording) -> tuple[str, ...]:
    path = _corrected_path(recording)
    return CorrectedFields(path).names if path else ()


def _recorded_rows(recording: Recording) -> Iterator[_Row]:
    path = recording.table_path
    if is_parquet(path):
        yield from _parquet_rows(path)
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        yield from (row for row in reader if row)


def _parquet_rows(path: Path) -> Iterator[_Row]:
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    columns = _known_columns(file.schema_arrow.names)
    for batch in file.iter_batches(batch_size=_BATCH_ROWS):
        fields = [
            [_as_text(value, columns.get(name)) for value in batch[name].to_pylist()]
            for name in batch.schema.names
        ]
        yield from (list(row) for row in zip(*fields, strict=True))


def _as_text(value: Any, column: Column | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and column is not None:
        return f"{value:.{column.n_decimals}f}"
    return str(value)


def _known_columns(header: Sequence[str]) -> Mapping[str, Column]:
    """Return what is known of a table's columns, by name."""
    first, after = header.index("pose_Rz") + 1, header.index("expression")
    labels = tuple(header[first:after])
    layout = TableLayout(labels, is_full=True, has_smoothed=True, has_prior=True)
    corrected = [Column(f"{name}_bc", float, 6) for name in (*labels, "uncertainty")]
    return {column.name: column for column in (*layout.columns(), *corrected)}


# Formats --------------------------------------------------------------------------------------


def _write_csv(path: Path, header: Sequence[str], rows: _Counted) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_parquet(path: Path, header: Sequence[str], rows: _Counted) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    kinds = _kinds(header)
    schema = pa.schema([pa.field(n, types[k]) for n, k in zip(header, kinds, strict=True)])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        source = iter(rows)
        while batch := list(itertools.islice(source, _BATCH_ROWS)):
            columns = zip(*batch, strict=True)
            arrays = [
                pa.array([_as_value(text, kind) for text in column], type=types[kind])
                for column, kind in zip(columns, kinds, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _write_xlsx(path: Path, header: Sequence[str], rows: _Counted) -> None:
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise ConfigError(
            "XLSX files need openpyxl; install it with: pip install 'lanet-live[xlsx]'"
        ) from error
    if len(header) > _MAX_SHEET_COLUMNS:
        raise SinkError(f"A sheet holds at most {_MAX_SHEET_COLUMNS} columns; export to CSV.")
    book = Workbook(write_only=True)
    sheet = book.create_sheet("frames")
    sheet.freeze_panes = "A2"
    try:
        _fill_sheet(sheet, header, rows)
    except BaseException:
        # Else its half-written parts warn when they are garbage-collected.
        sheet.close()
        raise
    book.save(path)


def _fill_sheet(sheet: Any, header: Sequence[str], rows: _Counted) -> None:
    sheet.append(list(header))
    kinds = _kinds(header)
    for row in rows:
        if rows.n_rows > _MAX_SHEET_ROWS:
            raise SinkError(
                f"A sheet holds at most {_MAX_SHEET_ROWS} rows; export to CSV or Parquet."
            )
        values = [_as_value(text, kind) for text, kind in zip(row, kinds, strict=True)]
        sheet.append([_as_cell(sheet, value) for value in values])


def _as_cell(sheet: Any, value: int | float | str | None) -> Any:
    """Keep a text that begins like a formula a text."""
    if not isinstance(value, str) or not value.startswith("="):
        return value
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell


_WRITERS: Final[Mapping[str, Callable[[Path, Sequence[str], _Counted], None]]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".xlsx": _write_xlsx,
}


def _kinds(header: Sequence[str]) -> list[type]:
    columns = _known_columns(header)
    return [columns[name].kind if name in columns else str for name in header]


def _as_value(text: str, kind: type) -> int | float | str | None:
    if not text:
        return None
    value: int | float | str = kind(text)
    return value


def _write_metadata(
    path: Path, recording: Recording, edits: Edits, span: ExportSpan, *, n_rows: int
) -> None:
    reviewed_face_ids = {int(i) for i in np.unique(recording.table.face_id) if i != NO_FACE}
    document = {
        **recording.document,
        "thresholds": asdict(edits.limits),
        "review": {
            "table": recording.table_path.name,
            "span": asdict(span),
            "n_rows": n_rows,
            "recorded_thresholds": asdict(recording.limits),
            "excluded": edits.excluded_s,
            "n_events": sum(event.kind != EXCLUDED for event in edits.events),
            "names": {str(i): edits.name_of(i) for i in sorted(reviewed_face_ids)},
            "merged_into": {str(i): edits.face_of(i) for i in sorted(edits.merged_into)},
            "has_corrected_values": recording.is_corrected,
            "software": {"lanet-live": __version__},
        },
    }
    target = path.with_name(path.stem + METADATA_SUFFIX)
    if target.resolve() == recording.table_path.with_suffix(METADATA_SUFFIX).resolve():
        target = path.with_name(f"{path.stem}_review{METADATA_SUFFIX}")
    with published(target, overwrite=True) as part:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        part.write_text(text, encoding="utf-8")
