"""The command line: quick help, one sentence for each refusal, Ctrl-C keeps the checkpoint."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lanet_trainer.commands import main as cli
from tests.prepared_sets import write_prepared

PROJECT_ROOT = Path(__file__).resolve().parents[3]


def test_help_loads_no_heavy_package() -> None:
    code = (
        "import sys; from lanet_trainer.commands.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'cv2', 'mediapipe', 'pandas', 'onnx'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert finished.returncode == 0, finished.stderr
    for command in ("prepare", "fit", "evaluate", "export", "build", "benchmark", "labels"):
        assert command in finished.stdout


@pytest.mark.parametrize("command", ["fit", "evaluate", "export", "benchmark"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: lanet-train {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["fit", "--nope"], ["nope"], ["evaluate"]])
def test_unknown_option_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2


def test_missing_extra_is_one_sentence() -> None:
    code = (
        "import sys; sys.modules['timm'] = None\n"
        "from lanet_trainer.commands.main import main\n"
        "sys.exit(main(['fit', '--data', 'd', '--out', 'o']))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert finished.returncode == 2
    assert finished.stderr == (
        "lanet-train: The package timm is not installed; training needs the [train] extra: "
        "pip install 'lanet-live[train]'.\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ending_the_group_keeps_a_checkpoint_to_go_on_from(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C in a terminal and the end of a batch job reach the loader's workers as well."""
    data = write_prepared(tmp_path / "tiny", sizes={"train": 1000, "valid": 8})
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "lanet_trainer.commands.main",
        "fit",
        "--out",
        str(out),
        "--log-every",
        "1",
    ]
    options = ["--data", str(data), "--method", "baseline", "--backbone", "test_resnet"]
    options += ["--size", "96", "--batch-size", "100", "--epochs", "100000", "--workers", "1"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=PROJECT_ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    assert process.stderr is not None
    first_line = process.stderr.readline()
    assert "epoch 1/100000" in first_line
    _wait_for_a_busy_worker(process.pid)
    os.killpg(process.pid, number)
    _, rest = process.communicate(timeout=120)
    assert process.returncode == 130
    assert rest.splitlines()[-1].startswith("Interrupted; the checkpoint is kept.")
    assert "Traceback" not in rest
    assert cli.main(["fit", "--out", str(out), "--resume", "--quiet", "--max-minutes", "1e-9"]) == 0


def _wait_for_a_busy_worker(pid: int) -> None:
    """Between two epochs there is no worker."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(child.cpu_times().user > 0.1 for child in psutil.Process(pid).children()):
                return
        time.sleep(0.01)
    pytest.fail("no worker was at work within a minute")
