"""`torchrun … lanet-train fit`: two processes train what one process trains."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lanet_trainer.training.loop import LAST_FILE
from tests.prepared_sets import write_prepared
from tests.training_fakes import tensors_of

PROJECT_ROOT = Path(__file__).resolve().parents[3]


def _fit(data: Path, out: Path, *, n_processes: int, options: tuple[str, ...] = ()) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [
        sys.executable,
        *(launcher if n_processes == 2 else []),
        "-m",
        "lanet_trainer.commands.main",
        "fit",
    ]
    # Layer norm in place of batch norm, whose statistics are each process's own on a CPU.
    command += ["--backbone", "test_convnext", "--size", "32", "--precision", "fp32", "--quiet"]
    command += ["--data", str(data), "--out", str(out), "--workers", "0", "--threads", "1"]
    command += ["--method", "baseline", "--recipe", "quick", "--batch-size", "8", "--epochs", "2"]
    finished = subprocess.run(
        [*command, *options],
        check=False,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )
    assert finished.returncode == 0, finished.stderr[-2000:]


@pytest.mark.slow
def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "tiny", sizes={"train": 16, "valid": 8})
    one, two = tmp_path / "one", tmp_path / "two"
    _fit(data, one, n_processes=1)
    _fit(data, two, n_processes=2, options=("--max-minutes", "1e-9"))
    assert not json.loads((two / "result.json").read_text())["is_finished"]
    _fit(data, two, n_processes=2, options=("--resume",))
    assert json.loads((two / "run.json").read_text())["n_processes"] == 2
    losses = []
    for folder in (one, two):
        with (folder / "history.csv").open() as file:
            losses.append([float(row["loss"]) for row in csv.DictReader(file)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    alone, together = tensors_of(one / LAST_FILE), tensors_of(two / LAST_FILE)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-3, atol=1e-4)
