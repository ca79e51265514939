"""What is kept of a run: every method's network, built again from its folder and exported."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lanet_trainer.errors import ConfigError
from lanet_trainer.export.export import TOLERANCE, ExportOptions, export_run
from lanet_trainer.methods.registry import METHODS
from lanet_trainer.training.loop import Job, TrainingLoop
from lanet_trainer.training.run_folder import RunFacts, build_method, load_network
from tests.training_fakes import QuietWatcher, TinyBatches, tiny_config

CLASSES = ("happiness", "neutral", "surprise")
FACTS = RunFacts(
    dataset="tiny",
    labels=CLASSES,
    n_train=32,
    n_valid=0,
    initialisation="random",
    noise={},
    is_trained_on_valid=False,
    n_processes=1,
    command="lanet-train fit",
)


def train(folder: Path, method: str, settings: dict[str, Any]) -> TrainingLoop:
    config = tiny_config(
        method=method, backbone="test_resnet", epochs=1, settings=settings, include_valid=True
    )
    batches = TinyBatches()
    built = build_method(config, labels=batches.labels, targets=batches.targets)
    loop = TrainingLoop(
        Job(config, built, batches, None, folder, torch.device("cpu")), QuietWatcher()
    )
    config.write(folder)
    FACTS.write(folder)
    loop.run()
    return loop


@pytest.mark.parametrize("method", METHODS)
def test_network_is_built_again_from_the_folder(method: str, tmp_path: Path) -> None:
    settings = {"n_neighbours": 3, "queue_size": 20} if method == "lanet" else {}
    loop = train(tmp_path, method, settings)
    network, spec = load_network(tmp_path, weights="last")
    images = TinyBatches().images[:4]
    trained = loop.inference_network.eval()
    with torch.no_grad():
        assert torch.allclose(network(images), trained(images), atol=1e-5)
    assert spec.labels == CLASSES


@pytest.mark.slow
@pytest.mark.parametrize("method", ["rul", "slm-aea"])  # the others export the baseline's network
def test_other_networks_than_the_baselines_are_exported(method: str, tmp_path: Path) -> None:
    train(tmp_path, method, {})
    summary = export_run(tmp_path, tmp_path / "model.onnx", ExportOptions())
    assert summary.difference < TOLERANCE


def test_network_that_mixes_images_is_not_exported(tmp_path: Path) -> None:
    train(tmp_path, "slm-aea", {"eval_mean": "batch"})
    with pytest.raises(ConfigError, match="eval_mean"):
        export_run(tmp_path, tmp_path / "model.onnx", ExportOptions())
