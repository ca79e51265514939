"""The row that shows the progress of an export, with the button that stops it."""

from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QToolButton

from lanet_live.gui.review.export_jobs import ExportJobs

_TICK_MS: Final = 100


class ExportProgress(QFrame):
    """Shown while something is being written."""

    def __init__(self, jobs: ExportJobs, cancel: QAction) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._jobs = jobs
        self._text = QLabel()
        # A long path gives way before the window does.
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress of the export")
        self.bar.setFixedWidth(240)
        self.bar.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.cancel = QToolButton()
        self.cancel.setDefaultAction(cancel)
        self.cancel.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.cancel.setProperty("outlined", True)
        self.cancel.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 5, 6, 5)
        row.setSpacing(10)
        row.addWidget(self._text, stretch=1)
        row.addWidget(self.bar)
        row.addWidget(self.cancel)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self.show_progress)
        jobs.changed.connect(self._on_changed)
        self.hide()

    @property
    def text(self) -> str:
        """What is being written."""
        return self._text.text()

    def show_progress(self) -> None:
        """Show how far the export is that is being written."""
        current = self._jobs.current
        if current is None:
            return
        share = current.watch.share
        self.bar.setRange(0, 0 if share is None else 1000)
        if share is not None:
            self.bar.setValue(round(share * 1000))
            self.bar.setFormat(f"{share * 100:.0f} %")
        n_waiting = self._jobs.n_waiting
        after = f"  ({n_waiting} more to write)" if n_waiting else ""
        verb = "Stopping" if current.watch.is_cancelled else "Writing"
        self._text.setText(f"{verb} {current.path.name}{after}")
        self._text.setToolTip(str(current.path))

    def _on_changed(self) -> None:
        is_busy = self._jobs.current is not None
        self.setVisible(is_busy)
        if is_busy:
            self._timer.start()
            self.show_progress()
        else:
            self._timer.stop()
