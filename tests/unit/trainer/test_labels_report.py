import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lanet_trainer.commands.main import main
from lanet_trainer.labels.suspects import (
    average_precision,
    confident_shares,
    precision_at,
    rank_suspects,
)
from lanet_trainer.training.checkpoint import CHECKPOINT_FILE, write_checkpoint
from lanet_trainer.training.config import FitConfig
from lanet_trainer.training.run_folder import RunFacts
from lanet_trainer.training.training_data import choose_training_data, open_for_training
from tests.prepared_sets import write_prepared
from tests.training_fakes import tiny_config

KNOWN_FLIPS = 6


def test_suspects_are_ranked_by_how_far_another_class_beats_the_label() -> None:
    distributions = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.45, 0.35, 0.2], [0.1, 0.0, 0.9]])
    labels = np.array([0, 0, 1, 0])
    # No sample is labelled 2, so none is confidently of it; the last one is confidently of nothing.
    shares = [[2 / 5, 2 / 5, 1 / 5], [2 / 4, 1 / 4, 1 / 4], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(confident_shares(distributions, labels), shares)
    suspects = rank_suspects(distributions, labels)
    assert suspects.order.tolist() == [1, 3, 2, 0]
    assert suspects.suggested.tolist() == [1, 1, 0, 2]
    np.testing.assert_allclose(suspects.evidence, [-0.8, 0.5 * 2 / 5, 0.1 * 2 / 4, 0.8 / 5])
    assert suspects.n_contradicted == 3


def test_frequent_kind_of_mistake_goes_before_a_stray_one_of_the_same_strength() -> None:
    is_0, is_1, is_2 = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]
    # Of the images labelled 1 one looks like 2, and forty look like 0.
    looks = np.array([is_0] * 60 + [is_1] * 60 + [is_2] * 60 + [is_2] + [is_0] * 40)
    labels = np.repeat([0, 1, 2, 1], [60, 60, 60, 41])
    suspects = rank_suspects(looks, labels)
    assert suspects.order[:41].tolist() == [*range(181, 221), 180]


def test_precision_counts_true_flips_at_the_top() -> None:
    order = np.arange(150)
    is_flipped = np.arange(150) < 50
    assert precision_at(order, is_flipped) == {100: 0.5}
    assert average_precision(order, is_flipped) == 1.0
    assert np.isnan(average_precision(order, np.zeros(150, dtype=bool)))
    hand = average_precision(np.array([0, 1, 2]), np.array([True, False, True]))
    assert hand == pytest.approx((1 + 2 / 3) / 2)


def _write_run(
    tmp_path: Path, *, method: str = "lanet", buffer: str = "bank", certainty: float = 0.7
) -> Path:
    """A run whose bank knows the clean labels and doubts the flipped ones."""
    data = write_prepared(
        tmp_path / "data", sizes={"train": 60, "valid": 4},
        labels=("neutral", "happiness", "surprise", "sadness", "anger", "disgust"),
    )  # fmt: skip
    run = tmp_path / "run"
    run.mkdir()
    config = tiny_config(data=str(data), method=method, noise="symmetric:0.1:exact")
    chosen = choose_training_data(open_for_training(config), config)
    config.write(run)
    facts = RunFacts(
        dataset="tiny", labels=chosen.split.class_names, n_train=60, n_valid=4,
        initialisation="random", noise=chosen.noise, is_trained_on_valid=False, n_processes=1,
        command="lanet-train fit",
    )  # fmt: skip
    facts.write(run)
    clean = np.eye(6)[chosen.clean_labels]
    bank = torch.tensor(certainty * clean + (1 - certainty) / 6, dtype=torch.float32)
    tensors = {f"method/{buffer}": bank.log() if method == "slm-aea" else bank}
    write_checkpoint(run / CHECKPOINT_FILE, tensors, {"position": {"epoch": 3}})
    return run


@pytest.mark.parametrize(("method", "buffer"), [("lanet", "bank"), ("slm-aea", "label_logits")])
def test_report_finds_the_known_flips_and_measures_the_way_to_the_votes(
    tmp_path: Path, method: str, buffer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = _write_run(tmp_path, method=method, buffer=buffer), tmp_path / "report"
    assert main(["labels", str(run), "--out", str(out)]) == 0
    report = json.loads((out / "labels.json").read_text())
    assert report["n_contradicted"] == KNOWN_FLIPS
    flips = report["against_known_flips"]
    assert flips["n_flipped"] == KNOWN_FLIPS
    assert flips["average_precision"] == flips["precision_of_contradicted"] == 1.0
    assert flips["recall_of_contradicted"] == flips["corrected"] == 1.0
    distances = report["js_to_votes"]
    assert distances["mined_distributions"]["value"] < distances["one_hot_labels"]["value"]
    assert distances["difference"]["low"] < distances["difference"]["value"]
    groups = distances["by_agreement"]  # five of ten votes for the label, one for each other class
    assert [(group["from"], group["n"]) for group in groups] == [(0.5, 60)]
    assert groups[0]["mined_distributions"] == distances["mined_distributions"]["value"]
    rows = list(csv.DictReader((out / "suspects.csv").read_text().splitlines()))
    assert len(rows) == KNOWN_FLIPS
    assert all(row["suggested"] == row["known_label"] != row["label"] for row in rows)
    assert [row["rank"] for row in rows] == [str(i) for i in range(1, 7)]
    assert (out / "gallery.png").read_bytes().startswith(b"\x89PNG")
    assert "gallery.png" in (out / "labels.md").read_text()
    assert "6 suspect labels" in capsys.readouterr().out


def test_gallery_can_be_left_out(tmp_path: Path) -> None:
    run, out = _write_run(tmp_path), tmp_path / "report"
    assert main(["labels", str(run), "--out", str(out), "--no-gallery"]) == 0
    assert not (out / "gallery.png").exists()
    assert "gallery" not in (out / "labels.md").read_text()


def test_moved_data_are_found_by_option_and_other_data_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = _write_run(tmp_path), str(tmp_path / "report")
    moved = (tmp_path / "data").rename(tmp_path / "moved")
    command = ["labels", str(run), "--out", out, "--no-gallery"]
    assert main(command) == 2
    assert main([*command, "--data", str(moved)]) == 0
    other = write_prepared(tmp_path / "other", sizes={"train": 30, "valid": 4})
    capsys.readouterr()
    assert main([*command, "--data", str(other)]) == 2
    assert "labels differ" in capsys.readouterr().err


def test_a_method_that_mines_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _write_run(tmp_path)
    values = FitConfig.read(run)
    replace(values, method="baseline").write(run)
    assert main(["labels", str(run), "--out", str(tmp_path / "report")]) == 2
    assert "mines no label distributions" in capsys.readouterr().err


def test_a_checkpoint_without_a_bank_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _write_run(tmp_path, buffer="something")
    assert main(["labels", str(run), "--out", str(tmp_path / "report")]) == 2
    assert "no label distributions that fit" in capsys.readouterr().err


def test_several_runs_on_the_same_labels_are_averaged(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    sure = _write_run(tmp_path)
    unsure = _write_run(tmp_path / "other", certainty=0.4)
    out = tmp_path / "report"
    assert main(["labels", str(sure), str(unsure), "--out", str(out), "--no-gallery"]) == 0
    rows = list(csv.DictReader((out / "suspects.csv").read_text().splitlines()))
    # The mean certainty is 0.55, and 0.45 / 6 goes to every class.
    assert {row[f"mined:{row['known_label']}"] for row in rows} == {"0.6250"}
    report = json.loads((out / "labels.json").read_text())
    assert [run["epochs_done"] for run in report["runs"]] == [3, 3]
    text = (out / "labels.md").read_text()
    assert "mean over the runs" in text
    assert text.count("`lanet-train fit`, 3 epochs") == len(report["runs"])
    assert main(["labels", str(sure), "--out", str(out), "--no-gallery"]) == 0
    assert "mean over the runs" not in (out / "labels.md").read_text()


def test_runs_on_different_labels_have_no_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    one, other = _write_run(tmp_path), _write_run(tmp_path / "other")
    config = replace(FitConfig.read(other), noise="none")
    chosen = choose_training_data(open_for_training(config), config)
    config.write(other)
    replace(RunFacts.read(other), noise=chosen.noise).write(other)
    assert main(["labels", str(one), str(other), "--out", str(tmp_path / "report")]) == 2
    assert "trained on different labels" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()
