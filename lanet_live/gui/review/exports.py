"""Asks where to export a review, has it written outside the GUI thread, and reports the outcome."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from lanet_live.gui.messages import Message, describe_error
from lanet_live.gui.review.document import ReviewDocument
from lanet_live.gui.review.export_jobs import ExportJobs
from lanet_live.gui.review.summing import SummaryControl
from lanet_live.gui.review.timeline import ReviewTimeline
from lanet_live.review.edits import Edits
from lanet_live.review.export_table import ExportSpan, export_table
from lanet_live.review.export_video import export_video
from lanet_live.review.export_watch import ExportCancelled, ExportWatch
from lanet_live.review.plot import draw_review
from lanet_live.review.recording import Recording
from lanet_live.review.report import write_report

_TABLES: Final = "CSV (*.csv);;Parquet (*.parquet);;Excel (*.xlsx)"
_PLOTS: Final = "PNG (*.png);;SVG (*.svg)"
_REPORTS: Final = "HTML (*.html)"
_VIDEOS: Final = "MP4 (*.mp4)"

_Work = Callable[[Recording, Edits, ExportWatch], Any]


class ExportControl(QObject):
    """Writes the state of the review at the moment it is asked. Lives in the GUI thread."""

    message_raised = Signal(object)

    def __init__(
        self,
        document: ReviewDocument,
        timeline: ReviewTimeline,
        summing: SummaryControl,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._document = document
        self._timeline = timeline
        self._summing = summing
        self._window = window
        self._video: tuple[Path, float] | None = None
        self.jobs = ExportJobs(self)
        self.jobs.written.connect(self._on_written)
        self.jobs.failed.connect(self._on_failed)

    def use_video(self, path: Path | None, *, shift_s: float = 0.0) -> None:
        """Draw on the pictures of this video; None for the recording's own."""
        self._video = None if path is None else (path, shift_s)

    # Actions, named in review.actions ---------------------------------------------------------

    def export_table(self) -> None:
        """Ask for a file and write the table."""
        self._ask("Export the table", _TABLES, ".csv", self.write_table)

    def export_selection(self) -> None:
        """Ask for a file and write the selected range."""
        if self._timeline.selected_s is None:
            text = "Select a range first: I at its beginning, O at its end."
            self.message_raised.emit(Message("info", text, timeout_s=8))
            return
        self._ask("Export the selection", _TABLES, ".csv", self.write_selection)

    def export_plot(self) -> None:
        """Ask for a file and draw the recording."""
        self._ask("Export the plot", _PLOTS, ".png", self.write_plot)

    def export_video(self) -> None:
        """Ask for a file and draw on the video."""
        self._ask("Export an annotated video", _VIDEOS, ".mp4", self.write_video)

    def export_report(self) -> None:
        """Ask for a file and write the report."""
        self._ask("Export a report", _REPORTS, ".html", self.write_report)

    def cancel(self) -> None:
        """Stop what is being written."""
        self.jobs.cancel()

    # Writing ----------------------------------------------------------------------------------

    def write_table(self, path: Path) -> None:
        """Write the table to a file."""
        self._write(path, lambda r, e, watch: export_table(path, r, e, watch=watch))

    def write_selection(self, path: Path) -> None:
        """Write the selected range to a file."""
        span = self._span()
        self._write(path, lambda r, e, watch: export_table(path, r, e, span=span, watch=watch))

    def write_plot(self, path: Path) -> None:
        """Draw the recording into a file."""
        self._write(path, lambda r, e, _watch: draw_review(path, r, e))

    def write_video(self, path: Path) -> None:
        """Draw on the video, of the selected range if there is one."""
        span, video = self._span(), self._video

        def work(recording: Recording, edits: Edits, watch: ExportWatch) -> str:
            if video is not None:
                recording = replace(recording, video_path=video[0], video_shift_s=video[1])
            n_missing = export_video(path, recording, edits, span=span, watch=watch)
            return f"{n_missing} frames have no picture in the video." if n_missing else ""

        self._write(path, work)

    def write_report(self, path: Path) -> None:
        """Write the report to a file."""
        options = self._summing.options
        self._write(path, lambda r, e, _watch: write_report(path, r, e, options))

    def _span(self) -> ExportSpan:
        selected_s = self._timeline.selected_s
        return ExportSpan() if selected_s is None else ExportSpan(*selected_s)

    def _ask(self, title: str, filters: str, suffix: str, write: Callable[[Path], None]) -> None:
        recording = self._document.recording
        if recording is None:
            self.message_raised.emit(Message("info", "Open a recording first.", timeout_s=8))
            return
        proposal = recording.edits_path.parent / f"{Path(recording.title).stem}_review{suffix}"
        chosen, chosen_filter = QFileDialog.getSaveFileName(
            self._window, title, str(proposal), filters
        )
        if chosen:
            path = Path(chosen)
            if not path.suffix:
                path = path.with_suffix(chosen_filter.split("*")[-1].rstrip(")"))
            write(path)

    def _write(self, path: Path, work: _Work) -> None:
        recording, edits = self._document.recording, self._document.edits
        if recording is not None:
            self.jobs.submit(path, lambda watch: work(recording, edits, watch))

    def _on_written(self, path: Path, outcome: object) -> None:
        def open_folder() -> None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))

        note = outcome if isinstance(outcome, str) else ""
        text = f"Written to {path}. {note}".strip()
        self.message_raised.emit(Message("info", text, "Show folder", open_folder))

    def _on_failed(self, error: BaseException) -> None:
        if isinstance(error, ExportCancelled):
            self.message_raised.emit(Message("info", str(error), timeout_s=8))
        else:
            self.message_raised.emit(Message("error", describe_error(error)))
