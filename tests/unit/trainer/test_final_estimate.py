from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanet_trainer.commands.main import main
from lanet_trainer.errors import ConfigError
from lanet_trainer.labels import final_estimate
from lanet_trainer.labels.final_estimate import estimate_again, open_finished_run
from lanet_trainer.labels.mined import MinedLabels, read_mined_labels
from tests.prepared_sets import write_prepared

N_TRAIN = 40


def _fit(tmp_path: Path, *options: str, method: str = "lanet") -> Path:
    data = write_prepared(tmp_path / "data", sizes={"train": N_TRAIN, "valid": 8})
    run = tmp_path / "run"
    wanted = [
        "--method", method, "--backbone", "test_resnet", "--size", "32", "--batch-size", "8",
        "--epochs", "3", "--recipe", "quick", "--precision", "fp32", "--workers", "0",
    ]  # fmt: skip
    if method == "lanet":
        wanted += ["--set", "n_neighbours=3", "--set", "queue_size=16"]
    assert main(["fit", "--data", str(data), "--out", str(run), *wanted, *options]) == 0
    return run


def _silent(items: Iterable[Any], total: int) -> Iterable[Any]:
    items = list(items)
    assert len(items) == total
    return items


def _estimate(run: Path) -> tuple[MinedLabels, MinedLabels]:
    mined = read_mined_labels(run)
    return mined, estimate_again(open_finished_run(mined, run), track=_silent)


@pytest.mark.parametrize("landmarks", ["true", "false"])
def test_every_sample_keeps_the_label_as_far_as_the_visits_left_it(
    tmp_path: Path, landmarks: str
) -> None:
    run = _fit(tmp_path, "--set", f"use_landmarks={landmarks}", "--set", "warmup_epochs=1")
    mined, again = _estimate(run)
    final = again.distributions
    assert final.shape == (N_TRAIN, 4)
    np.testing.assert_allclose(final.sum(axis=1), 1, atol=1e-9)
    rows = np.arange(N_TRAIN)
    kept = 0.9**2  # two epochs after one of warm-up
    assert (final[rows, mined.labels] >= kept - 1e-6).all()
    assert (final >= 0).all()
    # What is not the label's own is spread as predictions are, not all alike.
    assert final[rows, mined.labels].std() > 0


def test_the_same_run_gives_the_same_estimate_in_chunks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _fit(tmp_path)
    _, whole = _estimate(run)
    monkeypatch.setattr(final_estimate, "_CHUNK", 7)
    _, parts = _estimate(run)
    np.testing.assert_allclose(whole.distributions, parts.distributions, atol=1e-6)


def test_a_run_that_never_filled_its_bank_is_refused(tmp_path: Path) -> None:
    run = _fit(tmp_path, "--set", "warmup_epochs=3")
    with pytest.raises(ConfigError, match="its warm-up is not over"):
        _estimate(run)


def test_command_takes_the_finished_network_and_says_so_of_another_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, report = _fit(tmp_path), tmp_path / "report"
    command = ["labels", str(run), "--out", str(report), "--no-gallery"]
    assert main([*command, "--final-network"]) == 0
    assert "finished network" in (report / "labels.md").read_text()
    assert f"{N_TRAIN} images" in capsys.readouterr().err
    assert main(command) == 0
    assert "finished network" not in (report / "labels.md").read_text()
    assert main(["labels", str(run), *command[1:], "--final-network"]) == 0
    text = (report / "labels.md").read_text()
    assert "finished network" in text
    assert "mean over the runs" in text
    other = tmp_path / "other"
    other.mkdir()
    slm_aea = str(_fit(other, method="slm-aea"))
    capsys.readouterr()
    # Alone, and behind one that could be asked: before that one is.
    for runs in ([slm_aea], [str(run), slm_aea]):
        assert main(["labels", *runs, "--out", str(report), "--final-network"]) == 2
        refusal = capsys.readouterr().err
        assert "slm-aea does not ask neighbours" in refusal
        assert "Asking" not in refusal
