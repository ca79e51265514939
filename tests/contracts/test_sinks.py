"""What every sink keeps, whatever it writes."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

from lanet_live.errors import SinkError
from lanet_live.sinks.annotated_video import AnnotatedVideoSink
from lanet_live.sinks.base import ResultSink
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.jsonl import JsonLinesSink
from lanet_live.sinks.parquet import ParquetSink
from lanet_live.sinks.plot import PlotSink
from lanet_live.sinks.table import TableLayout
from tests.fakes import LABELS, make_result

LAYOUT = TableLayout(LABELS)
SINKS: dict[str, Callable[[Path, bool], ResultSink]] = {
    "csv": lambda path, overwrite: CsvSink(path, LAYOUT, overwrite=overwrite),
    "jsonl": lambda path, overwrite: JsonLinesSink(path, LAYOUT, overwrite=overwrite),
    "parquet": lambda path, overwrite: ParquetSink(path, LAYOUT, overwrite=overwrite),
    "video": lambda path, overwrite: AnnotatedVideoSink(path, overwrite=overwrite),
    "plot": lambda path, overwrite: PlotSink(path, LABELS, overwrite=overwrite),
}


@pytest.fixture(params=SINKS)
def make_sink(request: pytest.FixtureRequest) -> Callable[[Path, bool], ResultSink]:
    return SINKS[request.param]


def run(sink: ResultSink, n_results: int = 5) -> None:
    try:
        for index in range(n_results):
            sink.write(make_result(index, face_ids=(0, 1) if index % 2 else ()))
    finally:
        sink.close()


def test_output_appears_under_its_name_and_nothing_beside_it(make_sink, tmp_path: Path) -> None:
    run(make_sink(tmp_path / "out", False))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").stat().st_size > 0


def test_no_result_makes_no_file(make_sink, tmp_path: Path) -> None:
    make_sink(tmp_path / "out", False).close()
    assert list(tmp_path.iterdir()) == []


def test_close_may_be_called_twice(make_sink, tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "out", False)
    run(sink)
    before = (tmp_path / "out").read_bytes()
    sink.close()
    assert (tmp_path / "out").read_bytes() == before


def test_a_file_that_is_there_is_left_alone(make_sink, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("precious")
    with pytest.raises(SinkError, match=r"out is already there; add --overwrite"):
        run(make_sink(path, False))
    assert path.read_text() == "precious"


def test_overwrite_replaces_a_file(make_sink, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    run(make_sink(path, True))
    assert path.read_bytes()[:3] != b"old"


def test_a_missing_folder_is_one_sentence(make_sink, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be written: No such file or directory"):
        run(make_sink(tmp_path / "gone" / "out", False))


def test_the_same_results_make_the_same_bytes(make_sink, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(make_sink(tmp_path / name, False))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


_FILL_UP = """
import resource, sys
from pathlib import Path
from lanet_live.errors import SinkError
from tests.contracts.test_sinks import SINKS
from tests.fakes import make_result
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
sink = SINKS[sys.argv[1]](Path(sys.argv[2]), False)
try:
    for index in range(3000):
        sink.write(make_result(index))
    sink.close()
except SinkError as error:
    print(error)
"""


def fill_up(name: str, path: Path, limit_bytes: int = 40_000) -> str:
    """Write with a file size limit in another process; return the sentence it ended with."""
    done = subprocess.run(
        [sys.executable, "-c", _FILL_UP, name, str(path), str(limit_bytes)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit to set")
class TestNoRoomLeft:
    """The disk fills up in the middle: a sentence, and what is there can be read."""

    def test_csv_ends_with_a_whole_row(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        assert "ends early" in fill_up("csv", path)
        lines = path.read_text().split("\n")
        assert lines[-1] == ""
        assert {line.count(",") for line in lines[:-1]} == {25}
        assert 100 < len(lines) < 3000

    def test_json_lines_end_with_a_whole_object(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        assert "ends early" in fill_up("jsonl", path)
        objects = [json.loads(line) for line in path.read_text().splitlines()]
        assert [o["frame"] for o in objects] == list(range(len(objects)))

    def test_parquet_leaves_a_readable_stream_and_no_parquet_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        assert "ends early" in fill_up("parquet", path, 300_000)
        assert not path.exists()
        table = pyarrow.ipc.open_stream(str(tmp_path / "a.parquet.arrows")).read_all()
        assert table["frame"].to_pylist() == list(range(table.num_rows))
        assert table.num_rows >= 500

    def test_video_plays_up_to_its_last_fragment(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mp4"
        assert "ends early" in fill_up("video", path, 200_000)
        assert len(read_times_s(path)) > 20

    def test_plot_is_not_left_behind(self, tmp_path: Path) -> None:
        assert "ends early" in fill_up("plot", tmp_path / "a.png")
        assert list(tmp_path.iterdir()) == []


def read_times_s(path: Path) -> list[float]:
    """Return the time stamps of the frames that decode."""
    av = pytest.importorskip("av")
    times_s = []
    # The broken end is passed over.
    with av.open(str(path)) as container, contextlib.suppress(av.FFmpegError):
        times_s.extend(frame.time for frame in container.decode(video=0))
    return times_s
