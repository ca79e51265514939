"""`lanet-train fit`, `evaluate` and `export` on a tiny data set, and what they refuse."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.registry import open_engine
from lanet_trainer.commands.main import main
from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.training.loader import EvalLoader
from lanet_trainer.training.torch_engine import TorchEngine
from tests.prepared_sets import LABELS, write_prepared


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(
        tmp_path_factory.mktemp("data") / "tiny", sizes={"train": 48, "valid": 16}
    )


def _fit(data: Path, out: Path, *options: str) -> int:
    fixed = ["--backbone", "test_resnet", "--size", "32", "--workers", "0", "--quiet"]
    quick = ["--recipe", "quick", "--batch-size", "16", "--epochs", "2", "--method", "baseline"]
    return main(["fit", "--data", str(data), "--out", str(out), *fixed, *quick, *options])


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "a"
    assert _fit(data, out, "--epochs", "6", "--ema", "0.8") == 0
    return out


def test_fit_reports_last_mean_and_best(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    assert result["is_finished"]
    assert result["best_chosen_by"] == "valid_accuracy"
    assert result["best"]["valid_accuracy"] >= result["last"]["valid_accuracy"]
    assert result["mean_of_last_5"]["n_epochs"] == 5
    assert {"valid_js", "valid_macro_f1", "valid_spearman_uncertainty_votes"} <= set(result["last"])
    facts = json.loads((run / "run.json").read_text())
    assert facts["labels"] == list(LABELS)
    assert "/" not in facts["command"]
    assert len(facts["noise"]["hash"]) == 64


def test_evaluate_writes_a_row_for_every_image(run: Path, data: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", str(run), "--data", str(data), "--split", "valid", "--resamples", "20"]
    arguments += ["--json", str(tmp_path / "m.json"), "--predictions", str(tmp_path / "p.csv")]
    assert main([*arguments, "--duplicates-of", "train"]) == 0
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [f"{i}.png" for i in range(16)]
    for row in rows:
        assert sum(float(row[label]) for label in LABELS) == pytest.approx(1, abs=1e-4)
    report = json.loads((tmp_path / "m.json").read_text())
    assert "4 classes, without copies of train images" in report["readings"]
    again = tmp_path / "again.json"
    table = ["evaluate", str(tmp_path / "p.csv"), "--data", str(data), "--resamples", "20"]
    assert main([*table, "--json", str(again)]) == 0
    first = report["readings"]["4 classes"]["metrics"]["accuracy"]
    assert json.loads(again.read_text())["readings"]["4 classes"]["metrics"]["accuracy"] == first


def test_a_sample_is_drawn_from_the_images_with_a_label(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"json": tmp_path / "m.json", "predictions": tmp_path / "p.csv"}
    arguments = ["evaluate", str(run), "--data", str(data), "--resamples", "5", "--sample", "6"]
    outputs = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert main([*arguments, *outputs]) == 0
    report = json.loads(files["json"].read_text())
    assert (report["n_sampled"], report["n_images_in_split"]) == (6, 6)
    with files["predictions"].open() as file:
        first = [row["image"] for row in csv.DictReader(file)]
    assert len(set(first)) == 6
    assert main([*arguments, *outputs, "--seed", "1"]) == 0
    with files["predictions"].open() as file:
        assert [row["image"] for row in csv.DictReader(file)] != first
    assert main([*arguments, "--sample", "17"]) == 2
    assert "Between 1 and 16 images" in capsys.readouterr().err


def test_exported_model_answers_as_the_run(run: Path, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    options = ["--ensemble", "mirror", "--calibrate", str(data), "--name", "tiny"]
    assert main(["export", str(run), "-o", str(path), *options]) == 0
    spec = read_model_file(path).spec
    assert (spec.name, spec.ensemble, spec.labels) == ("tiny", "mirror", LABELS)
    assert spec.temperature != 1
    assert spec.provenance["recipe"]["method"] == "baseline"
    assert str(data) not in spec.to_json()
    _, crops = next(iter(EvalLoader(open_prepared(data).split("valid"), size_px=32)))
    engine = open_engine(path, backend="onnxruntime")
    expected = TorchEngine.from_run(run).infer(crops)
    np.testing.assert_allclose(engine.infer(crops), expected, atol=1e-4)
    engine.close()
    assert main(["evaluate", str(path), "--data", str(data), "--resamples", "5"]) == 0


def test_calibration_by_label_is_another_than_by_votes(
    run: Path, data: Path, tmp_path: Path
) -> None:
    fitted = {}
    for measure in ("js", "label"):
        path = tmp_path / f"{measure}.onnx"
        options = ["--calibrate", str(data), "--calibrate-by", measure]
        assert main(["export", str(run), "-o", str(path), *options]) == 0
        spec = read_model_file(path).spec
        fitted[spec.provenance["temperature_fitted_on"]["targets"]] = spec.temperature
    assert fitted.keys() == {"votes", "labels"}
    assert fitted["votes"] != fitted["labels"]


def test_offsets_are_in_the_exported_network(run: Path, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    options = ["--calibrate", str(data), "--calibrate-by", "label+offsets"]
    assert main(["export", str(run), "-o", str(path), *options]) == 0
    fitted_on = read_model_file(path).spec.provenance["temperature_fitted_on"]
    _, crops = next(iter(EvalLoader(open_prepared(data).split("valid"), size_px=32)))
    engine = open_engine(path, backend="onnxruntime")
    expected = TorchEngine.from_run(run).infer(crops) + np.array(fitted_on["offsets"])
    np.testing.assert_allclose(engine.infer(crops), expected, atol=2e-4)
    engine.close()


def test_noise_is_recorded_and_watched(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "noisy"
    assert _fit(data, out, "--noise", "symmetric:0.3:exact", "--epochs", "1") == 0
    result = json.loads((out / "result.json").read_text())
    assert result["noise"]["n_flipped"] == 14
    assert result["on_flipped_labels"]["n_samples"] <= 14


def test_votes_train_and_validation_can_join(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "all"
    assert _fit(data, out, "--targets", "votes", "--include-valid", "--epochs", "1") == 0
    result = json.loads((out / "result.json").read_text())
    assert result["best"] is None
    facts = json.loads((out / "run.json").read_text())
    assert (facts["n_train"], facts["is_trained_on_valid"]) == (64, True)
    assert main(["export", str(out), "-o", str(tmp_path / "m.onnx")]) == 0


def test_finished_run_resumes_to_nothing(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "a"
    assert _fit(data, out, "--epochs", "1") == 0
    before = (out / "last.safetensors").read_bytes()
    assert _fit(data, out, "--epochs", "1", "--resume") == 0
    assert (out / "last.safetensors").read_bytes() == before


def test_run_resumes_with_its_own_options(data: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert _fit(data, whole, "--epochs", "2", "--tensorboard") == 0
    assert list((whole / "tensorboard").iterdir())
    assert _fit(data, parts, "--epochs", "2", "--max-minutes", "1e-9") == 0
    assert not json.loads((parts / "result.json").read_text())["is_finished"]
    assert main(["fit", "--out", str(parts), "--resume", "--quiet"]) == 0
    weights = [(folder / "last.safetensors").read_bytes()[-1000:] for folder in (whole, parts)]
    assert weights[0] == weights[1]


def test_run_does_not_resume_on_other_samples(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a"
    assert _fit(data, out, "--epochs", "1") == 0
    other = write_prepared(tmp_path / "other", sizes={"train": 40, "valid": 8})
    assert main(["fit", "--out", str(out), "--resume", "--data", str(other)]) == 2
    assert "other samples or labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "lanett"], "no method called 'lanett'. Did you mean 'lanet'?"),
        (["--set", "label_smoothin=0.1"], "Did you mean 'label_smoothing'?"),
        (["--set", "label_smoothing=much"], "takes a number, got 'much'"),
        (["--set", "label_smoothing"], "--set takes name=value"),
        (["--backbone", "resnet17"], "no backbone called 'resnet17'"),
        (["--noise", "salty:0.1"], "--noise 'salty:0.1' is not known"),
        (["--augment", "wild"], "--augment must be one of"),
        (["--batch-size", "64"], "larger than the training set of 48 images"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--pretrained", "nowhere.pth"], "No weights at 'nowhere.pth'"),
        (["--noise", "symmetric:0.1", "--targets", "votes"], "does not go with --targets votes"),
        (["--precision", "fp16"], "fp16 needs a GPU"),
    ],
)
def test_fit_refuses_with_one_sentence(
    data: Path,
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _fit(data, tmp_path / "x", *options) == 2
    printed = capsys.readouterr().err
    assert re.fullmatch(r"lanet-train: .*\n", printed)
    assert message in printed


def test_missing_data_and_runs_are_named(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [
        (["fit", "--data", str(tmp_path), "--out", str(tmp_path / "x")], "no prepared data set"),
        (["export", str(tmp_path), "-o", str(tmp_path / "m.onnx")], "holds no training run"),
        (["export", str(run), "-o", str(tmp_path / "m.bin")], "must end in .onnx"),
        (["evaluate", str(tmp_path / "no"), "--data", str(data)], "There is no model"),
        (["evaluate", str(run), "--data", str(data), "--split", "test"], "has no split 'test'"),
    ]
    for arguments, message in cases:
        assert main(arguments) == 2
        assert message in capsys.readouterr().err


def test_other_options_do_not_resume_a_run(
    run: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit(data, run, "--epochs", "6", "--ema", "0.8") == 2
    assert "holds a run already" in capsys.readouterr().err
    assert _fit(data, run, "--epochs", "7", "--ema", "0.8", "--resume") == 2
    assert "epochs = 6 and cannot be resumed with 7" in capsys.readouterr().err


def test_damaged_weights_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("config.json", "run.json"):
        (broken / name).write_bytes((run / name).read_bytes())
    content = (run / "best.safetensors").read_bytes()
    (broken / "best.safetensors").write_bytes(content[: len(content) // 2])
    assert main(["export", str(broken), "-o", str(tmp_path / "m.onnx")]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_class_without_samples_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_prepared(tmp_path / "three", sizes={"train": 3, "valid": 4})
    assert _fit(folder, tmp_path / "x", "--batch-size", "2") == 2
    assert "No training sample is labelled sadness" in capsys.readouterr().err
