"""Values corrected by a neutral baseline, opened, exported and drawn."""

import csv

import numpy as np
import pytest
from pyarrow import parquet

from lanet_live.review.export_table import ExportSpan, export_table
from lanet_live.review.plot import draw_review
from lanet_live.review.recording import choose_values, open_recording
from lanet_live.review.report import ReportOptions, write_report
from tests.corrected_session import (
    CORRECTED,
    FROM_FRAME,
    MEASURED,
    N_FRAMES,
    SADNESS,
    record_corrected_session,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return record_corrected_session(tmp_path_factory.mktemp("sessions"))


@pytest.fixture
def recording(folder):
    return open_recording(folder)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_corrected_values_stand_in_the_rows_they_belong_to(recording):
    table, corrected = recording.table, recording.corrected
    is_corrected = (table.face_id == 0) & (table.frame >= FROM_FRAME)
    np.testing.assert_array_equal(np.isfinite(corrected).all(axis=1), is_corrected)
    np.testing.assert_allclose(corrected[is_corrected], np.tile(CORRECTED, (25, 1)), atol=1e-6)


def test_choosing_them_changes_probabilities_and_nothing_else(recording):
    chosen = choose_values(recording, is_corrected=True)
    row = int(np.flatnonzero((chosen.table.face_id == 0) & (chosen.table.frame == FROM_FRAME))[0])
    assert chosen.table.probabilities[row, SADNESS] == pytest.approx(CORRECTED[SADNESS], abs=1e-6)
    assert chosen.table.probabilities[0, SADNESS] == pytest.approx(MEASURED[SADNESS], abs=1e-6)
    np.testing.assert_array_equal(chosen.table.uncertainty, recording.table.uncertainty)
    np.testing.assert_array_equal(chosen.table.is_reliable, recording.table.is_reliable)
    assert choose_values(recording, is_corrected=False) is recording


@pytest.mark.parametrize("span", [None, ExportSpan(0.8, 1.2)])
def test_the_export_keeps_the_measured_values_and_adds_the_corrected_ones(
    recording, folder, tmp_path, span
):
    edits = recording.edits.with_excluded(0.2, 0.3).with_faces_merged(1, 7).with_name(0, "Ada")
    export_table(tmp_path / "raw.csv", recording, edits, span=span)
    chosen = choose_values(recording, is_corrected=True)
    export_table(tmp_path / "both.csv", chosen, edits, span=span)
    raw, both = rows_of(tmp_path / "raw.csv"), rows_of(tmp_path / "both.csv")
    assert [{k: row[k] for k in raw[0]} for row in both] == raw
    assert list(both[0])[-1] == "face_name"
    recorded = {(r["frame"], r["face_id"]): r for r in rows_of(folder / "corrected.csv")}
    for row in both:
        fields = recorded.get((row["frame"], row["face_id"] if row["face_id"] == "0" else "1"))
        expected = fields or dict.fromkeys(("baseline", "sadness_bc", "uncertainty_bc"), "")
        for name in ("baseline", "sadness_bc", "uncertainty_bc"):
            assert row[name] == expected[name]
    assert sum(bool(row["sadness_bc"]) for row in both) == (25 if span is None else 6)


def test_corrected_columns_are_numbers_in_parquet(recording, tmp_path):
    chosen = choose_values(recording, is_corrected=True)
    export_table(tmp_path / "t.parquet", chosen, recording.edits)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table["sadness_bc"].null_count == 2 * N_FRAMES - 25
    assert table["sadness_bc"].to_pylist()[-2] == pytest.approx(CORRECTED[SADNESS], abs=1e-6)
    assert table["baseline"].to_pylist()[-2] == "Ada, at rest"


def test_report_and_plot_say_that_values_are_corrected(recording, tmp_path):
    chosen = choose_values(recording, is_corrected=True)
    write_report(tmp_path / "r.html", chosen, recording.edits, ReportOptions())
    assert "corrected by neutral baselines" in (tmp_path / "r.html").read_text()
    draw_review(tmp_path / "p.svg", chosen, recording.edits)
    write_report(tmp_path / "raw.html", recording, recording.edits, ReportOptions())
    assert "as measured" in (tmp_path / "raw.html").read_text()


def test_a_broken_table_of_corrected_values_is_told_and_the_rest_opens(tmp_path):
    folder = record_corrected_session(tmp_path)
    (folder / "corrected.csv").write_text("a,b\n1,2\n")
    recording = open_recording(folder)
    assert recording.corrected is None
    assert "corrected.csv lacks" in recording.notice
    assert len(recording.table) == 2 * N_FRAMES


def test_a_row_cut_off_by_a_crash_is_left_out(tmp_path):
    folder = record_corrected_session(tmp_path)
    path = folder / "corrected.csv"
    path.write_bytes(path.read_bytes()[:-20])
    recording = open_recording(folder)
    assert np.isfinite(recording.corrected).all(axis=1).sum() == 24
    chosen = choose_values(recording, is_corrected=True)
    export_table(tmp_path / "t.csv", chosen, recording.edits)
    assert sum(bool(row["sadness_bc"]) for row in rows_of(tmp_path / "t.csv")) == 24
