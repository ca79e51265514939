import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lanet_live.capture import camera_list
from lanet_live.capture.camera_list import CameraInfo
from lanet_live.cli import main
from lanet_live.config import LiveConfig
from lanet_live.face.template import TEMPLATE_ID
from lanet_live.progress import ProgressBar
from lanet_live.run_summary import RunProgress
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
    with ProgressBar("clip [1].mp4", is_shown=True) as bar:
        bar.update(RunProgress(n_analysed=0, n_with_face=0, n_expected=n_expected, elapsed_s=0.0))
        bar.update(RunProgress(n_analysed=10, n_with_face=9, n_expected=n_expected, elapsed_s=0.5))
    assert capsys.readouterr().out == ""
    with ProgressBar("quiet", is_shown=False) as bar:
        bar.update(RunProgress(n_analysed=1, n_with_face=0, n_expected=None, elapsed_s=1.0))
