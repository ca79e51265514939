"""The picture of the playhead's frame with that frame's values, or why there is none."""

from collections.abc import Mapping

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QStackedWidget, QVBoxLayout

from lanet_live.gui.readings import FaceReading
from lanet_live.gui.widgets.empty_page import EmptyPage
from lanet_live.gui.widgets.video_view import VideoView
from lanet_live.records import Frame, FrameResult
from lanet_live.review.frame_rows import track_of
from lanet_live.review.table import FrameTable

_RECORDINGS = ("review_open", "review_open_table")
_VIDEO = ("review_video",)


class ReviewPicture(QFrame):
    """Shows the video view while there is a picture, and a page with a sentence otherwise."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.view = VideoView()
        self._page = EmptyPage("review", actions, (*_RECORDINGS, *_VIDEO))
        self._stack = QStackedWidget()
        self._stack.addWidget(self._page)
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
            _RECORDINGS,
        )

    def wait(self, title: str) -> None:
        """Say what is being waited for."""
        self._say(title, "", ())

    def miss(self, reason: str) -> None:
        """Say why there is no picture; plot and numbers are there."""
        self._say("No picture", reason, _VIDEO)

    def _say(self, title: str, hint: str, keys: tuple[str, ...]) -> None:
        self._page.say(title, hint, keys=keys)
        self.view.show_result(None, {})
        self._stack.setCurrentWidget(self._page)
