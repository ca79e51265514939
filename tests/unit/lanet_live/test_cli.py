import json
import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from lanet_engines.base import Engine
from lanet_engines.errors import BuildInterrupted
from lanet_engines.options import OpenOptions
from lanet_engines.storage.cache import EngineCache
from lanet_live.capture import camera_list
from lanet_live.capture.camera_list import CameraInfo
from lanet_live.command.main import main
from lanet_live.command.progress import ProgressDisplay
from lanet_live.config import LiveConfig
from lanet_live.face.template import TEMPLATE_ID
from lanet_live.run_summary import RunProgress
from tests.tiny_artefact import KEY, fill
from tests.tiny_model import tiny_spec, write_tiny_model


def test_without_export_the_window_gets_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[LiveConfig] = []

    def run_gui(config: LiveConfig) -> int:
        given.append(config)
        return 7

    window = ModuleType("lanet_live.gui.app")
    monkeypatch.setattr(window, "run_gui", run_gui, raising=False)
    monkeypatch.setitem(sys.modules, "lanet_live.gui.app", window)
    assert main(["--video", "clip.mp4", "--max-faces", "2"]) == 7
    assert given[0].sources[0].path == Path("clip.mp4")
    assert given[0].max_faces == 2
    assert given[0].command == "lanet-live --video clip.mp4 --max-faces 2"


def test_a_missing_qt_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lanet_live.gui.app", None)
    assert main([]) == 2
    assert "With --export everything works without it." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cameras", "text"),
    [
        ((CameraInfo(0, "Logitech C920"), CameraInfo(2, "USB")), "0  Logitech C920\n2  USB\n"),
        ((), "No camera was found.\n"),
    ],
)
def test_list_cameras(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cameras: tuple[CameraInfo, ...],
    text: str,
) -> None:
    monkeypatch.setattr(camera_list, "list_cameras", lambda: cameras)
    assert main(["--list-cameras"]) == 0
    assert capsys.readouterr().out == text


def test_doctor_reports_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_tiny_model(tmp_path / "m.onnx", tiny_spec(alignment=TEMPLATE_ID))
    assert main(["--doctor", "--json", "--model", str(model)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["problems"] == []


def test_an_error_of_our_own_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frobnicate"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [
        "lanet-live: There is no option --frobnicate. See lanet-live --help."
    ]


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> tuple[CameraInfo, ...]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(camera_list, "list_cameras", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["--list-cameras"])


@pytest.mark.parametrize("n_expected", [None, 100])
def test_the_progress_bar_takes_known_and_unknown_lengths(
    n_expected: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressDisplay(is_shown=True) as display:
        bar = display.bar("clip [1].mp4")
        bar.update(RunProgress(n_analysed=0, n_with_face=0, n_expected=n_expected, elapsed_s=0.0))
        bar.update(RunProgress(n_analysed=10, n_with_face=9, n_expected=n_expected, elapsed_s=0.5))
    assert capsys.readouterr().out == ""
    with ProgressDisplay(is_shown=False) as display:
        bar = display.bar("quiet")
        bar.update(RunProgress(n_analysed=1, n_with_face=0, n_expected=None, elapsed_s=1.0))


def compile_first(model_path: Path, options: OpenOptions, *, backend: str) -> Engine:
    """Open the tiny model as if it had to be compiled; Ctrl-C is pressed half-way."""
    assert options.on_progress is not None
    assert options.on_progress("Compiling for TensorRT", 0.0)
    os.kill(os.getpid(), signal.SIGINT)
    deadline_s = time.monotonic() + 20
    while options.on_progress("Compiling for TensorRT", 0.5):
        assert time.monotonic() < deadline_s
    raise BuildInterrupted("Compiling was interrupted.")


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send itself Ctrl-C alone")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ctrl_c_while_the_engine_is_compiled_ends_cleanly_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lanet_live.run.assembly.open_with_options", compile_first)
    model = write_tiny_model(tmp_path / "m.onnx", tiny_spec(alignment=TEMPLATE_ID))
    out = tmp_path / "out"
    arguments = ["--synthetic", "--export", "csv", "--model", str(model), "--out", str(out)]
    before = signal.getsignal(signal.SIGINT)
    assert main(arguments) == 130
    assert capsys.readouterr().err == "lanet-live: Interrupted.\n"
    assert signal.getsignal(signal.SIGINT) is before
    assert not out.exists() or not list(out.iterdir())


def test_progress_of_compiling_is_shown_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with ProgressDisplay(is_shown=True) as display:
        bar = display.bar("clip.mp4")
        bar.show_compiling("Compiling for TensorRT", 0.45)
    output = capsys.readouterr()
    assert output.out == ""
    assert "compiling for TensorRT, once: 45%" in output.err
    with ProgressDisplay(is_shown=False) as display:
        bar = display.bar("quiet")
        bar.show_compiling("Compiling for TensorRT", 0.45)


def test_clear_cache_says_what_it_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "lanet_engines.storage.cache.default_cache_folder", lambda: tmp_path / "cache"
    )
    entry = EngineCache().get_or_build(KEY, lambda folder: fill(folder, n_bytes=3_000_000))
    assert main(["--clear-cache"]) == 0
    cache = tmp_path / "cache"
    assert capsys.readouterr().out == f"Removed 3.0 MB of built engines from {cache}.\n"
    assert not entry.folder.exists()
