"""The timeline with what belongs to it: view, window length, legend, and values at the pointer."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout

from lanet_live.gui.live.face_book import FaceBook
from lanet_live.gui.widgets.lane import format_time
from lanet_live.gui.widgets.legend import Legend
from lanet_live.gui.widgets.timeline import MAX_WINDOW_S, MIN_WINDOW_S, LaneFacts, Timeline

_WINDOWS: Final = (
    (10, "10 s"),
    (30, "30 s"),
    (60, "1 min"),
    (120, "2 min"),
    (300, "5 min"),
    (600, "10 min"),
)
_HINT: Final = (
    "Point at it or use the arrow keys to read values, drag to look back, "
    "wheel for more or less time.  "
    "Hatched: not reliable.  Dashed: limits."
)


class TimelinePanel(QFrame):
    """Feeds a timeline from a face book."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.timeline = Timeline()
        self.legend = Legend()
        self._book = FaceBook()
        self._window = QComboBox()
        for seconds, text in _WINDOWS:
            self._window.addItem(text, float(seconds))
        self._window.setToolTip("Length of time on show (+ and -).")
        self._window.setAccessibleName("Length of the timeline")
        self._now = QToolButton()
        self._now.setDefaultAction(actions["now"])
        self._now.setProperty("outlined", True)
        self._now.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._now.setVisible(False)
        self._readout = QLabel(_HINT)
        self._readout.setProperty("secondary", True)
        self._readout.setIndent(8)
        # It may be long; it must not keep the window wide.
        self._readout.setMinimumWidth(1)
        self._lay_out(actions)
        self._window.activated.connect(self._on_window_picked)
        self.timeline.window_changed.connect(self._show_window)
        self.timeline.following_changed.connect(self._on_following_changed)
        self.timeline.pointed_at.connect(self._on_pointed_at)
        self.legend.faint_changed.connect(self.timeline.set_faint)
        self._show_window(self.timeline.window_s)

    def show_book(self, book: FaceBook) -> None:
        """Show the faces of another run from now on."""
        self._book = book
        self.timeline.set_histories(book.histories, book.labels)
        self.timeline.set_lanes(())

    def take_labels(self) -> None:
        """Take up the classes once the book knows them.

        The timeline is asked, not the legend: the legend keeps the classes of the run before,
        while the timeline begins every run without any.
        """
        if self._book.labels != self.timeline.labels:
            self.timeline.set_histories(self._book.histories, self._book.labels)
        if self._book.labels and self._book.labels != self.legend.labels:
            self.legend.set_labels(self._book.labels)

    def set_lanes(self, face_ids: tuple[int, ...]) -> None:
        """Show these faces."""
        faces = self._book.faces
        self.timeline.set_lanes(tuple(LaneFacts(i, faces[i].name) for i in face_ids if i in faces))

    # Actions, named in live.actions ------------------------------------------------------------

    def show_lines(self, is_on: bool) -> None:
        """Draw lines instead of areas."""
        self.timeline.set_stacked(not is_on)

    def see_less(self) -> None:
        """Take the next shorter window."""
        shorter = [s for s, _ in _WINDOWS if s < self.timeline.window_s - 0.5]
        self.timeline.set_window(float(shorter[-1]) if shorter else MIN_WINDOW_S)

    def see_more(self) -> None:
        """Take the next longer window."""
        longer = [s for s, _ in _WINDOWS if s > self.timeline.window_s + 0.5]
        self.timeline.set_window(float(longer[0]) if longer else MAX_WINDOW_S)

    def look_back(self) -> None:
        """Move half a window back."""
        self.timeline.step(-0.5)

    def look_ahead(self) -> None:
        """Move half a window towards now."""
        self.timeline.step(0.5)

    def follow(self) -> None:
        """Follow the newest moment again."""
        self.timeline.set_following(True)

    def _lay_out(self, actions: Mapping[str, QAction]) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(8, 6, 8, 0)
        head.setSpacing(6)
        lines = QToolButton()
        lines.setDefaultAction(actions["lines"])
        lines.setIconSize(QSize(18, 18))
        lines.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        head.addWidget(lines)
        head.addWidget(self._window)
        head.addSpacing(6)
        head.addWidget(self.legend)
        head.addStretch(1)
        head.addWidget(self._now)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 4)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self.timeline, stretch=1)
        column.addWidget(self._readout)

    def _on_window_picked(self, _row: int) -> None:
        self.timeline.set_window(self._window.currentData())

    def _show_window(self, window_s: float) -> None:
        row = self._window.findData(window_s)
        self._window.setCurrentIndex(row)
        if row < 0:
            self._window.setPlaceholderText(f"{window_s:.0f} s")

    def _on_following_changed(self, is_following: bool) -> None:
        self._now.setVisible(not is_following)

    def _on_pointed_at(self, place: tuple[int, float] | None) -> None:
        text = _HINT if place is None else self._describe(*place)
        self._readout.setText(text)
        self.timeline.setAccessibleDescription(text)

    def _describe(self, face_id: int, time_s: float) -> str:
        """Write the values of the sample nearest to the pointer."""
        face = self._book.faces.get(face_id)
        sample = face.history.nearest(time_s) if face else None
        if face is None or sample is None or abs(float(sample.time_s[0]) - time_s) > 1.0:
            return f"{format_time(time_s, n_decimals=1)}  ·  no face"
        shown = sample.shown[0]
        best = np.argsort(shown)[::-1][:3]
        classes = ", ".join(f"{self._book.labels[k]} {shown[k] * 100:.0f} %" for k in best)
        verdict = "reliable" if sample.reliable_share[0] >= 0.5 else "not reliable"
        moment = format_time(float(sample.time_s[0]), n_decimals=2)
        return (
            f"{face.name} at {moment}  ·  {classes}  ·  "
            f"uncertainty {sample.uncertainty[0]:.2f}, quality {sample.quality[0]:.2f}, {verdict}"
        )
