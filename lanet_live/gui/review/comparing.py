"""Compares the recording on show with a second one, on the time axis of the first."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QWidget

from lanet_live.gui.messages import Message, describe_error
from lanet_live.gui.review.compare_panel import ComparePanel
from lanet_live.gui.review.document import Loaded, ReviewDocument, load, show_values
from lanet_live.gui.review.jobs import BackgroundJobs, Job
from lanet_live.gui.review.player import Player
from lanet_live.gui.review.timeline import ComparedLane, ReviewTimeline
from lanet_live.gui.widgets.lane import format_time
from lanet_live.review.compare import ShiftedSeries, Side, summarise_side
from lanet_live.review.recording import Recording
from lanet_live.review.summary import Summary, Window
from lanet_live.sessions.events import EXCLUDED, SessionEvent

_DELAY_MS: Final = 200
_TABLE_FILTER: Final = "Tables (*.csv *.parquet);;All files (*)"
_Both = tuple[Summary | None, Summary | None]


class CompareControl(QObject):
    """Opens the second recording, called B, and keeps lane and panel up to date."""

    begun = Signal()
    ended = Signal()
    message_raised = Signal(object)

    def __init__(
        self,
        document: ReviewDocument,
        jobs: BackgroundJobs,
        timeline: ReviewTimeline,
        player: Player,
        *,
        end_action: QAction,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._document = document
        self._jobs = jobs
        self._timeline = timeline
        self._player = player
        self._window = window
        self._end_action = end_action
        self._loaded: Loaded | None = None
        self._as_loaded: Loaded | None = None
        self._is_corrected = False
        self._only_reliable = False
        self.panel = ComparePanel(end_action)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self._sum_up)
        self.panel.changed.connect(self._show)
        self.panel.align_asked.connect(self.align)
        document.opened.connect(self.end)
        document.edited.connect(self._show)
        timeline.selection_changed.connect(self._ask)
        end_action.setEnabled(False)

    @property
    def is_on(self) -> bool:
        """Whether two recordings are compared."""
        return self._loaded is not None

    @property
    def shift_s(self) -> float:
        """Moment on the time axis less moment in B."""
        return self.panel.shift.value()

    # Actions, named in review.actions ---------------------------------------------------------

    def choose_session(self) -> None:
        """Ask for the session to compare with."""
        if path := QFileDialog.getExistingDirectory(self._window, "Compare with a session"):
            self.open_path(Path(path))

    def choose_table(self) -> None:
        """Ask for the table to compare with."""
        title = "Compare with a table"
        path, _ = QFileDialog.getOpenFileName(self._window, title, "", _TABLE_FILTER)
        if path:
            self.open_path(Path(path))

    def end(self) -> None:
        """Show the first recording alone."""
        if self._loaded is not None:
            self._loaded = self._as_loaded = None
            self._timer.stop()
            self._end_action.setEnabled(False)
            self._timeline.set_compared(None)
            self.ended.emit()

    def open_path(self, path: Path) -> None:
        """Compare with a session or a table, opened in the background."""
        self._jobs.submit(Job("compare", partial(load, path), self._on_loaded, self._on_failed))

    def align(self, is_at_playhead: bool = False) -> None:
        """Let B begin at the playhead, or together with A."""
        if self._loaded is not None:
            first_s = self._loaded.recording.table.span_s[0]
            target_s = self._player.time_s if is_at_playhead else self._document.span_s[0]
            self.panel.show_shift(target_s - first_s)
            self._show()

    def set_only_reliable(self, is_on: bool) -> None:
        """Leave out frames that are not reliable."""
        self._only_reliable = is_on
        self._ask()

    def set_corrected(self, is_on: bool) -> None:
        """Show what neutral baselines correct in B, or what was measured."""
        self._is_corrected = is_on
        if self._as_loaded is not None:
            self._loaded = show_values(self._as_loaded, is_corrected=is_on)
            self._show()

    def _on_loaded(self, loaded: Loaded) -> None:
        refusal = self._refusal(loaded)
        if refusal:
            self.message_raised.emit(Message("warning", refusal))
            return
        self._as_loaded = loaded
        self._loaded = show_values(loaded, is_corrected=self._is_corrected)
        self._end_action.setEnabled(True)
        self.align()
        self._timeline.show_all()
        self.begun.emit()

    def _refusal(self, loaded: Loaded) -> str:
        """Say why this cannot be compared with the recording on show; empty when it can."""
        recording = self._document.recording
        if recording is None:
            return "Open a recording first, then the one to compare it with."
        title = loaded.recording.title
        if loaded.recording.table.labels != self._document.labels:
            return f"{title} has other classes than {recording.title}; they cannot be compared."
        faceless = [recording.title] * (not self._document.series) + [title] * (not loaded.rows)
        return f"No face was seen in {faceless[0]}: nothing to compare." if faceless else ""

    def _on_failed(self, error: BaseException) -> None:
        self.message_raised.emit(Message("error", describe_error(error)))

    # Showing ----------------------------------------------------------------------------------

    def _show(self) -> None:
        """Bring lane and panel up to date with faces, shift and edits."""
        loaded, recording = self._loaded, self._document.recording
        if loaded is None or recording is None:
            return
        edits = self._document.edits
        names = {face_id: edits.name_of(face_id) for face_id in self._document.faces_by_length}
        self.panel.show_side("A", _title(recording), names)
        edits, rows = loaded.recording.edits, loaded.rows
        by_length = sorted(rows, key=lambda i: (-len(rows[i]), i))
        names = {face_id: edits.name_of(face_id) for face_id in by_length}
        self.panel.show_side("B", _title(loaded.recording), names)
        face_id = self.panel.chosen("B")
        if face_id is not None:
            self._timeline.set_compared(_lane(loaded, face_id, self.shift_s))
        self._ask()

    def _ask(self) -> None:
        if self._loaded is not None:
            self._timer.start()

    def _sum_up(self) -> None:
        """Sum up both sides in the background: the selected range, or all of each."""
        loaded, recording = self._loaded, self._document.recording
        face_a, face_b = self.panel.chosen("A"), self.panel.chosen("B")
        reviewed = self._document.reviewed
        if loaded is None or recording is None or reviewed is None:
            return
        if face_a is None or face_b is None:
            return
        other, selected_s = loaded.recording, self._timeline.selected_s
        windows = [Window("Whole", *r.table.span_s) for r in (recording, other)]
        span = "Each as a whole"
        if selected_s is not None:
            begin_s, end_s = selected_s
            windows = [Window("Selection", begin_s - s, end_s - s) for s in (0.0, self.shift_s)]
            span = f"Selected range, {_time(begin_s)} to {_time(end_s)}"
        side_a = Side(recording.table, reviewed, self._document.edits, face_a, windows[0])
        side_b = Side(other.table, loaded.reviewed, other.edits, face_b, windows[1])
        only_reliable = self._only_reliable

        def work() -> tuple[_Both, str]:
            a, b = (summarise_side(s, only_reliable=only_reliable) for s in (side_a, side_b))
            return (a, b), span

        self._jobs.submit(Job("compare summary", work, self._on_summed_up, self._on_failed))

    def _on_summed_up(self, outcome: tuple[_Both, str]) -> None:
        sides, span = outcome
        if self.is_on:
            self.panel.show_summaries(sides, self._document.labels, span)


def _title(recording: Recording) -> str:
    return f"{recording.title}, corrected" if recording.is_corrected else recording.title


def _lane(loaded: Loaded, face_id: int, shift_s: float) -> ComparedLane:
    """Return the lane of a face of B in the time of A."""
    recording = loaded.recording
    edits, (first_s, last_s) = recording.edits, recording.table.span_s
    return ComparedLane(
        face_id=face_id,
        name=edits.name_of(face_id),
        series=ShiftedSeries(loaded.series[face_id], shift_s),
        span_s=(first_s + shift_s, last_s + shift_s),
        excluded_s=[(begin_s + shift_s, end_s + shift_s) for begin_s, end_s in edits.excluded_s],
        markers=[_shifted(event, shift_s) for event in edits.events if event.kind != EXCLUDED],
        limits=edits.limits,
    )


def _shifted(event: SessionEvent, shift_s: float) -> SessionEvent:
    end_s = event.end_timestamp_s
    return replace(
        event,
        timestamp_s=event.timestamp_s + shift_s,
        end_timestamp_s=None if end_s is None else end_s + shift_s,
    )


def _time(time_s: float) -> str:
    return format_time(time_s, n_decimals=2)
