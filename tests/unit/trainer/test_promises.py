from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from lanet_engines.onnx_model.file import read_model_file
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.commands.main import main
from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.evaluation.conformal import measure_thresholds
from lanet_trainer.export.description import write_described
from lanet_trainer.export.promises import answer_pictures, declare_shares, fit_sets
from tests.prepared_sets import LABELS, write_prepared
from tests.tiny_model import tiny_spec, write_tiny_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    # Another order than that of the data: nothing may rely on both being the same.
    spec = tiny_spec(labels=tuple(reversed(LABELS)), alignment=TEMPLATE_ID)
    return write_tiny_model(tmp_path / "m.onnx", spec)


def test_shares_are_counted_where_the_model_was_calibrated(tmp_path: Path, model: Path) -> None:
    data = write_prepared(tmp_path / "data", sizes={"train": 4, "valid": 10})
    spec = read_model_file(model).spec
    by_label = declare_shares(spec, data)
    # Ten pictures of four classes in turn: 3, 3, 2, 2 in the order of the data.
    assert by_label.class_shares == (0.2, 0.2, 0.3, 0.3)
    assert by_label.provenance["class_shares_from"] == "tiny valid, labels"
    fitted_on_votes = replace(spec, provenance={"temperature_fitted_on": {"targets": "votes"}})
    by_vote = declare_shares(fitted_on_votes, data).class_shares
    assert by_vote == (0.22, 0.22, 0.28, 0.28)


def test_the_command_stores_shares_and_leaves_the_network(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_model_file(model)
    shares = tmp_path / "shares.csv"
    shares.write_text("class,share\nneutral,0.4\nhappiness,0.3\nsurprise,0.2\nsadness,0.1\n")
    assert main(["export", str(model), "-o", str(model), "--class-shares", str(shares)]) == 0
    assert "class shares sadness 0.100" in capsys.readouterr().out
    after = read_model_file(model)
    assert after.spec.class_shares == (0.1, 0.2, 0.3, 0.4)
    graphs = [onnx.load_from_string(m.content).graph.SerializeToString() for m in (before, after)]
    assert graphs[0] == graphs[1]


def test_sets_are_fitted_on_every_data_set_and_written_into_the_file(
    tmp_path: Path, model: Path
) -> None:
    folders = [
        str(write_prepared(tmp_path / name, sizes={"train": 4, "valid": n}, seed=n))
        for name, n in (("first", 60), ("second", 40))
    ]
    read = read_model_file(model)
    spec = fit_sets(read, read.spec, folders, 0.8, is_end_to_end=False)
    write_described(read, spec, model)
    again = read_model_file(model)
    sets = again.spec.prediction_sets
    assert sets is not None
    assert sets.coverage == 0.8
    evidence = again.spec.provenance["prediction_sets_fitted_on"]
    assert [part["n_faces"] for part in evidence["domains"]] == [60, 40]
    assert evidence["measured_on_sha256"] == read.sha256
    for folder in folders:
        split = open_prepared(folder).split("valid")
        answers = answer_pictures(model, again.spec, split, is_end_to_end=False)
        assert set(np.bincount(answers[1], minlength=4)) == {len(split) // 4}
        figures = measure_thresholds(*answers, np.array(sets.min_probabilities))
        assert figures.coverage >= 0.8


def test_what_does_not_fit_is_refused_in_one_sentence(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tmp_path / "one.json"
    one.write_text('{"neutral": 1.0}')
    few = write_prepared(tmp_path / "few", sizes={"train": 4, "valid": 3})
    other = write_prepared(tmp_path / "other", labels=("neutral", "joy"))
    start = ["export", str(model), "-o", str(tmp_path / "out.onnx")]
    cases = [
        ([*start, "--class-shares", str(one)], "has the classes neutral"),
        ([*start, "--class-shares", str(few)], "has no picture of sadness"),
        ([*start, "--class-shares", str(tmp_path / "no.csv")], "cannot be read"),
        ([*start, "--prediction-sets", str(other)], "has the classes neutral, joy"),
        ([*start, "--prediction-sets", str(few)], "no labelled face"),
        ([*start, "--coverage", "0.9"], "--coverage works together"),
        (["export", str(tmp_path), "-o", "x.onnx", "--class-shares", str(one)], "not with a run"),
    ]
    for arguments, message in cases:
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out.onnx").exists()
