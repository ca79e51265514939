"""The program answers at once and loads what it needs, when it needs it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT_ROOT

HEAVY = (
    "torch", "tensorrt", "tensorrt_rtx", "openvino", "onnxruntime", "onnx", "mediapipe", "PySide6",
    "pyqtgraph", "matplotlib", "pandas", "pyarrow", "lanet_trainer",
)  # fmt: skip
# The command line must not even wait for these before it knows what is asked of it.
MIDDLING = ("numpy", "cv2", "av", "scipy", "rich")


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT_ROOT,
        check=True,
    )


def loaded_by(statement: str, names: tuple[str, ...]) -> list[str]:
    code = f"{statement}; import sys; print(*(n for n in {names!r} if n in sys.modules))"
    return run_python("-c", code).stdout.split()


@pytest.mark.parametrize(
    "module",
    [
        "lanet_engines",
        "lanet_engines.registry",
        "lanet_live",
        "lanet_live.run.assembly",
        "lanet_live.export.exporter",
        "lanet_live.run.pipeline",
        "lanet_live.sinks.plot",
        "lanet_live.sinks.parquet",
        "lanet_live.command.doctor",
    ],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}", HEAVY) == []


def test_the_command_line_loads_nothing_before_it_knows_what_is_asked() -> None:
    assert loaded_by("import lanet_live.command.main", HEAVY + MIDDLING) == []


def test_an_export_needs_neither_torch_nor_qt(
    demo_clip: Path, model_path: Path, tmp_path: Path
) -> None:
    arguments = [
        "--video", str(demo_clip), "--duration", "0.1", "--export", "csv", "plot", "video",
        "--quiet", "--out", str(tmp_path), "--model", str(model_path),
    ]  # fmt: skip
    code = f"from lanet_live.command.main import main; assert main({arguments!r}) == 0"
    assert loaded_by(code, ("torch", "PySide6", "pyqtgraph", "pandas", "lanet_trainer")) == []


def test_help_takes_at_most_half_a_second_more_than_python_itself() -> None:
    def best_s(*arguments: str) -> float:
        times_s = []
        for _ in range(5):
            started_s = time.perf_counter()
            run_python(*arguments)
            times_s.append(time.perf_counter() - started_s)
        return min(times_s)

    assert best_s("-m", "lanet_live", "--help") - best_s("-c", "pass") < 0.5


def test_help_and_version_say_what_they_should() -> None:
    help_text = run_python("-m", "lanet_live", "--help").stdout
    for option in ("--video", "--export", "--doctor", "--smooth", "examples:"):
        assert option in help_text
    assert run_python("-m", "lanet_live", "--version").stdout.startswith("lanet-live ")
