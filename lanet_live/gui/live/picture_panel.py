"""The picture, or what to do when there is none."""

from collections.abc import Mapping

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QStackedWidget, QVBoxLayout

from lanet_live.gui.widgets.empty_page import EmptyPage
from lanet_live.gui.widgets.video_view import VideoView

_SOURCES = ("choose_camera", "open_file")


class PicturePanel(QFrame):
    """Shows the video view while there is a picture, and a page with a sentence otherwise."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.view = VideoView()
        self._page = EmptyPage("live", actions, _SOURCES)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._page)
        self._stack.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.addWidget(self._stack)
        self.invite()

    def show_picture(self) -> None:
        """Show the video view."""
        self._stack.setCurrentWidget(self.view)

    def invite(self) -> None:
        """Ask for a source."""
        hint = "A camera, or a video file. You can also drop a file."
        self._page.say("Choose what to analyse", hint, keys=_SOURCES)
        self._stack.setCurrentWidget(self._page)

    def wait(self, title: str, hint: str = "") -> None:
        """Say what is being waited for."""
        self._page.say(title, hint)
        self._stack.setCurrentWidget(self._page)
