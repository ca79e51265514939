"""The summary of one face in one window: means with intervals, shares of time, peaks."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from lanet_live.expression.shares import describe_shares
from lanet_live.gui.widgets.class_table import ClassTable
from lanet_live.gui.widgets.lane import format_time
from lanet_live.review.interval import N_RESAMPLES
from lanet_live.review.summary import DEFAULT_WINDOW_S, Summary

_COLUMNS: Final = ("Class", "Mean", "95 % interval", "On top", "Peak")
_TOOLTIPS: Final = (
    "",
    "Mean probability, weighted by the time each frame was shown.",
    f"Of the mean: block bootstrap, {N_RESAMPLES} resamples.",
    "Share of time in which the class was the most probable one.",
    "Highest probability, and when.",
)


class SummaryPanel(QWidget):
    """Shows summaries that were computed elsewhere; asks for new ones when a choice changes."""

    asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._summaries: tuple[Summary, ...] = ()
        self._labels: tuple[str, ...] = ()
        self._is_corrected = False
        self.window_box = QComboBox()
        self.window_box.setAccessibleName("Window of the summary")
        self.window_box.setToolTip("The whole recording, or what follows an event.")
        self.face_box = QComboBox()
        self.face_box.setAccessibleName("Face of the summary")
        self.face_box.setToolTip("Whose values are summed up.")
        self.after = QDoubleSpinBox()
        self.after.setRange(0.2, 600.0)
        self.after.setValue(DEFAULT_WINDOW_S)
        self.after.setSuffix(" s")
        self.after.setAccessibleName("Length of the window after a marker")
        self.after.setToolTip("A marker is a moment; its window is this long.")
        self.table = ClassTable(_COLUMNS, _TOOLTIPS, "Summary")
        self._words = QLabel("Open a recording to see its summary.")
        self._words.setProperty("secondary", True)
        self._words.setWordWrap(True)
        form = QFormLayout()
        form.setVerticalSpacing(4)
        form.setHorizontalSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.face_box, stretch=1)
        row.addWidget(QLabel("after a marker"))
        row.addWidget(self.after)
        form.addRow("Window", self.window_box)
        form.addRow("Face", row)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addLayout(form)
        column.addWidget(self.table, stretch=1)
        column.addWidget(self._words)
        self.window_box.currentIndexChanged.connect(self._on_window_chosen)
        self.face_box.currentIndexChanged.connect(self._fill)
        self.after.valueChanged.connect(self.asked)

    @property
    def text(self) -> str:
        """The words below the table."""
        return self._words.text()

    def wait(self) -> None:
        """Say that new ones are being computed, while there are none to show."""
        if not self._summaries:
            self._words.setText("Summing up …")

    def show_summaries(
        self,
        summaries: tuple[Summary, ...],
        labels: tuple[str, ...],
        *,
        is_corrected: bool = False,
    ) -> None:
        """Show these, at the same window and face as before where they are still there.

        Args:
            summaries: Of every face in every window.
            labels: Class names, (C,).
            is_corrected: The values are corrected by neutral baselines.
        """
        self._summaries, self._labels = summaries, labels
        self._is_corrected = is_corrected
        windows = list(dict.fromkeys(summary.window for summary in summaries))
        texts = [f"{w.name}  ({format_time(w.start_s)} to {format_time(w.end_s)})" for w in windows]
        _refill(self.window_box, texts, windows)
        self._on_window_chosen()

    def _on_window_chosen(self, _place: int = 0) -> None:
        window = self.window_box.currentData()
        here = [summary for summary in self._summaries if summary.window == window]
        _refill(self.face_box, [s.name for s in here], [s.face_id for s in here])
        self._fill()

    def _fill(self, _place: int = 0) -> None:
        chosen = [
            summary
            for summary in self._summaries
            if summary.window == self.window_box.currentData()
            and summary.face_id == self.face_box.currentData()
        ]
        if not chosen:
            self.table.show_rows((), ())
            self._words.setText("No face was seen here, or all of it is excluded.")
            return
        self.table.show_rows(self._labels, class_rows(chosen[0], self._labels))
        values = " Values corrected by neutral baselines." if self._is_corrected else ""
        shares = chosen[0].shares
        suggestion = "" if shares is None else f" {describe_shares(shares)}; not applied."
        self._words.setText(count_text(chosen[0]) + values + suggestion)


def class_rows(summary: Summary, labels: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the table of a summary as texts, a row per class."""
    interval = summary.interval
    rows: list[tuple[str, ...]] = []
    for k, label in enumerate(labels):
        between = f"{interval.low[k]:.3f} – {interval.high[k]:.3f}" if interval else "–"
        if not summary.n_used:
            rows.append((label, "–", "–", "–", "–"))
            continue
        peak = f"{summary.peak[k]:.2f} at {format_time(float(summary.peak_s[k]), n_decimals=1)}"
        share = f"{summary.time_share[k] * 100:.1f} %"
        rows.append((label, f"{summary.mean[k]:.3f}", between, share, peak))
    return rows


def count_text(summary: Summary) -> str:
    """Say how much a summary rests on, and how its interval was made."""
    used = "" if summary.n_used == summary.n_rows else f", {summary.n_used} of them summed up"
    text = (
        f"{summary.n_rows} frames{used}, {summary.seen_s:.1f} s, "
        f"{summary.reliable_share * 100:.1f} % reliable. "
    )
    interval = summary.interval
    if interval is None:
        return text + "Too short for an interval."
    return text + (
        f"Interval: block bootstrap, {interval.n_blocks} blocks of {interval.block_s:.1f} s."
    )


def _refill(box: QComboBox, texts: list[str], data: Sequence[object]) -> None:
    """Replace the choices without telling; stay with the chosen one if it is still there."""
    before = box.currentData()
    blocked = box.blockSignals(True)
    box.clear()
    for text, value in zip(texts, data, strict=True):
        box.addItem(text, value)
    box.setCurrentIndex(data.index(before) if before in data else 0)
    box.blockSignals(blocked)
