"""The window over the real runner, with a simulated camera and a pipeline without a model."""

import threading
import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit

from lanet_live.capture.base import SourceReport
from lanet_live.capture.reconnecting import ReconnectPolicy
from lanet_live.config import PipelineConfig
from lanet_live.errors import SinkError, SourceLost
from lanet_live.gui.app import create_window
from lanet_live.pipeline import Pipeline
from lanet_live.runner import LiveRunner
from lanet_live.runner_events import RunState
from lanet_live.sessions.reader import open_session
from lanet_live.sinks.csv_table import CsvSink
from tests.fakes import FakeEngine, FakeTracker, make_facts, make_frame, make_track
from tests.gui.conftest import CONFIG

pytestmark = pytest.mark.gui
FPS = 50.0


class SimulatedCamera:
    """Delivers frames until it is pulled out; the next one made works again."""

    def __init__(self, pulled: threading.Event) -> None:
        self._pulled = pulled
        self._index = 0
        self._began_s = 0.0

    def open(self):
        self._began_s = time.perf_counter()
        return make_facts(kind="camera", is_live=True, source_id="Simulated camera")

    def read(self):
        if self._pulled.wait(1 / FPS):
            self._pulled.clear()
            raise SourceLost("The camera does not answer any more.")
        self._index += 1
        return make_frame(self._index - 1, timestamp_s=time.perf_counter() - self._began_s)

    def report(self):
        return SourceReport(n_decoded=self._index)

    def close(self):
        pass


class Fixture:
    def __init__(self, qtbot, settings_path, tmp_path):
        self.qtbot = qtbot
        self.pulled = threading.Event()
        self.window = create_window(
            CONFIG,
            settings_path=settings_path,
            profiles_folder=tmp_path / "baselines",
            runner_factory=self._make_runner,
        )
        self.live = self.window.active
        options = self.live.recording.options
        self.live.recording.set_options(type(options)(tmp_path / "sessions", "none"))
        self.window.show()
        self.wait(lambda: len(self.live.book.histories.get(0, ())) > 5)

    def wait(self, is_true):
        self.qtbot.waitUntil(is_true, timeout=20_000)

    def _make_runner(self, source, bridge):
        return LiveRunner(
            lambda: SimulatedCamera(self.pulled),
            lambda facts: Pipeline(FakeTracker((make_track(0),)), FakeEngine(), PipelineConfig()),
            [bridge],
            on_event=bridge.post,
            reconnect=ReconnectPolicy(first_delay_s=0.3),
        )


@pytest.fixture
def opened(qtbot, settings_path, tmp_path):
    fixture = Fixture(qtbot, settings_path, tmp_path)
    yield fixture
    fixture.window.close()
    fixture.window.deleteLater()


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


def test_a_full_disk_ends_the_recording_with_a_message_and_keeps_what_is_there(
    opened, tmp_path, monkeypatch
):
    opened.live.actions_by_key["record"].trigger()
    recorder = opened.live.recording._recorder
    opened.wait(lambda: recorder.counts.n_frames > 5)

    def write(self, result):
        raise SinkError("The disk is full: frames.csv ends early.")

    monkeypatch.setattr(CsvSink, "write", write)
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


def test_every_control_is_reachable_by_keyboard_and_has_a_name(opened):
    opened.wait(lambda: 0 in opened.live.faces.cards)
    controls = [
        widget
        for kind in (QAbstractButton, QComboBox, QLineEdit)
        for widget in opened.live.findChildren(kind)
        if widget.isVisible()
    ]
    assert len(controls) > 15
    for control in controls:
        text = control.text() if hasattr(control, "text") else ""
        assert text or control.accessibleName(), control
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, (control, text)


def test_tab_goes_through_the_whole_workspace(opened):
    opened.wait(lambda: 0 in opened.live.faces.cards)
    seen = set()
    opened.live.tool_bar.source.setFocus()
    for _ in range(200):
        widget = opened.window.focusWidget()
        if widget in seen:
            break
        seen.add(widget)
        opened.window.focusNextChild()
    wanted = [b for b in opened.live.findChildren(QAbstractButton) if b.isVisible()]
    assert {b for b in wanted if b.isEnabled()} <= seen
