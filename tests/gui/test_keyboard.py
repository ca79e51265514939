"""Live by keyboard alone, and names of all controls for screen readers."""

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAccessible, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLabel,
    QLineEdit,
    QToolButton,
    QWidget,
)

from lanet_live.gui.actions import SHELL_ACTIONS
from lanet_live.gui.live.actions import LIVE_ACTIONS
from lanet_live.run.live_events import RunState
from lanet_live.sessions.reader import open_session
from tests.gui.live_window import LiveWindow

pytestmark = pytest.mark.gui
# LSL has tests of its own, and the others end or hide the window.
_NOT_PRESSED = ("lsl", "quit", "full_screen")
_PRESSED = [i for i in (*SHELL_ACTIONS, *LIVE_ACTIONS) if i.key not in _NOT_PRESSED]


@pytest.fixture
def opened(qtbot, settings_path, tmp_path):
    live_window = LiveWindow(qtbot, settings_path, tmp_path)
    yield live_window
    live_window.close()


def press(opened, shortcut):
    """Press a key as it is written in the list of shortcuts, with the window in front."""
    opened.window.activateWindow()
    opened.wait(opened.window.isActiveWindow)
    QTest.keySequence(opened.window, QKeySequence(shortcut))


def tab_to(opened, widget):
    """Press Tab until a control has the focus."""
    for _ in range(200):
        if opened.window.focusWidget() is widget:
            return
        QTest.keyClick(opened.window.focusWidget() or opened.window, Qt.Key.Key_Tab)
    pytest.fail(f"{widget} cannot be reached by Tab")


def open_dialogs(opened):
    return [dialog for dialog in opened.window.findChildren(QDialog) if dialog.isVisible()]


def close_dialogs(opened):
    """Press Esc in every dialog; whether there was one."""
    dialogs = open_dialogs(opened)
    for dialog in dialogs:
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
    opened.wait(lambda: not open_dialogs(opened))
    return bool(dialogs)


def close_menu():
    menu = QApplication.activePopupWidget()
    if menu is not None:
        menu.close()


@pytest.mark.parametrize("info", _PRESSED, ids=lambda info: info.key)
def test_every_function_of_live_has_a_key_that_works(opened, monkeypatch, info):
    opened.wait(lambda: 0 in opened.live.faces.cards)
    asked = []
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: asked.append(1) or ("", ""))
    actions = {**opened.window._actions, **opened.live.actions_by_key}
    triggered = []
    actions[info.key].triggered.connect(lambda: triggered.append(info.key))
    QTimer.singleShot(300, close_menu)  # a menu waits for the user
    press(opened, info.shortcut)
    opened.wait(lambda: triggered == [info.key])
    assert bool(asked) == (info.key == "open_file")
    dialogs = {"recording_options", "baseline", "note", "marker_names", "prior", "shortcuts"}
    assert close_dialogs(opened) == (info.key in dialogs)
    if info.key == "about":
        opened.window._welcome.button.click()


def test_a_session_is_recorded_by_keyboard_alone(opened, tmp_path):
    live = opened.live
    opened.wait(lambda: 0 in live.faces.cards)
    _name_the_face(opened)
    press(opened, "R")
    recorder = live.recording._recorder
    opened.wait(lambda: recorder.counts.n_frames > 3)
    press(opened, "3")
    press(opened, "N")
    (dialog,) = open_dialogs(opened)
    opened.wait(dialog.isActiveWindow)
    QTest.keyClicks(dialog.focusWidget(), "the phone rang")
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    press(opened, "R")
    press(opened, "S")
    opened.wait(lambda: live.run.state is RunState.IDLE)
    (folder,) = (tmp_path / "sessions").iterdir()
    session = open_session(folder)
    assert [(e.number, e.note) for e in session.events] == [(3, ""), (None, "the phone rang")]
    assert [face.name for face in session.faces] == ["Ada"]


def _name_the_face(opened):
    name = opened.live.faces.cards[0].findChild(QLineEdit)
    tab_to(opened, name)
    name.selectAll()
    QTest.keyClicks(name, "Ada")
    QTest.keyClick(name, Qt.Key.Key_Return)
    assert opened.live.book.faces[0].name == "Ada"
    assert not name.hasFocus()  # so that the next key is a key again


def test_cards_legend_and_length_of_the_timeline_obey_the_keyboard(opened):
    live = opened.live
    opened.wait(lambda: 0 in live.faces.cards)
    (follow,) = live.faces.cards[0].findChildren(QToolButton)
    was_followed = follow.isChecked()
    tab_to(opened, follow)
    QTest.keyClick(follow, Qt.Key.Key_Space)
    assert (0 in live.faces.chosen) is not was_followed
    legend = live.timeline.legend.findChildren(QToolButton)[2]
    tab_to(opened, legend)
    QTest.keyClick(legend, Qt.Key.Key_Space)
    assert live.timeline.timeline._faint == {legend.text()}
    length = live.timeline.findChild(QComboBox)
    tab_to(opened, length)
    window_s = live.timeline.timeline.window_s
    QTest.keyClick(length, Qt.Key.Key_Up)
    assert live.timeline.timeline.window_s < window_s


def test_values_are_read_with_the_arrow_keys(opened):
    timeline = opened.live.timeline.timeline
    opened.wait(lambda: 0 in opened.live.faces.cards)
    told = []
    timeline.pointed_at.connect(told.append)
    tab_to(opened, timeline)
    QTest.keyClick(timeline, Qt.Key.Key_Left)
    QTest.keyClick(timeline, Qt.Key.Key_Left)
    assert [face_id for face_id, _ in told] == [0, 0, 0]
    assert told[0][1] >= told[1][1] >= told[2][1]
    assert timeline.accessibleDescription().startswith("Face 0 at")
    QTest.keyClick(timeline, Qt.Key.Key_Tab)
    assert told[-1] is None


def test_every_control_has_a_name_for_screen_readers(opened):
    opened.wait(lambda: 0 in opened.live.faces.cards)
    for show in ("baseline", "recording_options", "note", "marker_names"):
        opened.live.actions_by_key[show].trigger()
    opened.window.show_shortcuts()
    opened.wait(lambda: len(open_dialogs(opened)) == 5)
    n_controls = 0
    for place in range(len(opened.window._workspaces)):
        opened.window.show_workspace(place)
        for widget in opened.window.findChildren(QWidget):
            if _is_control(widget):
                n_controls += 1
                assert _spoken_name(widget), (widget, widget.parent())
    assert n_controls > 60
    close_dialogs(opened)


def _is_control(widget):
    takes_keys = widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None
    return widget.isVisible() and takes_keys


def _spoken_name(widget):
    """What a screen reader says, or that there is nothing to say."""
    face = QAccessible.queryAccessibleInterface(widget)
    if isinstance(widget, QAbstractScrollArea) and not widget.accessibleName():
        # Its content speaks.
        return bool(widget.findChildren(QWidget))
    return face.text(QAccessible.Text.Name).strip()


def test_the_list_of_keys_names_the_workspaces(opened):
    press(opened, "?")
    (dialog,) = open_dialogs(opened)
    texts = {label.text() for label in dialog.findChildren(QLabel)}
    assert {"Ctrl+1", "Ctrl+2", "Ctrl+3", "Live", "Analyze", "Review"} <= texts
    close_dialogs(opened)
    press(opened, "Ctrl+3")
    opened.wait(lambda: opened.window.active.key == "review")


def test_tab_goes_through_the_whole_workspace(opened):
    opened.wait(lambda: 0 in opened.live.faces.cards)
    wanted = {
        widget
        for widget in opened.live.findChildren(QWidget)
        if isinstance(widget, QToolButton | QComboBox | QLineEdit)
        and widget.isVisible()
        and widget.isEnabled()
    }
    assert len(wanted) > 15
    opened.live.tool_bar.source.setFocus()
    seen = set()
    for _ in range(200):
        widget = opened.window.focusWidget()
        if widget in seen:
            break
        seen.add(widget)
        QTest.keyClick(widget, Qt.Key.Key_Tab)
    assert wanted <= seen
