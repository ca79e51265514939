"""Drives the real window through its workspaces and grabs a picture of each. See screenshots.py."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
from lanet_live.gui.app import create_application, create_window
from lanet_live.gui.live.workspace import LiveWorkspace
from lanet_live.gui.main_window import MainWindow
from lanet_live.gui.settings import Settings

_TIMEOUT_S = 120.0


def take_pictures(
    arguments: argparse.Namespace, sizes: dict[str, tuple[int, int]]
) -> Iterator[Path]:
    """Take the pictures of every look and size, and yield their paths."""
    app = create_application()
    for look in arguments.looks:
        for name, size in sizes.items():
            with tempfile.TemporaryDirectory() as folder:
                settings_path = Path(folder) / "settings.json"
                window = _open_window(arguments, settings_path, look)
                window.resize(*size)
                window.show()
                for title in _walk(window, arguments.seconds):
                    _settle(app)
                    path = arguments.out / f"{title}-{name}-{look}.png"
                    window.grab().save(str(path))
                    yield path
                window.close()
                window.deleteLater()
                _settle(app)


def _open_window(arguments: argparse.Namespace, settings_path: Path, look: str) -> MainWindow:
    settings = Settings(settings_path)
    settings.set("appearance", look)
    settings.set("live.window_s", 10.0)
    settings.set("live.markers", ("stimulus on", "light off"))
    settings.save()
    config = LiveConfig(
        sources=(SourceConfig("video", path=arguments.clip),),
        engine=EngineConfig(model_path=arguments.model),
    )
    return create_window(config, settings_path=settings_path)


def _walk(window: MainWindow, seconds: float) -> Iterator[str]:
    """Go through the window and yield the name of each picture when it is set up."""
    _wait(0.5)
    yield "welcome"
    window._welcome.button.click()
    live = window.active
    assert isinstance(live, LiveWorkspace)
    _wait_until(lambda: live.book.now_s >= 0.4 * seconds)
    live.actions_by_key["marker_1"].trigger()
    _wait_until(lambda: live.book.now_s >= 0.7 * seconds)
    live.actions_by_key["marker_2"].trigger()
    _wait_until(lambda: live.book.now_s >= seconds)
    yield "live"
    live.actions_by_key["lines"].setChecked(True)
    live.actions_by_key["mesh"].setChecked(True)
    live.actions_by_key["axes"].setChecked(True)
    yield "live-lines"


def _wait(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def _wait_until(is_true: Callable[[], bool]) -> None:
    waited_s = 0.0
    while not is_true():
        _wait(0.05)
        waited_s += 0.05
        if waited_s > _TIMEOUT_S:
            raise TimeoutError("the window did not get that far")


def _settle(app: QApplication) -> None:
    """Let what was asked for be drawn."""
    _wait(0.3)
    app.sendPostedEvents()
