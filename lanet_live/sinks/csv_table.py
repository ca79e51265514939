"""The table as CSV: UTF-8, one header line, one row per face and frame, valid after every frame."""

import csv
import io
from pathlib import Path

from lanet_live.records import FrameResult
from lanet_live.sinks.output_file import AppendFile
from lanet_live.sinks.table import TableLayout, Value


class CsvSink:
    """Appends the rows of each result to a CSV file, which appears with the first one.

    Args:
        path: The file.
        layout: Its columns.
        overwrite: Replace a file that is there.
    """

    def __init__(self, path: Path, layout: TableLayout, *, overwrite: bool = False) -> None:
        self.path = path
        self._layout = layout
        self._overwrite = overwrite
        columns = layout.columns()
        self._names = [column.name for column in columns]
        self._formats = [
            f"%.{column.n_decimals}f" if column.kind is float else None for column in columns
        ]
        self._file: AppendFile | None = None

    def write(self, result: FrameResult) -> None:
        """Append the rows of one result."""
        rows = [self._format_row(row) for row in self._layout.rows(result)]
        if self._file is None:
            self._file = AppendFile(self.path, overwrite=self._overwrite)
            rows.insert(0, self._names)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.append(text.getvalue().encode())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _format_row(self, row: list[Value]) -> list[str]:
        return [
            "" if value is None else (str(value) if pattern is None else pattern % value)
            for value, pattern in zip(row, self._formats, strict=True)
        ]
