"""What can be analysed: cameras with their sizes, a file, and files opened before."""

from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from lanet_live.config import SourceConfig
from lanet_live.gui.icons import icon
from lanet_live.gui.live.cameras import CameraChoice, CameraList

_MAX_RECENT: Final = 5


class SourceMenu(QObject):
    """A menu filled when it opens, and again when a camera comes or goes."""

    chosen = Signal(object)  # SourceConfig

    def __init__(self, open_file: QAction, parent: QWidget) -> None:
        super().__init__(parent)
        self.menu = QMenu(parent)
        self._open_file = open_file
        self._cameras = CameraList(self)
        self._cameras.changed.connect(self._fill)
        self._recent: tuple[Path, ...] = ()
        self._choices: dict[QAction, SourceConfig] = {}
        self.menu.aboutToShow.connect(self._fill)
        self.menu.triggered.connect(self._on_triggered)

    @property
    def recent(self) -> tuple[Path, ...]:
        """Files opened before, newest first."""
        return self._recent

    def set_recent(self, paths: tuple[Path, ...]) -> None:
        """Take up files opened before."""
        self._recent = paths[:_MAX_RECENT]

    def remember(self, path: Path) -> None:
        """Put a file first among those opened before."""
        self.set_recent((path, *(p for p in self._recent if p != path)))

    def _fill(self) -> None:
        self.menu.clear()
        self._choices = {}
        choices = self._cameras.choices()
        for choice in choices:
            self._add_camera(choice)
        if not choices:
            self.menu.addAction("No camera found").setEnabled(False)
        self.menu.addSeparator()
        self.menu.addAction(self._open_file)
        for path in self._recent:
            action = self.menu.addAction(icon("file"), path.name)
            action.setToolTip(str(path))
            self._choices[action] = source_of(path)

    def _add_camera(self, choice: CameraChoice) -> None:
        submenu = self.menu.addMenu(icon("camera"), choice.info.name)
        index = choice.info.index
        own = submenu.addAction("The camera's own size")
        self._choices[own] = SourceConfig("camera", camera=index)
        for size_wh in choice.sizes_wh:
            action = submenu.addAction(f"{size_wh[0]} × {size_wh[1]}")
            self._choices[action] = SourceConfig("camera", camera=index, size_wh=size_wh)

    def _on_triggered(self, action: QAction) -> None:
        if action in self._choices:
            self.chosen.emit(self._choices[action])


def source_of(path: Path) -> SourceConfig:
    """Return the source a path stands for: a video, or a folder of pictures."""
    return SourceConfig("images" if path.is_dir() else "video", path=path)
