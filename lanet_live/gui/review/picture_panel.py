"""The picture of the playhead's frame with that frame's values, or why there is none."""

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
from lanet_live.gui.readings import FaceReading
from lanet_live.gui.widgets.video_view import VideoView
from lanet_live.records import Frame, FrameResult
from lanet_live.review.frame_rows import track_of
from lanet_live.review.table import FrameTable


class ReviewPicture(QFrame):
    """Shows the video view while there is a picture, and a page with a sentence otherwise."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.view = VideoView()
        self._title = QLabel()
        self._title.setProperty("heading", True)
        self._hint = QLabel()
        self._hint.setProperty("secondary", True)
        self._hint.setWordWrap(True)
        self._buttons: dict[str, QToolButton] = {}
        self._stack = QStackedWidget()
        self._stack.addWidget(self._build_page(actions))
        self._stack.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.addWidget(self._stack)
        self.invite()

    def show_frame(
        self, frame: Frame, table: FrameTable, readings: Mapping[int, tuple[int, FaceReading]]
    ) -> None:
        """Show a picture and, if given, what was measured on it."""
        self._stack.setCurrentWidget(self.view)
        tracks = tuple(track_of(table, face_id, row) for face_id, (row, _) in readings.items())
        result = FrameResult(
            frame=frame,
            tracks=tracks,
            estimates=tuple(reading.estimate for _, reading in readings.values()),
        )
        self.view.show_result(result, {i: reading for i, (_, reading) in readings.items()})

    def invite(self) -> None:
        """Ask for a recording."""
        self._say(
            "Open a recording",
            "A session folder, or an exported table with its video. You can also drop it here.",
            ("review_open", "review_open_table"),
        )

    def wait(self, title: str) -> None:
        """Say what is being waited for."""
        self._say(title, "", ())

    def miss(self, reason: str) -> None:
        """Say why there is no picture; plot and numbers are there."""
        self._say("No picture", reason, ("review_video",))

    def _say(self, title: str, hint: str, keys: tuple[str, ...]) -> None:
        self._title.setText(title)
        self._hint.setText(hint)
        for key, button in self._buttons.items():
            button.setVisible(key in keys)
        self.view.show_result(None, {})
        self._stack.setCurrentIndex(0)

    def _build_page(self, actions: Mapping[str, QAction]) -> QWidget:
        symbol = QLabel()
        symbol.setPixmap(icon("review").pixmap(QSize(44, 44)))
        row = QHBoxLayout()
        row.addStretch(1)
        for key in ("review_open", "review_open_table", "review_video"):
            button = self._buttons[key] = QToolButton()
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
        for label in (symbol, self._title, self._hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addLayout(row)
        column.addStretch(1)
        return page
