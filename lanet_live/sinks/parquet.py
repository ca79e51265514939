"""The table as Parquet, for large exports.

A Parquet file cannot be read before its footer is written at the very end. So rows first go to
`<name>.arrows`, an Arrow stream that stays readable up to its last batch whatever happens, and
closing turns that into the Parquet file, a bounded number of rows at a time.
"""

import contextlib
import time
from pathlib import Path
from typing import Any

from lanet_live.records import FrameResult
from lanet_live.sinks.output_file import AppendFile, published, sink_error
from lanet_live.sinks.table import Column, TableLayout, Value

_FLUSH_EVERY_S = 0.5
_MAX_BATCH_ROWS = 500
_ROW_GROUP_ROWS = 20_000


def stream_path_of(path: Path) -> Path:
    """Return where the rows of a Parquet file are until it is complete."""
    return path.with_name(f"{path.name}.arrows")


class ParquetSink:
    """Collects rows in an Arrow stream and publishes them as one Parquet file at the end.

    Args:
        path: The Parquet file.
        layout: Its columns.
        overwrite: Replace a file that is there.
    """

    def __init__(self, path: Path, layout: TableLayout, *, overwrite: bool = False) -> None:
        self.path = path
        self.stream_path = stream_path_of(path)
        self._layout = layout
        self._overwrite = overwrite
        self._rows: list[list[Value]] = []
        self._flushed_at_s = time.monotonic()
        self._schema = _arrow_schema(layout.columns())
        self._stream: AppendFile | None = None

    def write(self, result: FrameResult) -> None:
        """Take the rows of one result; they are on disk half a second later."""
        if self._stream is None:
            if self.path.exists() and not self._overwrite:
                raise sink_error(self.path, FileExistsError())
            self._stream = AppendFile(self.stream_path, overwrite=self._overwrite)
            # An Arrow stream is its schema followed by its batches, as messages one after another.
            self._stream.append(memoryview(self._schema.serialize()))
        self._rows += self._layout.rows(result)
        is_due = time.monotonic() - self._flushed_at_s >= _FLUSH_EVERY_S
        if is_due or len(self._rows) >= _MAX_BATCH_ROWS:
            self._flush(self._stream)

    def close(self) -> None:
        """Turn the stream into the Parquet file and remove it."""
        if self._stream is None:
            return
        stream, self._stream = self._stream, None
        try:
            self._flush(stream)
        finally:
            stream.close()
        with published(self.path, overwrite=self._overwrite) as part_path:
            _convert_stream(self.stream_path, part_path)
        with contextlib.suppress(OSError):
            self.stream_path.unlink()

    def _flush(self, stream: AppendFile) -> None:
        if self._rows:
            import pyarrow as pa

            columns = list(zip(*self._rows, strict=True))
            batch = pa.record_batch(
                [pa.array(v, type=f.type) for v, f in zip(columns, self._schema, strict=True)],
                schema=self._schema,
            )
            stream.append(memoryview(batch.serialize()))
            self._rows.clear()
        self._flushed_at_s = time.monotonic()


def _arrow_schema(columns: tuple[Column, ...]) -> Any:
    import pyarrow as pa

    types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    return pa.schema(
        [
            pa.field(
                column.name,
                pa.float32() if column.is_single_precision else types[column.kind],
            )
            for column in columns
        ]
    )


def _convert_stream(stream_path: Path, parquet_path: Path) -> None:
    """Copy an Arrow stream to a Parquet file in row groups of bounded size."""
    import pyarrow as pa
    from pyarrow import parquet

    with (
        pa.ipc.open_stream(str(stream_path)) as batches,
        parquet.ParquetWriter(parquet_path, batches.schema, compression="zstd") as writer,
    ):
        held: list[Any] = []
        for batch in batches:
            held.append(batch)
            if sum(b.num_rows for b in held) >= _ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(held))
                held = []
        if held:
            writer.write_table(pa.Table.from_batches(held))
