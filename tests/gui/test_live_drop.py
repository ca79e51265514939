"""What happens to recordings that are dropped on the Live workspace."""

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from lanet_live.gui.app import create_window
from lanet_live.gui.review.workspace import ReviewWorkspace
from lanet_live.run.live_events import RunState
from tests.corrected_session import record_corrected_session
from tests.fakes import make_result
from tests.gui.conftest import CONFIG, FakeRunner
from tests.review_tables import write_table

pytestmark = pytest.mark.gui


@pytest.fixture
def runners():
    return []


@pytest.fixture
def window(qtbot, settings_path, runners):
    def make_runner(source, bridge):
        runners.append(FakeRunner(source, bridge))
        return runners[-1]

    opened = create_window(CONFIG, settings_path=settings_path, runner_factory=make_runner)
    opened.show()
    yield opened
    opened.close()
    opened.deleteLater()


def drop(window, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    place, action = QPointF(10, 10), Qt.DropAction.CopyAction
    button, modifier = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(place, action, mime, button, modifier))


def test_a_session_is_not_played_but_offered_to_review(qtbot, window, runners, tmp_path):
    folder = record_corrected_session(tmp_path)
    live = window.active
    drop(window, folder)
    assert window.active is live
    assert len(runners) == 1
    assert runners[0].state is RunState.OPENING
    assert folder not in live.sources.recent
    assert folder.name in window.banner.text
    assert window.banner._action.text() == "Open in Review"
    window.banner._action.click()
    review = window.active
    assert isinstance(review, ReviewWorkspace)
    qtbot.waitUntil(lambda: review.document.recording is not None, timeout=10_000)
    assert review.document.recording.title == folder.name


def test_an_exported_table_is_offered_likewise(window, runners, tmp_path):
    drop(window, write_table(tmp_path / "clip.csv", [make_result(0)]))
    assert len(runners) == 1
    assert "clip.csv is a recording" in window.banner.text


def test_a_folder_of_pictures_is_still_played(window, runners, tmp_path):
    (tmp_path / "pictures").mkdir()
    drop(window, tmp_path / "pictures")
    assert runners[0].state in (RunState.STOPPING, RunState.IDLE)
    assert window.active.sources.recent[0].name == "pictures"
