import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from lanet_live.capture.camera_list import CameraInfo
from lanet_live.config import SourceConfig
from lanet_live.gui.live.cameras import CameraChoice, CameraList
from lanet_live.gui.live.source_menu import SourceMenu, source_of

pytestmark = pytest.mark.gui


@pytest.fixture
def menu(qtbot, monkeypatch):
    choices = [CameraChoice(CameraInfo(2, "Desk camera"), ((640, 480), (1280, 720)))]
    monkeypatch.setattr(CameraList, "choices", lambda self: tuple(choices))
    owner = QWidget()
    source_menu = SourceMenu(QAction("Open a file…", owner), owner)
    source_menu.fake_choices = choices
    yield source_menu
    owner.deleteLater()


def entries(menu):
    return [action.text() for action in menu.actions() if not action.isSeparator()]


def test_cameras_are_listed_by_name_with_their_sizes(menu, qtbot):
    menu.menu.aboutToShow.emit()
    assert entries(menu.menu) == ["Desk camera", "Open a file…"]
    sizes = menu.menu.actions()[0].menu()
    assert entries(sizes) == ["The camera's own size", "640 × 480", "1280 × 720"]
    with qtbot.waitSignal(menu.chosen) as told:
        sizes.actions()[2].trigger()
    assert told.args[0] == SourceConfig("camera", camera=2, size_wh=(1280, 720))


def test_the_list_follows_cameras_that_come_and_go(menu):
    menu.menu.aboutToShow.emit()
    menu.fake_choices.clear()
    menu._cameras.changed.emit()
    assert entries(menu.menu)[0] == "No camera found"


def test_files_opened_before_are_offered_newest_first(menu, tmp_path, qtbot):
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    for path in (first, second, first):
        menu.remember(path)
    menu.menu.aboutToShow.emit()
    assert entries(menu.menu)[-2:] == ["a.mp4", "b.mp4"]
    with qtbot.waitSignal(menu.chosen) as told:
        menu.menu.actions()[-1].trigger()
    assert told.args[0] == SourceConfig("video", path=second)


def test_a_folder_is_a_source_of_pictures(tmp_path):
    assert source_of(tmp_path).kind == "images"
    assert source_of(tmp_path / "clip.mp4").kind == "video"


def test_this_machines_cameras_can_be_listed(qtbot):
    cameras = CameraList()
    assert isinstance(cameras.choices(), tuple)
    cameras.deleteLater()
