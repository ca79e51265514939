import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from lanet_live.face.mesh import BLENDSHAPE_NAMES
from lanet_live.records import PriorCorrected, Quality
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.jsonl import JsonLinesSink
from lanet_live.sinks.table import TableLayout
from tests.fakes import LABELS, make_result, make_track

HEADER = (
    "frame,face_id,timestamp,confidence,success,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,"
    "pose_Rx,pose_Ry,pose_Rz,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
    "expression,set,uncertainty,disagreement,quality,reliable"
)


def write_csv(path: Path, *results, layout: TableLayout | None = None) -> list[dict[str, str]]:
    sink = CsvSink(path, layout or TableLayout(LABELS))
    for result in results:
        sink.write(result)
    sink.close()
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_header_is_exactly_as_documented(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", make_result())
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == HEADER


def test_csv_row_holds_the_values_of_the_face(tmp_path: Path) -> None:
    result = make_result(7, face_ids=(3,), timestamp_s=1.23456789, quality=Quality(0.5))
    (row,) = write_csv(tmp_path / "a.csv", result)
    left, top, right, bottom = result.tracks[0].box_xyxy_px
    assert (row["frame"], row["face_id"], row["success"]) == ("7", "3", "1")
    assert row["timestamp"] == "1.234568"
    assert float(row["FaceRectX"]) == pytest.approx(left, abs=0.01)
    assert float(row["FaceRectY"]) == pytest.approx(top, abs=0.01)
    assert float(row["FaceRectWidth"]) == pytest.approx(right - left, abs=0.01)
    assert float(row["FaceRectHeight"]) == pytest.approx(bottom - top, abs=0.01)
    assert [float(row[f"pose_R{a}"]) for a in "xyz"] == pytest.approx([0.1, -0.2, 0.05], abs=1e-5)
    assert (row["expression"], row["disagreement"]) == ("contempt", "")
    assert (row["quality"], row["reliable"]) == ("0.5000", "1")


def test_csv_probabilities_sum_to_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    results = [make_result(i, probabilities=rng.dirichlet(np.ones(8) * 0.1)) for i in range(200)]
    for row in write_csv(tmp_path / "a.csv", *results):
        assert sum(float(row[label]) for label in LABELS) == pytest.approx(1.0, abs=1e-4)


def test_a_frame_without_a_face_is_one_row_of_empty_values(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", make_result(4, face_ids=(), timestamp_s=0.16))
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "4,,0.160000,,0" + "," * 21


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("has_smoothed", [False, True])
@pytest.mark.parametrize("has_prior", [False, True])
def test_every_row_has_a_value_for_every_column(
    is_full: bool, has_smoothed: bool, has_prior: bool
) -> None:
    layout = TableLayout(LABELS, is_full=is_full, has_smoothed=has_smoothed, has_prior=has_prior)
    for result in (make_result(0, face_ids=()), make_result(1)):
        assert {len(row) for row in layout.rows(result)} == {len(layout.columns())}


def test_faces_of_one_frame_are_rows_by_ascending_id(tmp_path: Path) -> None:
    rows = write_csv(tmp_path / "a.csv", make_result(0, face_ids=(1, 2, 5)), make_result(1))
    assert [(r["frame"], r["face_id"]) for r in rows] == [
        ("0", "1"), ("0", "2"), ("0", "5"), ("1", "0"),
    ]  # fmt: skip


def test_full_columns_follow_the_basic_ones(tmp_path: Path) -> None:
    layout = TableLayout(LABELS, is_full=True, has_smoothed=True)
    (row,) = write_csv(tmp_path / "a.csv", make_result(), layout=layout)
    names = list(row)
    assert ",".join(names[:26]) == HEADER
    assert tuple(names[26:78]) == BLENDSHAPE_NAMES
    assert names[78:556] == [f"x_{i}" for i in range(478)]
    assert names[556:1034] == [f"y_{i}" for i in range(478)]
    assert names[1034:] == [f"{label}_smoothed" for label in LABELS]
    landmarks = make_track(0, center_xy=(80.0, 120.0)).landmarks_px
    assert float(row["x_33"]) == pytest.approx(landmarks[33, 0], abs=0.01)
    assert float(row["y_33"]) == pytest.approx(landmarks[33, 1], abs=0.01)


def test_smoothed_columns_leave_the_raw_ones_alone(tmp_path: Path) -> None:
    layout = TableLayout(LABELS, has_smoothed=True)
    even = np.full(8, 1 / 8)
    (row,) = write_csv(tmp_path / "a.csv", make_result(smoothed=even), layout=layout)
    assert [row[f"{label}_smoothed"] for label in LABELS] == ["0.125000"] * 8
    assert float(row["contempt"]) == pytest.approx(8 / 36, abs=1e-6)


def test_the_set_is_its_classes_with_bars_between_and_empty_without_one(tmp_path: Path) -> None:
    results = [make_result(0, prediction_set=("happiness", "surprise")), make_result(1)]
    with_set, without = write_csv(tmp_path / "a.csv", *results)
    assert (with_set["set"], without["set"]) == ("happiness|surprise", "")


def test_other_class_shares_have_columns_of_their_own_and_leave_the_raw_ones(
    tmp_path: Path,
) -> None:
    layout = TableLayout(LABELS, has_smoothed=True, has_prior=True)
    corrected = PriorCorrected(np.eye(8)[1] * 0.92 + 0.01, 0.25)
    with_value, without = write_csv(
        tmp_path / "a.csv", make_result(0, prior_corrected=corrected), make_result(1), layout=layout
    )
    names = list(with_value)
    expected = [*(f"{label}_pc" for label in LABELS), "expression_pc", "uncertainty_pc"]
    assert names[-10:] == expected
    assert with_value["happiness_pc"] == "0.930000"
    assert (with_value["expression_pc"], with_value["uncertainty_pc"]) == ("happiness", "0.250000")
    assert (with_value["expression"], with_value["contempt"]) == ("contempt", "0.222222")
    assert [without[name] for name in expected] == [""] * 10


def test_numbers_that_are_not_finite_are_empty(tmp_path: Path) -> None:
    results = [make_result(0, disagreement=math.nan, timestamp_s=math.nan)]
    results += [make_result(1, face_ids=(), timestamp_s=math.nan)]
    with_face, without = write_csv(tmp_path / "a.csv", *results)
    assert (with_face["disagreement"], with_face["timestamp"]) == ("", "")
    assert (without["timestamp"], without["success"]) == ("", "0")


def test_a_label_with_a_comma_is_quoted(tmp_path: Path) -> None:
    labels = ("calm, or nearly", 'so "called"')
    result = make_result(labels=labels, probabilities=[0.25, 0.75])
    (row,) = write_csv(tmp_path / "a.csv", result, layout=TableLayout(labels))
    assert row["calm, or nearly"] == "0.250000"
    assert row["expression"] == 'so "called"'


def test_csv_loads_with_pandas_and_polars(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    path = tmp_path / "a.csv"
    write_csv(path, make_result(0, face_ids=()), make_result(1), make_result(2))
    for table in (pandas.read_csv(path), polars.read_csv(path).to_pandas()):
        assert table["success"].tolist() == [0, 1, 1]
        assert table["happiness"].isna().tolist() == [True, False, False]
        assert table["timestamp"].dtype == float
        assert table.loc[1, "expression"] == "contempt"


def test_json_lines_hold_the_same_values_with_null_for_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    sink = JsonLinesSink(path, TableLayout(LABELS))
    sink.write(make_result(0, face_ids=()))
    sink.write(make_result(1, quality=Quality(0.3, ("blur", "small"))))
    sink.close()
    empty, full = (json.loads(line) for line in path.read_text().splitlines())
    assert ",".join(list(full)[:-1]) == HEADER
    assert (empty["success"], empty["happiness"], empty["quality_reasons"]) == (0, None, [])
    assert full["quality_reasons"] == ["blur", "small"]
    assert full["reliable"] == 1
    assert full["face_id"] == 0
