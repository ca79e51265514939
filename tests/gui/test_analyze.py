"""The Analyze workspace in the real window, over fake runs."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QSpinBox

from lanet_live.analysis.item import ItemState
from lanet_live.errors import SourceUnavailable
from lanet_live.gui.actions import SHELL_ACTIONS
from lanet_live.gui.analyze.actions import ANALYZE_ACTIONS
from lanet_live.gui.analyze.table_model import Column
from lanet_live.gui.app import create_window
from lanet_live.run_summary import RunEnd, RunProgress, RunSummary
from tests.fakes import make_facts, make_result
from tests.gui.conftest import CONFIG, FakeRunner

pytestmark = pytest.mark.gui


def fake_run(item, folder, control, on_progress):
    """Fail for names that begin with "bad"; otherwise analyse until stopped or past 4 frames."""
    if item.name.startswith("bad"):
        raise SourceUnavailable(f"{item.path} is not a video.")
    n_written = 0
    while not control.should_stop() and n_written < 4:
        control.write(make_result(n_written))
        n_written += 1
        on_progress(RunProgress(n_written, n_written, 4, 0.1 * n_written))
    (folder / "a.csv").write_text("frame\n")
    end = RunEnd.STOPPED if control.should_stop() else RunEnd.COMPLETED
    return RunSummary(make_facts(), (), 4, n_written, n_written, 0, end, None, False, 0.4)


class Opened:
    def __init__(self, qtbot, settings_path, monkeypatch):
        monkeypatch.setattr("lanet_live.gui.app.item_runner", lambda _config: fake_run)
        self.qtbot = qtbot
        self.window = create_window(CONFIG, settings_path=settings_path, runner_factory=FakeRunner)
        self.window.show()
        self.window.show_workspace(1)
        self.analyze = self.window.active

    def add(self, folder, *names):
        for name in names:
            (folder / name).touch()
        self.analyze.add_paths(folder / name for name in names)

    def trigger(self, key):
        self.analyze.actions_by_key[key].trigger()

    def wait_for(self, *states):
        def is_so():
            return [item.state.value for item in self.analyze.list.model.items] == list(states)

        self.qtbot.waitUntil(is_so, timeout=8000)

    def cell(self, row, column):
        return self.analyze.list.model.index(row, column).data()

    def close(self):
        self.window.close()
        self.window.deleteLater()


@pytest.fixture
def opened(qtbot, settings_path, monkeypatch):
    fixture = Opened(qtbot, settings_path, monkeypatch)
    yield fixture
    fixture.close()


def test_a_queue_is_filled_started_and_told_of(opened, tmp_path):
    assert opened.analyze.list.is_inviting
    opened.add(tmp_path, "a.mp4", "bad.mp4")
    assert not opened.analyze.list.is_inviting
    assert opened.cell(0, Column.STATE) == "Waiting"
    opened.qtbot.keyClick(opened.window, Qt.Key.Key_S)
    opened.wait_for("done", "failed")
    assert opened.cell(0, Column.RESULT).startswith("4 frames, 4 with a face")
    assert opened.cell(1, Column.RESULT) == "Is not a video."
    opened.qtbot.waitUntil(lambda: "1 done, 1 failed" in opened.window.banner.text, timeout=5000)
    opened.analyze.list.table.selectAll()
    opened.trigger("retry")
    assert opened.cell(1, Column.STATE) == "Waiting"
    opened.trigger("remove")
    assert opened.analyze.list.is_inviting


def test_options_go_to_the_selected_or_to_new_items(opened, tmp_path):
    form = opened.analyze.panel.form
    form.every.setValue(5)
    opened.add(tmp_path, "a.mp4", "b.mp4")
    items = opened.analyze.list.model.items
    assert [item.options.every_n for item in items] == [5, 5]
    opened.analyze.list.select({items[0].item_id})
    form.faces.setValue(2)
    form.formats["plot"].setChecked(True)
    first, second = opened.analyze.list.model.items
    assert (first.options.max_faces, first.options.formats) == (2, ("csv", "plot"))
    assert second.options == items[1].options


def test_presets_are_saved_used_and_deleted(opened, tmp_path):
    panel = opened.analyze.panel
    panel.form.every.setValue(3)
    panel.save_preset("Thirds")
    assert panel.preset.currentText() == "Thirds"
    opened.add(tmp_path, "a.mp4")
    panel.preset.textActivated.emit("Quick look")
    assert opened.analyze.list.model.items[0].options.every_n == 10
    panel.preset.textActivated.emit("Thirds")
    assert opened.analyze.list.model.items[0].options.every_n == 3
    opened.trigger("delete_preset")
    assert panel.preset.findText("Thirds") == -1


def test_a_queue_that_was_going_goes_on_in_the_next_window(
    qtbot, settings_path, tmp_path, monkeypatch
):
    first = Opened(qtbot, settings_path, monkeypatch)
    first.add(tmp_path, "a.mp4")
    first.analyze.queue.start()
    first.close()
    again = Opened(qtbot, settings_path, monkeypatch)
    again.wait_for("done")
    again.close()


def test_done_tables_are_handed_to_review(opened, tmp_path):
    handed = []
    opened.analyze.handed_over.disconnect()
    opened.analyze.handed_over.connect(lambda key, path: handed.append((key, path.name)))
    opened.add(tmp_path, "a.mp4")
    assert not opened.analyze.actions_by_key["review"].isEnabled()
    opened.trigger("start_pause")
    opened.wait_for("done")
    opened.trigger("review")
    assert handed == [("review", "a.csv")]


def test_every_action_has_a_key_of_its_own_and_every_control_a_name(opened):
    infos = (*SHELL_ACTIONS, *ANALYZE_ACTIONS)
    keys = [QKeySequence(info.shortcut).toString() for info in infos]
    assert all(keys)
    assert len(set(keys)) == len(keys)
    assert all(info.tooltip for info in infos)
    for kind in (QAbstractButton, QComboBox, QSpinBox):
        for widget in opened.analyze.findChildren(kind):
            if not widget.objectName().startswith("qt_") and not isinstance(
                widget.parent(), QLineEdit
            ):
                named = widget.accessibleName() or getattr(widget, "text", str)()
                assert named or not widget.isVisible(), widget


def test_what_cannot_be_analysed_is_said(opened, tmp_path):
    (tmp_path / "empty").mkdir()
    opened.analyze.open_path(tmp_path / "empty")
    assert "neither pictures nor videos" in opened.window.banner.text
    assert [item.state for item in opened.analyze.list.model.items] == []
    assert ItemState.QUEUED not in {item.state for item in opened.analyze.list.selected}
