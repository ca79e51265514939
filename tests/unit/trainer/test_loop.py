"""The training loop: it learns, it resumes exactly, it keeps what was asked for."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lanet_trainer.backbones import build_backbone
from lanet_trainer.errors import CheckpointError, ConfigError, TrainerError
from lanet_trainer.methods.base import Method
from lanet_trainer.methods.registry import method_class
from lanet_trainer.seeding import seed_torch
from lanet_trainer.training.checkpoint import CHECKPOINT_FILE
from lanet_trainer.training.fit import share_batch_statistics
from lanet_trainer.training.loop import BEST_FILE, LAST_FILE, Job, TrainingLoop
from tests.training_fakes import (
    QuietWatcher,
    TinyBatches,
    tensors_of,
    tiny_backbone,
    tiny_config,
)


def _loop(folder: Path, watcher: QuietWatcher, *, width: int = 8, **changes: Any) -> TrainingLoop:
    config = tiny_config(**changes)
    batches = TinyBatches(batch_size=config.batch_size)
    seed_torch(config.seed, "weights")
    method: Method = method_class(config.method)(
        tiny_backbone(width),
        labels=batches.labels,
        targets=batches.targets,
        size_px=config.size_px,
        settings=config.method_settings(),
    )

    def validate(network: torch.nn.Module) -> dict[str, float]:
        predicted = network(batches.images).argmax(dim=1)
        return {"valid_accuracy": float((predicted == batches.labels).float().mean())}

    return TrainingLoop(
        Job(config, method, batches, validate, folder, torch.device("cpu")), watcher
    )


def test_baseline_learns_a_separable_set(tmp_path: Path) -> None:
    loop = _loop(tmp_path, QuietWatcher(), epochs=6)
    loop.run()
    assert loop.is_finished
    assert loop.history.last["valid_accuracy"] > 0.9
    assert loop.history.rows[0]["loss"] > loop.history.last["loss"]
    assert (loop.last_predicted >= 0).all()
    assert (tmp_path / "history.csv").read_text().count("\n") == 7


@pytest.mark.parametrize("stop_after_steps", [4, 6])
def test_interrupted_and_resumed_run_equals_uninterrupted(
    tmp_path: Path, stop_after_steps: int
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    _loop(whole, QuietWatcher(), settings={"dropout": 0.2}).run()
    first = _loop(parts, QuietWatcher(stop_after_steps=stop_after_steps), settings={"dropout": 0.2})
    first.run()
    assert not first.is_finished
    torch.manual_seed(99)  # whatever happened in between must not matter
    second = _loop(parts, QuietWatcher(), settings={"dropout": 0.2})
    second.restore()
    second.run()
    for name in (CHECKPOINT_FILE, LAST_FILE, BEST_FILE):
        expected, found = tensors_of(whole / name), tensors_of(parts / name)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            assert torch.equal(value, found[key]), key
    kept = [{k: v for k, v in row.items() if k != "elapsed_s"} for row in second.history.rows]
    assert [r["loss"] for r in kept] == [
        float(line.split(",")[2]) for line in (whole / "history.csv").read_text().splitlines()[1:]
    ]


def test_two_runs_with_one_seed_are_equal(tmp_path: Path) -> None:
    losses = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        watcher = QuietWatcher()
        _loop(tmp_path / name, watcher, epochs=1).run()
        losses.append(watcher.rows[-1]["loss"])
    assert losses[0] == losses[1]


def test_time_limit_stops_at_the_end_of_an_epoch(tmp_path: Path) -> None:
    loop = _loop(tmp_path, QuietWatcher())
    object.__setattr__(loop._job, "max_minutes", 1e-9)
    loop.run()
    assert not loop.is_finished
    assert len(loop.history.rows) == 1


def test_other_method_does_not_fit_the_checkpoint(tmp_path: Path) -> None:
    _loop(tmp_path, QuietWatcher(), epochs=1).run()
    other = _loop(tmp_path, QuietWatcher(), epochs=1, width=6)
    with pytest.raises(CheckpointError, match="does not fit the baseline"):
        other.restore()


def test_broken_loss_is_an_error(tmp_path: Path) -> None:
    loop = _loop(tmp_path, QuietWatcher(), learning_rate=1e30, schedule="exp", optimizer="sgd")
    with pytest.raises(TrainerError, match="lower --lr"):
        loop.run()


def test_selection_by_a_figure_that_is_not_measured_is_an_error(tmp_path: Path) -> None:
    loop = _loop(tmp_path, QuietWatcher(), epochs=1, selection="js")
    with pytest.raises(ConfigError, match="no votes"):
        loop.run()


def test_bfloat16_run_learns(tmp_path: Path) -> None:
    loop = _loop(tmp_path, QuietWatcher(), precision="bf16", epochs=4)
    loop.run()
    assert loop.history.last["train_accuracy"] > 0.6


def test_shared_statistics_change_no_name_and_no_weight() -> None:
    settings = method_class("baseline").Settings()
    method = method_class("baseline")(
        build_backbone("test_efficientnet"),
        labels=torch.zeros(4, dtype=torch.int64),
        targets=torch.eye(4),
        size_px=32,
        settings=settings,
    )
    before = {name: value.clone() for name, value in method.state_dict().items()}
    shared = share_batch_statistics(method)
    kinds = {type(module).__name__ for module in shared.modules()}
    assert any(kind.startswith("SyncBatchNorm") for kind in kinds)
    assert not any(kind.startswith("BatchNorm") for kind in kinds)
    assert before.keys() == shared.state_dict().keys()
    for name, value in shared.state_dict().items():
        assert torch.equal(value, before[name])
    assert shared.inference_network() is shared.network
