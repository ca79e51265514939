"""Every method through the training loop: it learns, and it resumes exactly."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lanet_trainer.methods.registry import METHODS, method_class
from lanet_trainer.seeding import seed_torch
from lanet_trainer.training.checkpoint import CHECKPOINT_FILE
from lanet_trainer.training.loop import Job, TrainingLoop
from tests.training_fakes import (
    QuietWatcher,
    TinyBatches,
    tensors_of,
    tiny_backbone,
    tiny_config,
)

# LA-Net's neighbours must fit a batch of 8; the others' state must begin to change early enough.
SMALL: dict[str, dict[str, Any]] = {"lanet": {"n_neighbours": 3, "queue_size": 20}}
EARLY: dict[str, dict[str, Any]] = {
    **SMALL,
    "scn": {"relabel_from_epoch": 2, "relabel_margin": 0.0},
    "slm-aea": {"beta": 1.0},
}


def make_loop(folder: Path, method: str, watcher: QuietWatcher, **changes: Any) -> TrainingLoop:
    folder.mkdir(exist_ok=True)
    config = tiny_config(method=method, **changes)
    batches = TinyBatches(batch_size=config.batch_size)
    seed_torch(config.seed, "weights")
    built = method_class(method)(
        tiny_backbone(),
        labels=batches.labels,
        targets=batches.targets,
        size_px=config.size_px,
        settings=config.method_settings(),
    )
    job = Job(config, built, batches, None, folder, torch.device("cpu"))
    return TrainingLoop(job, watcher)


@pytest.mark.parametrize("method", METHODS)
def test_resumed_run_equals_uninterrupted(method: str, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    settings = EARLY.get(method, {})
    make_loop(whole, method, QuietWatcher(), settings=settings).run()
    stopper = QuietWatcher(stop_after_steps=6)  # in the second of three epochs of 4 steps
    make_loop(parts, method, stopper, settings=settings).run()
    torch.manual_seed(99)  # whatever happened in between must not matter
    resumed = make_loop(parts, method, QuietWatcher(), settings=settings)
    resumed.restore()
    resumed.run()
    expected, found = tensors_of(whole / CHECKPOINT_FILE), tensors_of(parts / CHECKPOINT_FILE)
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        assert torch.equal(value, found[key]), key


@pytest.mark.parametrize("method", METHODS)
def test_method_learns_a_separable_set(method: str, tmp_path: Path) -> None:
    loop = make_loop(tmp_path, method, QuietWatcher(), epochs=8, settings=SMALL.get(method, {}))
    loop.run()
    batches = TinyBatches()
    network = loop.inference_network.eval()
    with torch.no_grad():
        predicted = network(batches.images).argmax(dim=1)
        alone = torch.cat([network(image[None]) for image in batches.images[:4]])
        together = network(batches.images)[:4]
    assert (predicted == batches.labels).float().mean() > 0.8
    assert torch.allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_bfloat16_run_has_finite_losses(method: str, tmp_path: Path) -> None:
    watcher = QuietWatcher()
    make_loop(
        tmp_path, method, watcher, precision="bf16", epochs=1, settings=SMALL.get(method, {})
    ).run()
    assert watcher.rows[-1]["loss"] > 0
