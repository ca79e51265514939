"""The picture, or what to do when there is none."""

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.icons import icon
from lanet_live.gui.widgets.video_view import VideoView


class PicturePanel(QFrame):
    """Shows the video view while there is a picture, and a page with a sentence otherwise."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.view = VideoView()
        self._title = QLabel()
        self._title.setProperty("heading", True)
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint = QLabel()
        self._hint.setProperty("secondary", True)
        self._hint.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._choices = QWidget()
        self._stack = QStackedWidget()
        self._stack.addWidget(self._build_page(actions))
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
        self._say("Choose what to analyse", "A camera, or a video file. You can also drop a file.")
        self._choices.setVisible(True)

    def wait(self, title: str, hint: str = "") -> None:
        """Say what is being waited for."""
        self._say(title, hint)
        self._choices.setVisible(False)

    def _say(self, title: str, hint: str) -> None:
        self._title.setText(title)
        self._hint.setText(hint)
        self._stack.setCurrentIndex(0)

    def _build_page(self, actions: Mapping[str, QAction]) -> QWidget:
        symbol = QLabel()
        symbol.setPixmap(icon("live").pixmap(QSize(44, 44)))
        symbol.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout(self._choices)
        row.addStretch(1)
        for key in ("choose_camera", "open_file"):
            button = QToolButton()
            button.setDefaultAction(actions[key])
            button.setProperty("outlined", True)
            button.setIconSize(QSize(18, 18))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            row.addWidget(button)
        row.addStretch(1)
        page = QWidget()
        column = QVBoxLayout(page)
        column.addStretch(1)
        for widget in (symbol, self._title, self._hint, self._choices):
            column.addWidget(widget)
        column.addStretch(1)
        return page
