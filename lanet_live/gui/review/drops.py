"""What becomes of recordings that are dropped on the Review workspace."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QMenu, QWidget

_Opener = Callable[[Path], None]


class DropControl(QObject):
    """Opens what is dropped, compares two, or asks which of both is meant."""

    def __init__(self, window: QWidget, *, open_path: _Opener, compare_path: _Opener) -> None:
        super().__init__(window)
        self._open_path = open_path
        self._compare_path = compare_path
        self.menu = QMenu(window)
        self.menu.setToolTipsVisible(True)

    def take(self, paths: Sequence[Path], *, shown_title: str) -> None:
        """Take dropped recordings.

        Args:
            paths: One, or two that are to be compared; more are ignored.
            shown_title: Of the recording on show; empty for none.
        """
        if len(paths) > 1:
            self._open_path(paths[0])
            self._compare_path(paths[1])
        elif not shown_title:
            self._open_path(paths[0])
        else:
            self._ask(paths[0], shown_title)

    def _ask(self, path: Path, shown_title: str) -> None:
        self.menu.clear()
        self.menu.addAction(f"Open {path.name}", partial(self._open_path, path))
        compare = self.menu.addAction(
            f"Compare {shown_title} with it", partial(self._compare_path, path)
        )
        compare.setToolTip("Show both on one time axis.")
        self.menu.popup(QCursor.pos())
