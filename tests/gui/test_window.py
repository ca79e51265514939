import gc
import weakref

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent, QKeySequence
from PySide6.QtWidgets import QLabel

from lanet_live.errors import ConfigError
from lanet_live.gui.actions import SHELL_ACTIONS
from lanet_live.gui.app import create_window
from lanet_live.gui.live.actions import LIVE_ACTIONS
from lanet_live.gui.messages import Message, UncaughtErrors
from lanet_live.gui.shortcuts import ShortcutsDialog
from lanet_live.run.live_events import CameraBack, CameraLost, EngineCompiling, RunState
from lanet_live.sessions.reader import open_session
from tests.fakes import LABELS, make_facts, make_result
from tests.gui.conftest import CONFIG, FakeRunner

pytestmark = pytest.mark.gui


class Fixture:
    """A window and the runners it made."""

    def __init__(self, qtbot, settings_path, tmp_path):
        self.runners = []
        self.qtbot = qtbot
        self.window = create_window(
            CONFIG,
            settings_path=settings_path,
            profiles_folder=tmp_path / "baselines",
            runner_factory=self._make_runner,
        )
        self.window.show()
        self.live = self.window.active

    @property
    def runner(self):
        return self.runners[-1]

    def _make_runner(self, source, bridge):
        self.runners.append(FakeRunner(source, bridge))
        return self.runners[-1]

    def run(self, n_results=10, **changes):
        """Open the run and deliver results until the window has them."""
        if self.runner.state is RunState.OPENING:
            self.runner.open()
        first = self.runner.n_results
        for index in range(first, first + n_results):
            self.runner.deliver(make_result(index, **changes))
        self.wait(lambda: self.live.book.now_s == (first + n_results - 1) / 25)

    def wait(self, is_true):
        self.qtbot.waitUntil(is_true, timeout=5000)

    def trigger(self, key):
        self.live.actions_by_key[key].trigger()

    def press(self, key):
        self.qtbot.keyClick(self.window, key)


@pytest.fixture
def opened(qtbot, settings_path, tmp_path):
    fixture = Fixture(qtbot, settings_path, tmp_path)
    yield fixture
    fixture.window.close()
    fixture.window.deleteLater()


def test_first_start_shows_what_the_tool_can_and_cannot_do_and_starts_nothing(qtbot, tmp_path):
    runners = []

    def make_runner(source, bridge):
        runners.append(FakeRunner(source, bridge))
        return runners[-1]

    path = tmp_path / "settings.json"
    window = create_window(CONFIG, settings_path=path, runner_factory=make_runner)
    window.show()
    qtbot.wait(20)
    assert runners == []
    window._welcome.button.click()
    assert len(runners) == 1
    window.close()
    window.deleteLater()
    again = create_window(CONFIG, settings_path=path, runner_factory=make_runner)
    again.show()
    assert len(runners) == 2
    again.close()
    again.deleteLater()


def test_a_closed_window_leaves_nothing(qtbot, settings_path, tmp_path):
    fixture = Fixture(qtbot, settings_path, tmp_path)
    fixture.run()
    window = fixture.window
    window.close()
    assert fixture.runner.state is RunState.IDLE
    ref = weakref.ref(window)
    window.deleteLater()
    qtbot.wait(20)
    del window, fixture
    gc.collect()
    assert ref() is None or not ref().isVisible()


def test_results_reach_picture_cards_timeline_and_status(opened):
    opened.run(30, face_ids=(0, 1))
    opened.wait(lambda: set(opened.live.faces.cards) == {0, 1})
    assert opened.live.picture.view.result.frame.index == 29
    assert len(opened.live.book.histories[1]) == 30
    assert opened.live.timeline.legend.labels == LABELS
    opened.wait(lambda: opened.window.status.text("fps") == "30.0 fps")
    assert opened.window.status.text("source") == "fake, 320 × 240"
    assert opened.window.status.text("engine") == "fake on CPU"
    assert opened.window.status.text("precision") == "fp32"
    opened.wait(lambda: opened.window.status.text("latency").endswith("ms to screen"))


def test_status_tells_how_far_the_engine_is_that_is_compiled_first(opened):
    opened.runner.bridge.post(EngineCompiling("Compiling for TensorRT", 0.45))
    said = "Compiling for TensorRT, once: 45%"
    opened.wait(lambda: opened.window.status.text("state") == said)
    opened.runner.open()
    opened.wait(lambda: opened.window.status.text("state") == "Running")


def test_faces_that_leave_keep_their_past(opened):
    opened.run(10, face_ids=(0, 1))
    opened.run(10, face_ids=(0,))
    opened.wait(lambda: 1 in opened.live.faces.cards)
    opened.wait(lambda: "Last seen" in opened.live.faces.cards[1]._detail.text())
    assert len(opened.live.book.histories[1]) == 10


def test_start_stop_and_pause_follow_the_runner(opened):
    opened.run()
    opened.trigger("pause")
    assert opened.runner.state is RunState.PAUSED
    opened.wait(lambda: opened.window.status.text("state") == "Paused")
    opened.trigger("pause")
    assert opened.runner.state is RunState.RUNNING
    opened.trigger("start_stop")
    assert opened.runner.state is RunState.IDLE
    opened.trigger("start_stop")
    assert len(opened.runners) == 2


def test_another_source_waits_for_the_end_of_the_first(opened, tmp_path):
    opened.run()
    clip = tmp_path / "other.mp4"
    clip.write_bytes(b"")
    opened.live.open_path(clip)
    opened.wait(lambda: len(opened.runners) == 2)
    assert opened.runner.source.path == clip
    assert opened.runners[0].state is RunState.IDLE
    opened.wait(lambda: opened.live.picture.view.result is None)


def test_a_dropped_file_is_played(opened, tmp_path):
    clip = tmp_path / "dropped.mp4"
    clip.write_bytes(b"")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(clip))])
    event = QDropEvent(
        QPointF(10, 10),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    opened.window.dropEvent(event)
    opened.wait(lambda: opened.runner.source.path == clip)


def test_a_failing_source_says_why_and_the_window_lives(opened):
    opened.runner.fail("clip.mp4 cannot be opened: it is no video.")
    opened.wait(lambda: "no video" in opened.window.banner.text)
    assert opened.window.status.text("state") == "Stopped by an error"
    opened.press(Qt.Key.Key_Escape)
    assert opened.window.banner.text == ""
    opened.trigger("start_stop")
    assert len(opened.runners) == 2


def test_an_unusable_model_is_told_in_the_window(qtbot, settings_path):
    def refuse(source, bridge):
        raise ConfigError("The model is missing; install it again.")

    window = create_window(CONFIG, settings_path=settings_path, runner_factory=refuse)
    window.show()
    assert "model is missing" in window.banner.text
    window.close()
    window.deleteLater()


def test_a_vanished_camera_is_told_and_the_past_stays(opened):
    opened.run()
    opened.runner.bridge.post(CameraLost("The camera vanished."))
    opened.wait(lambda: opened.window.status.text("state") == "Waiting for the camera")
    assert "vanished" in opened.window.banner.text
    assert len(opened.live.book.histories[0]) == 10
    opened.runner.bridge.post(CameraBack())
    opened.run()
    assert opened.window.status.text("state") == "Running"
    assert len(opened.live.book.histories[0]) == 20


def test_markers_by_key_are_drawn_and_recorded(opened, tmp_path):
    opened.live.markers.book.set_names(("smile",))
    opened.live.recording.set_options(_options(opened, tmp_path))
    opened.run()
    opened.trigger("record")
    opened.run()
    opened.trigger("marker_1")
    opened.trigger("marker_3")
    opened.trigger("record")
    folder = next((tmp_path / "sessions").iterdir())
    assert [(e.number, e.name) for e in open_session(folder).events] == [(1, "smile"), (3, "")]
    assert open_session(folder).events[0].timestamp_s == pytest.approx(19 / 25)
    assert open_session(folder).document["frames"]["n_frames"] == 10
    assert "recorded" in opened.window.banner.text


def test_a_note_keeps_the_moment_it_was_begun_at(opened):
    opened.run()
    opened.trigger("note")
    dialog = opened.live.markers._note
    dialog._field.setText("coughs")
    opened.run()
    dialog.accept()
    (event,) = opened.live.markers.book.events
    assert event.timestamp_s == pytest.approx(9 / 25)
    assert event.note == "coughs"


def test_recording_without_a_run_says_what_to_do(opened):
    opened.runner.fail("no")
    opened.wait(lambda: opened.window.banner.text == "no")
    opened.press(Qt.Key.Key_Escape)
    opened.trigger("record")
    assert "start a camera" in opened.window.banner.text


def test_recording_into_an_impossible_folder_says_why(opened, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    options = _options(opened, blocker)
    opened.live.recording.set_options(options)
    opened.run()
    opened.trigger("record")
    assert "cannot begin" in opened.window.banner.text
    assert not opened.live.recording.is_recording


def test_names_and_baseline_reach_the_session(opened, tmp_path):
    opened.live.recording.set_options(_options(opened, tmp_path))
    opened.run()
    opened.wait(lambda: 0 in opened.live.faces.cards)
    opened.live.faces.renamed.emit(0, "Ada")
    opened.trigger("record")
    opened.live.show_baseline()
    opened.live.baseline._measure.click()
    opened.run(120)
    assert "Ada" in opened.live.baseline._result.text()
    opened.run(5)
    opened.trigger("record")
    (folder,) = (tmp_path / "sessions").iterdir()
    info = open_session(folder)
    assert info.faces[0].name == "Ada"
    assert info.document["baselines"]["0"][0]["name"] == "Ada"
    assert info.corrected_path is not None
    face = opened.live.book.faces[0]
    assert "baseline Ada" in face.reading.note
    assert not np.allclose(face.reading.shown, face.reading.estimate.probabilities)


def test_every_action_has_a_key_of_its_own_a_tooltip_and_a_handler(opened):
    infos = [*SHELL_ACTIONS, *LIVE_ACTIONS]
    keys = [QKeySequence(info.shortcut).toString() for info in infos]
    assert len(set(keys)) == len(keys)
    assert all(keys)
    assert all(info.tooltip.endswith((".", "?")) for info in infos)
    shown = {action.objectName() for action in opened.window.findChildren(QAction)}
    assert {info.key for info in infos} <= shown


def test_keys_reach_their_actions(opened):
    opened.run()
    opened.press(Qt.Key.Key_M)
    assert opened.live.picture.view._overlays.has_mesh
    opened.press(Qt.Key.Key_V)
    assert not opened.live.timeline.timeline._is_stacked
    opened.press(Qt.Key.Key_2)
    assert opened.live.markers.book.events[-1].number == 2
    opened.press(Qt.Key.Key_P)
    assert opened.runner.state is RunState.PAUSED


def test_shortcuts_dialog_lists_every_action(opened):
    opened.window.show_shortcuts()
    dialog = opened.window.findChild(ShortcutsDialog)
    texts = {label.text() for label in dialog.findChildren(QLabel)}
    assert {info.text for info in LIVE_ACTIONS if not info.shortcut.isdigit()} <= texts
    assert {"1 … 9", "Marker 1 to 9"} <= texts


def test_look_back_does_not_stop_capture(opened):
    timeline = opened.live.timeline.timeline
    timeline.set_window(10)
    opened.run(400)
    opened.trigger("back")
    assert not timeline.is_following
    before = timeline.visible_s
    opened.run(50)
    assert timeline.visible_s == before
    assert len(opened.live.book.histories[0]) == 450
    opened.trigger("now")
    assert timeline.is_following
    assert timeline.visible_s[1] == pytest.approx(449 / 25)


def test_overlays_and_window_are_remembered(qtbot, settings_path, tmp_path):
    for is_first in (True, False):
        fixture = Fixture(qtbot, settings_path, tmp_path)
        if is_first:
            fixture.trigger("axes")
            fixture.live.timeline.timeline.set_window(120)
        else:
            assert fixture.live.actions_by_key["axes"].isChecked()
            assert fixture.live.picture.view._overlays.has_axes
            assert fixture.live.timeline.timeline.window_s == 120
        fixture.window.close()
        fixture.window.deleteLater()


def test_a_broken_settings_file_does_not_keep_the_window_closed(qtbot, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"geometry": "nonsense", "workspace": 5, "live.window_s": "x"')
    window = create_window(CONFIG, settings_path=path, runner_factory=FakeRunner)
    window.show()
    assert window.isVisible()
    window.close()
    window.deleteLater()


def test_uncaught_errors_become_messages(opened):
    errors = UncaughtErrors()
    errors.connect_to(opened.window.show_uncaught)
    errors._on_error(ValueError, ValueError("odd"), None)
    opened.wait(lambda: "odd" in opened.window.banner.text)


def test_messages_wait_for_each_other_and_are_not_repeated(opened):
    banner = opened.window.banner
    for text in ("first", "first", "second"):
        opened.window.show_message(Message("error", text))
    assert banner.text == "first"
    banner.dismiss()
    assert banner.text == "second"
    banner.dismiss()
    assert banner.text == ""


def test_live_source_facts_of_a_camera_are_shown(opened):
    opened.runner.open(make_facts(source_id="Webcam", kind="camera", is_live=True, width_px=640))
    opened.wait(lambda: opened.window.status.text("source").startswith("Webcam, 640"))


def _options(opened, tmp_path):
    options = opened.live.recording.options
    return type(options)(tmp_path / "sessions", "none")


def test_the_shells_own_menus_are_there_in_every_workspace(opened):
    for place, workspace in enumerate(opened.window._workspaces):
        opened.window.show_workspace(place)
        shown = {
            action.objectName()
            for menu in opened.window._menus._menus.values()
            if menu.menuAction().isVisible()
            for action in menu.actions()
        }
        assert {info.key for info in SHELL_ACTIONS} <= shown
        assert {info.key for info in workspace.action_infos} <= shown


def test_a_key_of_live_does_nothing_in_another_workspace(opened):
    if len(opened.window._workspaces) < 2:
        pytest.skip("there is only one workspace")
    opened.run()
    opened.window.show_workspace(1)
    opened.press(Qt.Key.Key_2)
    assert opened.live.markers.book.events == []
    opened.window.show_workspace(0)
    opened.press(Qt.Key.Key_2)
    assert len(opened.live.markers.book.events) == 1
