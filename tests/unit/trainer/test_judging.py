"""Predictions beside answers: who is counted, in what order of classes, and what is written."""

import json
from pathlib import Path

import numpy as np
import pytest

from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.judging import Answers, judge
from lanet_trainer.evaluation.prediction_table import (
    image_names,
    read_predictions,
    write_predictions,
)
from lanet_trainer.evaluation.predictions import Predictions, from_probabilities, predict
from lanet_trainer.evaluation.report import to_markdown, write_report

LABELS = ("neutral", "happiness", "contempt")
IDS = ("a.png", "b.png", "c.png", "d.png")


def _answers(label: list[int]) -> Answers:
    votes = np.array([[6.0, 2, 0], [0, 9, 0], [3, 0, 7], [0, 0, 0]])
    return Answers(IDS, LABELS, np.array(label), votes)


PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.3, 0.3, 0.4]])


def test_images_without_a_label_are_predicted_but_not_scored() -> None:
    predictions = from_probabilities(IDS, LABELS, PROBABILITIES, model="m")
    readings = judge(predictions, _answers([0, 1, 2, -1]), n_resamples=20)
    assert readings["3 classes"]["n_images"] == 3
    assert readings["3 classes"]["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert readings["2 classes"]["n_images"] == 2
    assert readings["2 classes"]["metrics"]["accuracy"]["value"] == 1


def test_classes_in_another_order_are_matched_by_name() -> None:
    shuffled = from_probabilities(
        IDS, ("contempt", "neutral", "happiness"), PROBABILITIES[:, [2, 0, 1]], model="m"
    )
    straight = from_probabilities(IDS, LABELS, PROBABILITIES, model="m")
    answers = _answers([0, 1, 2, -1])
    assert judge(shuffled, answers, n_resamples=20) == judge(straight, answers, n_resamples=20)


def test_left_out_images_are_not_counted() -> None:
    predictions = from_probabilities(IDS, LABELS, PROBABILITIES, model="m")
    readings = judge(predictions, _answers([0, 1, 2, -1]), left_out=["c.png"], n_resamples=20)
    assert readings["3 classes"]["metrics"]["accuracy"]["value"] == 1


def test_foreign_classes_are_refused() -> None:
    predictions = from_probabilities(IDS, ("x", "y", "z"), PROBABILITIES, model="m")
    with pytest.raises(DataError, match="knows the classes x, y, z"):
        judge(predictions, _answers([0, 1, 2, -1]))


def test_written_predictions_are_read_back(tmp_path: Path) -> None:
    probabilities = PROBABILITIES.copy()
    probabilities[2] = np.nan
    path = tmp_path / "p.csv"
    write_predictions(path, from_probabilities(IDS, LABELS, probabilities, model="m"), IDS)
    assert path.read_text().splitlines()[3] == "c.png,,,"
    found = _read(path)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-6)
    assert np.isnan(found.uncertainty).tolist() == [False, False, True, False]
    readings = judge(found, _answers([0, 1, 2, -1]), n_resamples=20)
    assert readings["3 classes"]["n_missed_faces"] == 1


def _read(path: Path) -> Predictions:
    return read_predictions(path, sample_ids=IDS, names=IDS, labels=LABELS)


def test_images_are_called_by_file_name_and_found_without_suffix(tmp_path: Path) -> None:
    assert image_names(["x/a.png", "x/b.png", "x/a.png"]) == ("a.png", "b.png", "a.png")
    assert image_names(["x/a.png", "y/a.png"]) == ("x/a.png", "y/a.png")
    path = tmp_path / "p.csv"
    path.write_text("image,neutral,contempt,happiness\na,1,0,0\nb.jpg,0,0,1\nzz,1,0,0\na,0,1,0\n")
    found = read_predictions(
        path, sample_ids=["1", "2", "1#2"], names=["a.png", "b.png", "a.png"], labels=LABELS
    )
    assert found.probabilities.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,neutral,happiness\n", "no column 'contempt'"),
        ("image,neutral,happiness,contempt\na.png,1,0,0\n", "no row for 3 of the split's 4"),
        ("image,neutral,happiness,contempt\na.png,1,0,0\na.png,1,0,0\n", "a row too many"),
        ("image,neutral,happiness,contempt\na.png,1,0.5,0\n", "sums to 1.500"),
        ("image,neutral,happiness,contempt\na.png,x,0,0\n", "no number"),
    ],
)
def test_wrong_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        _read(path)


def test_report_is_json_markdown_and_figures(tmp_path: Path) -> None:
    predictions = from_probabilities(IDS, LABELS, PROBABILITIES, model="m")
    report = {
        "model": "m",
        "command": "lanet-train evaluate",
        "dataset": "tiny",
        "split": "valid",
        "label_rule": "majority",
        "crops": "direct crops",
        "readings": judge(predictions, _answers([0, 1, 2, -1]), n_resamples=20),
    }
    files = write_report(report, tmp_path / "m.json")
    assert [f.name for f in files] == ["m.json", "m.md", "m.0.png", "m.1.png"]
    assert all(f.stat().st_size > 0 for f in files)
    assert json.loads((tmp_path / "m.json").read_text())["readings"].keys() == {
        "3 classes",
        "2 classes",
    }
    assert "| contempt | 1 | 0.00 % |" in to_markdown(report, [])


def test_engine_predictions_are_the_apps_own(tiny_model_path: Path) -> None:
    from lanet_engines.registry import open_engine
    from lanet_live.expression.uncertainty import softmax

    engine = open_engine(tiny_model_path, backend="onnxruntime")
    side = engine.spec.input_size_px
    crops = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    batches = [(np.array([2, 0]), crops[[2, 0]]), (np.array([1]), crops[[1]])]
    found = predict(engine, batches, ["x", "y", "z"])
    views = [crops, crops[:, :, ::-1]] if engine.spec.ensemble == "mirror" else [crops]
    logits = np.mean([engine.infer(np.ascontiguousarray(v)) for v in views], axis=0)
    engine.close()
    expected = softmax(logits, temperature=engine.spec.temperature)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
