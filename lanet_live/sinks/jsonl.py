"""The table as JSON lines: one object per row, keys as the CSV's columns, null for empty."""

import json
from pathlib import Path

from lanet_live.records import FrameResult
from lanet_live.sinks.output_file import AppendFile
from lanet_live.sinks.table import TableLayout, Value


class JsonLinesSink:
    """Appends one JSON object per row; the file appears with the first result.

    Besides the table's columns each object has `quality_reasons`, a list of names.

    Args:
        path: The file.
        layout: Its columns.
        overwrite: Replace a file that is there.
    """

    def __init__(self, path: Path, layout: TableLayout, *, overwrite: bool = False) -> None:
        self.path = path
        self._layout = layout
        self._overwrite = overwrite
        self._columns = layout.columns()
        self._file: AppendFile | None = None

    def write(self, result: FrameResult) -> None:
        """Append the rows of one result."""
        reasons = [list(estimate.quality.reasons) for estimate in result.estimates] or [[]]
        lines = [
            json.dumps({**self._to_object(row), "quality_reasons": row_reasons})
            for row, row_reasons in zip(self._layout.rows(result), reasons, strict=True)
        ]
        if self._file is None:
            self._file = AppendFile(self.path, overwrite=self._overwrite)
        self._file.append(("\n".join(lines) + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _to_object(self, row: list[Value]) -> dict[str, Value]:
        return {
            column.name: round(value, column.n_decimals) if isinstance(value, float) else value
            for column, value in zip(self._columns, row, strict=True)
        }
