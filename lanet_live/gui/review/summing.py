"""Sums the recording up again, in the background, whenever something it rests on has changed."""

from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from lanet_live.gui.messages import Message, describe_error
from lanet_live.gui.review.document import ReviewDocument
from lanet_live.gui.review.jobs import BackgroundJobs, Job
from lanet_live.gui.review.summary_panel import SummaryPanel
from lanet_live.review.edits import Edits
from lanet_live.review.recording import Recording
from lanet_live.review.report import ReportOptions
from lanet_live.review.summary import Summary, summarise, windows_of

_DELAY_MS: Final = 200


class SummaryControl(QObject):
    """Feeds the summary's panel. Lives in the GUI thread."""

    message_raised = Signal(object)

    def __init__(
        self,
        document: ReviewDocument,
        jobs: BackgroundJobs,
        panel: SummaryPanel,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._jobs = jobs
        self._panel = panel
        self._only_reliable = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self._sum_up)
        panel.asked.connect(self.ask)

    @property
    def options(self) -> ReportOptions:
        """What is summed up, for a report of the same."""
        return ReportOptions(self._only_reliable, self._panel.after.value())

    def set_only_reliable(self, is_on: bool) -> None:
        """Leave out frames that are not reliable."""
        self._only_reliable = is_on
        self.ask()

    def ask(self) -> None:
        """Sum up soon."""
        if self._document.recording is not None:
            self._panel.wait()
            self._timer.start()

    def stop(self) -> None:
        """Forget what was asked for."""
        self._timer.stop()

    def _sum_up(self) -> None:
        recording, reviewed = self._document.recording, self._document.reviewed
        if recording is None or reviewed is None:
            return
        table, edits, options = recording.table, self._document.edits, self.options
        windows = windows_of(table, edits, after_marker_s=options.after_marker_s)

        def work() -> tuple[Recording, Edits, tuple[Summary, ...]]:
            only_reliable = options.only_reliable
            summaries = summarise(
                table,
                reviewed,
                edits,
                windows,
                only_reliable=only_reliable,
                class_shares=recording.class_shares,
            )
            return recording, edits, summaries

        self._jobs.submit(Job("summary", work, self._on_summed_up, self._on_failed))

    def _on_summed_up(self, outcome: tuple[Recording, Edits, tuple[Summary, ...]]) -> None:
        recording, edits, summaries = outcome
        if recording is self._document.recording and edits == self._document.edits:
            self._panel.show_summaries(
                summaries, recording.table.labels, is_corrected=recording.is_corrected
            )

    def _on_failed(self, error: BaseException) -> None:
        self.message_raised.emit(Message("error", describe_error(error)))
