import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lanet_trainer.methods.contrastive import EMPTY_LABEL
from tests import distributed_state

PROJECT_ROOT = Path(distributed_state.__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def two_process_states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the end states of a run of two processes on the CPU."""
    folder = tmp_path_factory.mktemp("two-processes")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "tests.distributed_state", str(folder),
    ]  # fmt: skip
    finished = subprocess.run(
        command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lanet", "scn", "slm-aea"])
def test_two_processes_end_like_one_with_the_same_global_batches(
    two_process_states: Path, name: str
) -> None:
    together = load_file(two_process_states / f"{name}.safetensors")
    alone = distributed_state.run(name)
    assert set(together) == set(alone)
    for key, expected in alone.items():
        if expected.is_floating_point():
            assert torch.allclose(together[key], expected, atol=2e-5), key
        else:
            assert torch.equal(together[key], expected), key


def test_the_compared_runs_change_their_state() -> None:
    lanet = distributed_state.run("lanet")
    assert not torch.equal(lanet["bank"], lanet["targets"])
    assert lanet["queue.pointer"].item() == 24 % 20
    assert (lanet["queue.labels"] != EMPTY_LABEL).all()
    scn = distributed_state.run("scn")
    given = distributed_state._method("scn").labels
    assert not torch.equal(scn["labels"], given)
