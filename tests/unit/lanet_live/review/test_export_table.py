import csv
import json

import pytest

from lanet_live.errors import ConfigError
from lanet_live.review.edits import Limits
from lanet_live.review.export_table import ExportSpan, export_table
from lanet_live.review.export_watch import ExportCancelled, ExportWatch
from lanet_live.review.recording import open_recording
from lanet_live.sessions.events import SessionEvent, read_events
from tests.fakes import make_result
from tests.review_tables import write_table


@pytest.fixture
def recording(tmp_path):
    results = [make_result(i, face_ids=() if i == 3 else (i // 5, 7)) for i in range(10)]
    return open_recording(write_table(tmp_path / "t.csv", results))


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_without_edits_every_field_stays_as_recorded(tmp_path, recording):
    out = tmp_path / "out.csv"
    assert export_table(out, recording, recording.edits) == 19
    exported = rows_of(out)
    names = [row.pop("face_name") for row in exported]
    assert exported == rows_of(recording.table_path)
    assert names[:2] == ["Face 0", "Face 7"]
    assert names[6] == ""


def test_edits_change_only_what_they_say(tmp_path, recording):
    edits = recording.edits.with_excluded(0.08, 0.16).with_faces_merged(1, 0).with_name(0, "Ada")
    out = tmp_path / "out.csv"
    export_table(out, recording, edits)
    recorded = [r for r in rows_of(recording.table_path) if not 2 <= int(r["frame"]) <= 4]
    exported = rows_of(out)
    for row in exported:
        row.pop("face_name")
    assert [r.pop("face_id") for r in exported] == ["0", "7"] * 7
    assert [r.pop("face_id") for r in recorded] == ["0", "7"] * 2 + ["1", "7"] * 5
    assert exported == recorded


def test_other_limits_change_the_flag_and_are_written_down(tmp_path, recording):
    edits = recording.edits.with_limits(Limits(max_uncertainty=0.1))
    out = tmp_path / "out.csv"
    export_table(out, recording, edits)
    assert {row["reliable"] for row in rows_of(out) if row["face_id"]} == {"0"}
    document = json.loads((tmp_path / "out.metadata.json").read_text())
    assert document["thresholds"]["max_uncertainty"] == 0.1
    assert document["review"]["recorded_thresholds"]["max_uncertainty"] == 1.0


def test_a_part_is_written_with_its_events_beside(tmp_path, recording):
    edits = recording.edits.with_event(SessionEvent(0.1, number=2, name="smile"))
    out = tmp_path / "out.csv"
    export_table(out, recording, edits, span=ExportSpan(0.2, 0.3))
    assert {row["frame"] for row in rows_of(out)} == {"5", "6", "7"}
    assert read_events(tmp_path / "out.events.csv") == edits.events


@pytest.mark.parametrize("suffix", [".parquet", ".xlsx"])
def test_other_formats_hold_the_same_numbers(tmp_path, recording, suffix):
    pandas = pytest.importorskip("pandas")
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl")
    export_table(tmp_path / "out.csv", recording, recording.edits)
    export_table(tmp_path / f"out{suffix}", recording, recording.edits)
    as_csv = pandas.read_csv(tmp_path / "out.csv")
    read = pandas.read_parquet if suffix == ".parquet" else pandas.read_excel
    other = read(tmp_path / f"out{suffix}")
    pandas.testing.assert_frame_equal(as_csv, other, check_dtype=False, check_exact=True)


def test_an_exported_parquet_table_can_be_reviewed_again(tmp_path, recording):
    export_table(tmp_path / "out.parquet", recording, recording.edits)
    again = open_recording(tmp_path / "out.parquet")
    assert again.table.face_id.tolist() == recording.table.face_id.tolist()
    export_table(tmp_path / "again.csv", again, again.edits)
    export_table(tmp_path / "direct.csv", recording, recording.edits)
    first, second = rows_of(tmp_path / "direct.csv"), rows_of(tmp_path / "again.csv")
    assert [row["neutral"] for row in first] == [row["neutral"] for row in second]


def test_the_recording_is_never_replaced(tmp_path, recording):
    before = recording.table_path.read_bytes()
    with pytest.raises(ConfigError, match="never changed"):
        export_table(recording.table_path, recording, recording.edits)
    with pytest.raises(ConfigError, match="must end with"):
        export_table(tmp_path / "t.docx", recording, recording.edits)
    assert recording.table_path.read_bytes() == before


def test_an_exported_table_keeps_one_column_of_names(tmp_path, recording):
    export_table(tmp_path / "out.csv", recording, recording.edits.with_name(7, "=1+1"))
    again = open_recording(tmp_path / "out.csv")
    export_table(tmp_path / "again.csv", again, again.edits.with_name(7, "Ada"))
    header = (tmp_path / "again.csv").read_text().splitlines()[0]
    assert header.count("face_name") == 1
    assert rows_of(tmp_path / "again.csv")[1]["face_name"] == "Ada"


def test_a_name_that_looks_like_a_formula_stays_a_text(tmp_path, recording):
    openpyxl = pytest.importorskip("openpyxl")
    export_table(tmp_path / "out.xlsx", recording, recording.edits.with_name(7, "=1+1"))
    book = openpyxl.load_workbook(tmp_path / "out.xlsx")
    cell = book["frames"].cell(row=3, column=book["frames"].max_column)
    assert (cell.value, cell.data_type) == ("=1+1", "s")
    book.close()


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_a_cancelled_table_leaves_nothing_and_tells_how_far_it_came(tmp_path, suffix):
    recording = open_recording(
        write_table(tmp_path / "t.csv", [make_result(i) for i in range(700)])
    )
    told = []

    class Impatient(ExportWatch):
        def step(self, n_done, n_total):
            told.append((n_done, n_total))
            if n_done:
                self.cancel()
            super().step(n_done, n_total)

    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ExportCancelled):
        export_table(tmp_path / f"out{suffix}", recording, recording.edits, watch=Impatient())
    assert told == [(0, 700), (500, 700)]
    assert sorted(path.name for path in tmp_path.iterdir()) == before
