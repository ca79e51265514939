"""Checkpoint files: whole or absent, checked when read, without pickle."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lanet_trainer.errors import CheckpointError, ConfigError
from lanet_trainer.training.checkpoint import (
    load_exactly,
    load_optimizer,
    optimizer_tensors,
    read_checkpoint,
    write_checkpoint,
)
from lanet_trainer.training.config import FitConfig


def test_tensors_and_state_come_back(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    shared = torch.arange(6.0)
    tensors = {"a/x": shared, "a/y": shared[2:4], "b": torch.ones(2, 3).t()}
    write_checkpoint(path, tensors, {"epoch": 3, "rows": [{"loss": 0.1}]})
    found = read_checkpoint(path)
    assert found.state == {"epoch": 3, "rows": [{"loss": 0.1}]}
    assert set(found.part("a/")) == {"x", "y"}
    for name, value in tensors.items():
        assert torch.equal(found.tensors[name], value)


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    write_checkpoint(path, {"x": torch.zeros(1)}, {})
    before = path.read_bytes()
    (tmp_path / ".c.safetensors.partial").mkdir()
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_checkpoint(path, {"x": torch.ones(1)}, {})
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"\xff" * 64])
def test_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(path)


def test_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of this version"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        read_checkpoint(tmp_path / "none")


def test_module_is_filled_exactly_or_not_at_all() -> None:
    layer = nn.Linear(2, 2)
    weights = dict(nn.Linear(2, 2).state_dict())
    load_exactly(layer, weights, what="layer")
    assert torch.equal(layer.weight, weights["weight"])
    for wrong in (
        {"weight": weights["weight"]},
        {**weights, "more": torch.zeros(1)},
        {**weights, "bias": torch.zeros(3)},
    ):
        with pytest.raises(CheckpointError, match="does not fit the layer"):
            load_exactly(layer, wrong, what="layer")


def test_optimizer_goes_on_as_if_never_stopped() -> None:
    torch.manual_seed(0)
    start = nn.Linear(3, 1)
    data = torch.randn(5, 3)

    def train(layer: nn.Linear, optimizer: torch.optim.Optimizer, n_steps: int) -> None:
        for _ in range(n_steps):
            optimizer.zero_grad()
            layer(data).pow(2).mean().backward()
            optimizer.step()

    def fresh() -> tuple[nn.Linear, torch.optim.Optimizer, dict[torch.Tensor, str]]:
        layer = nn.Linear(3, 1)
        layer.load_state_dict(start.state_dict())
        names: dict[torch.Tensor, str] = {p: n for n, p in layer.named_parameters()}
        return layer, torch.optim.AdamW(layer.parameters(), lr=0.1), names

    whole, optimizer, _ = fresh()
    train(whole, optimizer, 6)
    first, optimizer, names = fresh()
    train(first, optimizer, 2)
    saved = {name: value.clone() for name, value in optimizer_tensors(optimizer, names).items()}
    second, optimizer, names = fresh()
    second.load_state_dict(first.state_dict())
    load_optimizer(optimizer, saved, names)
    train(second, optimizer, 4)
    assert torch.equal(second.weight, whole.weight)
    with pytest.raises(CheckpointError, match="too many"):
        load_optimizer(optimizer, {"nobody/step": torch.zeros(1)}, names)


def test_run_record_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no training run"):
        FitConfig.read(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"mean": [0], "std": [1], "nope": 1}))
    with pytest.raises(CheckpointError, match="is damaged or was written by another version"):
        FitConfig.read(tmp_path)
