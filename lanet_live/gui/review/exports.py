"""Writes what is reviewed to files, beside the GUI thread."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from lanet_live.gui.messages import Message, describe_error
from lanet_live.gui.review.document import ReviewDocument
from lanet_live.gui.review.jobs import BackgroundJobs, Job
from lanet_live.review.export_table import ExportSpan, export_table
from lanet_live.review.plot import draw_review
from lanet_live.review.report import ReportOptions, write_report

_TABLES: Final = "CSV (*.csv);;Parquet (*.parquet);;Excel (*.xlsx)"
_PLOTS: Final = "PNG (*.png);;SVG (*.svg)"
_REPORTS: Final = "HTML (*.html)"


class ExportControl(QObject):
    """Asks where to, and writes. Lives in the GUI thread."""

    message_raised = Signal(object)

    def __init__(
        self,
        document: ReviewDocument,
        jobs: BackgroundJobs,
        window: QWidget,
        selection: Callable[[], tuple[float, float] | None],
    ) -> None:
        super().__init__(window)
        self._document = document
        self._jobs = jobs
        self._window = window
        self._selection = selection
        self.options = ReportOptions()

    def export_table(self) -> None:
        """Ask for a file and write the table."""
        self._ask("Export the table", _TABLES, ".csv", self.write_table)

    def export_selection(self) -> None:
        """Ask for a file and write the selected range."""
        selected_s = self._selection()
        if selected_s is None:
            text = "Select a range first: I at its beginning, O at its end."
            self.message_raised.emit(Message("info", text, timeout_s=8))
            return
        write = partial(self.write_table, span=ExportSpan(*selected_s))
        self._ask("Export the selection", _TABLES, ".csv", write)

    def export_plot(self) -> None:
        """Ask for a file and draw the recording."""
        self._ask("Export the plot", _PLOTS, ".png", self.write_plot)

    def export_report(self) -> None:
        """Ask for a file and write the report."""
        self._ask("Export a report", _REPORTS, ".html", self.write_report)

    def write_table(self, path: Path, *, span: ExportSpan | None = None) -> None:
        """Write the table to a file."""
        recording, edits = self._document.recording, self._document.edits
        if recording is not None:
            self._write(path, lambda: export_table(path, recording, edits, span))

    def write_plot(self, path: Path) -> None:
        """Draw the recording into a file."""
        recording, edits = self._document.recording, self._document.edits
        if recording is not None:
            self._write(path, lambda: draw_review(path, recording, edits))

    def write_report(self, path: Path) -> None:
        """Write the report to a file."""
        recording, edits, options = self._document.recording, self._document.edits, self.options
        if recording is not None:
            self._write(path, lambda: write_report(path, recording, edits, options))

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

    def _write(self, path: Path, work: Callable[[], object]) -> None:
        self._jobs.submit(
            Job(f"export {path}", work, partial(self._on_written, path), self._on_failed)
        )

    def _on_written(self, path: Path, _outcome: object) -> None:
        def open_folder() -> None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))

        self.message_raised.emit(Message("info", f"Written to {path}.", "Show folder", open_folder))

    def _on_failed(self, error: BaseException) -> None:
        self.message_raised.emit(Message("error", describe_error(error)))
