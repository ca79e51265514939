"""The timeline with what belongs to it: view, legend, position, and the playhead's values."""

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout

from lanet_live.gui.readings import FaceReading
from lanet_live.gui.review.document import ReviewDocument
from lanet_live.gui.review.faces_panel import moment_text
from lanet_live.gui.review.timeline import ReviewTimeline
from lanet_live.gui.widgets.lane import format_time
from lanet_live.gui.widgets.legend import Legend
from lanet_live.gui.widgets.timeline import LaneFacts
from lanet_live.sessions.events import EXCLUDED

_STEPS: Final = 10_000
_WITH_TEXT: Final = ("review_lines", "hide_unreliable", "corrected")
_HINT: Final = (
    "Click to go there, drag to move, wheel to zoom.  "
    "Hatched: not reliable.  Crossed out: excluded.  Dashed: limits."
)


class ReviewTimelinePanel(QFrame):
    """Feeds the timeline from the document."""

    sought = Signal(float)

    def __init__(self, document: ReviewDocument, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._document = document
        self.timeline = ReviewTimeline()
        self.legend = Legend()
        self.position = QSlider(Qt.Orientation.Horizontal)
        self.position.setRange(0, _STEPS)
        self.position.setAccessibleName("Position in the recording")
        self.position.setToolTip("Drag to scrub; arrow keys move it in small steps.")
        self.position.setEnabled(False)
        self._readout = QLabel(_HINT)
        self._readout.setProperty("secondary", True)
        self._readout.setIndent(8)
        # It may be long; it must not keep the window wide.
        self._readout.setMinimumWidth(1)
        self._lay_out(actions)
        self.timeline.sought.connect(self.sought)
        self.position.valueChanged.connect(self._on_position)
        self.legend.faint_changed.connect(self.timeline.set_faint)

    def show_recording(self) -> None:
        """Show another recording."""
        document = self._document
        self.legend.set_labels(document.labels)
        self.timeline.show_recording(document.labels, document.span_s)
        self.position.setEnabled(document.recording is not None)
        # Most recordings have none; the room is better used then.
        self._corrected.setVisible(document.has_corrected)

    def show_edits(self, face_ids: tuple[int, ...]) -> None:
        """Show faces, events, excluded ranges and limits as they are now."""
        edits = self._document.edits
        facts = tuple(LaneFacts(i, edits.name_of(i)) for i in face_ids)
        self.timeline.set_series(self._document.series, facts)
        markers = [event for event in edits.events if event.kind != EXCLUDED]
        self.timeline.set_edits(markers, edits.excluded_s, edits.limits)

    def show_moment(
        self,
        time_s: float,
        readings: Mapping[int, tuple[int, FaceReading]],
        chosen: tuple[int, ...],
    ) -> None:
        """Put the playhead at a moment and write what was measured there."""
        self.timeline.set_playhead(time_s)
        first_s, last_s = self._document.span_s
        share = (time_s - first_s) / (last_s - first_s) if last_s > first_s else 0.0
        blocked = self.position.blockSignals(True)
        self.position.setValue(round(share * _STEPS))
        self.position.blockSignals(blocked)
        here = [readings[i][1] for i in chosen if i in readings] or [
            r for _, r in readings.values()
        ]
        if here:
            self._readout.setText(moment_text(here[0].name, time_s, here[0]))
        else:
            self._readout.setText(f"{format_time(time_s, n_decimals=2)}  ·  no face")
        self._readout.setToolTip(_HINT)

    def _on_position(self, value: int) -> None:
        first_s, last_s = self._document.span_s
        self.sought.emit(first_s + value / _STEPS * (last_s - first_s))

    def _lay_out(self, actions: Mapping[str, QAction]) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(8, 6, 8, 0)
        head.setSpacing(6)
        for key in (
            "review_lines",
            "hide_unreliable",
            "corrected",
            "review_nearer",
            "review_farther",
            "review_all",
        ):
            button = QToolButton()
            button.setDefaultAction(actions[key])
            button.setIconSize(QSize(18, 18))
            button.setAccessibleName(actions[key].text())
            if key in _WITH_TEXT:
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            if key == "corrected":
                self._corrected = button
            head.addWidget(button)
        self._corrected.hide()
        head.addSpacing(6)
        head.addWidget(self.legend)
        head.addStretch(1)
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 0, 8, 0)
        foot.addWidget(self.position)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 4)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self.timeline, stretch=1)
        column.addLayout(foot)
        column.addWidget(self._readout)
