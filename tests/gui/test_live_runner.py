"""The window over the real runner, with a simulated camera and a pipeline without a model."""

import os
from pathlib import Path

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QWidget

from lanet_live.config import SourceConfig
from lanet_live.drawing.palette import class_colors
from lanet_live.expression.profile_store import ProfileStore
from lanet_live.gui.live.baseline_dialog import BaselineContext, BaselineDialog
from lanet_live.run.live_events import RunState
from lanet_live.sessions.reader import open_session
from tests.gui.live_window import LiveWindow

pytestmark = pytest.mark.gui
FULL_DISK = Path("/dev/full")


@pytest.fixture
def opened(qtbot, settings_path, tmp_path):
    live_window = LiveWindow(qtbot, settings_path, tmp_path)
    yield live_window
    live_window.close()


def test_a_vanished_camera_comes_back_and_the_plot_keeps_its_past(opened):
    history = opened.live.book.histories[0]
    states = []
    opened.live.status_changed.connect(lambda facts: states.append(facts.state))
    opened.pulled.set()
    opened.wait(lambda: "Waiting for the camera" in states)
    assert "does not answer" in opened.window.banner.text
    n_before = len(history)
    opened.wait(lambda: len(history) > n_before + 5)
    assert opened.live.book.histories[0] is history
    times_s = history.stretch(0, 1e6, max_points=100_000).start_s
    assert (times_s[1:] - times_s[:-1]).max() >= 0.25  # the absence is a gap in the times
    opened.wait(lambda: opened.window.status.text("state") == "Running")


@pytest.mark.skipif(not FULL_DISK.exists(), reason="this system has no /dev/full")
def test_a_full_disk_ends_the_recording_with_a_message_and_keeps_what_is_there(opened, tmp_path):
    opened.live.actions_by_key["record"].trigger()
    recorder = opened.live.recording._recorder
    opened.wait(lambda: recorder.counts.n_frames > 5)
    with FULL_DISK.open("wb", buffering=0) as full:  # the table's file is on that disk from now on
        os.dup2(full.fileno(), recorder._table._file._file.fileno())
    opened.wait(lambda: "disk is full" in opened.window.banner.text)
    opened.wait(lambda: not opened.live.recording.is_recording)
    assert opened.live.run.state is RunState.RUNNING
    (folder,) = (tmp_path / "sessions").iterdir()
    opened.wait(lambda: open_session(folder).document["status"] == "partial")
    assert "disk is full" in open_session(folder).notice
    assert len((folder / "frames.csv").read_text().splitlines()) > 5


def test_recording_ends_whole_when_the_window_is_closed(opened, tmp_path):
    opened.live.actions_by_key["record"].trigger()
    recorder = opened.live.recording._recorder
    opened.wait(lambda: recorder.counts.n_frames > 5)
    opened.window.close()
    (folder,) = (tmp_path / "sessions").iterdir()
    assert open_session(folder).notice == ""


def class_pixels(window) -> int:
    """Count the pixels of the timeline in the colour of a class."""
    timeline = window.live.timeline.timeline
    timeline.repaint_now()
    image = timeline.grab().toImage()
    colors = {QColor(*color).rgb() for color in class_colors(window.live.book.labels)}
    return sum(
        image.pixel(x, y) in colors
        for x in range(0, image.width(), 3)
        for y in range(0, image.height(), 3)
    )


@pytest.mark.parametrize("between", ["stop", "other source", "another workspace"])
def test_the_timeline_draws_in_the_second_run_as_in_the_first(opened, between):
    opened.wait(lambda: class_pixels(opened) > 50)
    first = opened.live.book
    if between == "other source":
        opened.live.run.start(SourceConfig("video", Path("other.mp4")))
    else:
        opened.live.run.stop()
        opened.wait(lambda: not opened.live.run.state.is_active)
        if between == "another workspace":
            opened.window.show_workspace(2)
            opened.window.show_workspace(0)
        opened.live.actions_by_key["start_stop"].trigger()
    opened.wait(lambda: opened.live.book is not first)
    opened.wait(lambda: len(opened.live.book.histories.get(0, ())) > 20)
    opened.wait(lambda: class_pixels(opened) > 50)


def test_the_baseline_dialog_takes_back_that_no_face_is_there(qtbot, tmp_path):
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = BaselineDialog(ProfileStore(tmp_path), parent)
    sentence = "No face is in the picture."

    def is_told() -> bool:
        return any(label.text() == sentence for label in dialog.findChildren(QLabel))

    assert is_told()
    dialog.set_context(BaselineContext({0: "Face 0"}, "sha", 0.3))
    assert not is_told()
    dialog.set_context(BaselineContext({}, "sha", 0.3))
    assert is_told()
