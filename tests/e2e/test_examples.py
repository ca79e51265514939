"""The scripts in examples/, run as a reader runs them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lanet_engines.onnx_model.file import read_model_file
from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
from lanet_live.sessions.events import SessionEvent, write_events
from lanet_live.sessions.layout import EVENTS_FILE
from tests.child_process import run_python
from tests.conftest import PROJECT_ROOT
from tests.real_session import record_session

EXAMPLES = PROJECT_ROOT / "examples"


def _run(name: str, *arguments: str | Path) -> list[str]:
    """Run a script, and return the lines it printed."""
    done = run_python(EXAMPLES / name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_file_is_analysed_and_its_table_read(
    demo_clip: Path, model_path: Path, tmp_path: Path
) -> None:
    found, written = _run("analyse_a_file.py", demo_clip, "--out", tmp_path, "--model", model_path)
    table = tmp_path / "demo.csv"
    assert found.endswith(" of 225 frames show a face.")
    assert written == str(table)
    first, *classes = _run("read_a_table.py", table)
    assert first.startswith(f"Face 0: {found.partition(' ')[0]} frames, ")
    shares = [float(line.split()[-1]) for line in classes]
    assert shares == sorted(shares, reverse=True)


def test_a_session_is_summed_up_after_its_marker(
    demo_clip: Path, model_path: Path, tmp_path: Path
) -> None:
    config = LiveConfig(
        sources=(SourceConfig("video", path=demo_clip),),
        engine=EngineConfig(model_path=model_path),
    )
    session = record_session(tmp_path, config, end_s=0.5)
    write_events(session / EVENTS_FILE, [SessionEvent(0.2, name="stimulus on", number=1)])
    whole, after_marker = _run("read_a_session.py", session, "--seconds", "0.2")
    assert whole.startswith("Whole session, from 0.00 s: Face 0, mostly ")
    assert after_marker.startswith("1 stimulus on, from 0.20 s: Face 0, mostly ")


def test_the_engine_computes_what_openvino_computes(model_path: Path) -> None:
    (line,) = _run("add_an_engine.py", "--model", model_path)
    assert float(line.rpartition(" ")[2]) < 1e-3


@pytest.mark.slow
def test_a_folder_of_pictures_becomes_a_model(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name in ("happiness", "sadness"):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(12):
            picture = generator.integers(0, 256, (48, 48, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / f"{number}.png"), picture)
    quick = ["--backbone", "test_resnet", "--size", "32", "--epochs", "1", "--batch-size", "8"]
    out = tmp_path / "out"
    _run("train_on_a_folder.py", tmp_path / "pictures", "--out", out, "--method", "scn", *quick)
    assert read_model_file(out / "model.onnx").spec.labels == ("happiness", "sadness")


def test_every_example_has_a_line_in_the_readme() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for script in EXAMPLES.glob("*.py"):
        assert f"`examples/{script.name}`" in readme
