"""The tab that compares two recordings: whose faces, how they are shifted, both summed up."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.widgets.class_table import ClassTable
from lanet_live.review.interval import N_RESAMPLES
from lanet_live.review.summary import Summary

_COLUMNS: Final = ("Class", "A", "B", "B − A")
_METHOD: Final = f"block bootstrap, {N_RESAMPLES} resamples"
_TOOLTIPS: Final = (
    "",
    f"Mean probability in A, and its 95 % interval: {_METHOD}.",
    f"Mean probability in B, and its 95 % interval: {_METHOD}.",
    "Difference of the two means. It is not tested: each interval is of its own recording.",
)
_MAX_SHIFT_S: Final = 86_400.0


class ComparePanel(QWidget):
    """Shows what `CompareControl` computes; signals when a choice changes."""

    changed = Signal()
    align_asked = Signal(bool)  # at the playhead; at the beginning of A otherwise

    def __init__(self, end_action: QAction) -> None:
        super().__init__()
        self._titles = {"A": self._make_title(), "B": self._make_title()}
        self.faces = {side: self._make_box(side) for side in "AB"}
        self.shift = self._make_shift()
        together = self._make_button("Together", "Let both begin at the same moment.")
        here = self._make_button("At the playhead", "Let B begin where the playhead is.")
        end = QToolButton()
        end.setDefaultAction(end_action)
        end.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.table = ClassTable(_COLUMNS, _TOOLTIPS, "A and B side by side")
        self._words = QLabel()
        self._words.setProperty("secondary", True)
        self._words.setWordWrap(True)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for row, side in enumerate("AB"):
            letter = QLabel(side)
            letter.setProperty("heading", True)
            grid.addWidget(letter, row, 0)
            grid.addWidget(self._titles[side], row, 1)
            grid.addWidget(self.faces[side], row, 2, 1, 2)
        grid.addWidget(end, 1, 4)
        label = QLabel("Shift B by")
        label.setBuddy(self.shift)
        shift_row = QGridLayout()
        shift_row.setHorizontalSpacing(8)
        shift_row.setColumnStretch(4, 1)
        for column, widget in enumerate((label, self.shift, together, here)):
            shift_row.addWidget(widget, 0, column)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(6, 6, 6, 6)
        column_layout.setSpacing(4)
        column_layout.addLayout(grid)
        column_layout.addLayout(shift_row)
        column_layout.addWidget(self.table, stretch=1)
        column_layout.addWidget(self._words)
        together.clicked.connect(lambda: self.align_asked.emit(False))
        here.clicked.connect(lambda: self.align_asked.emit(True))

    @property
    def text(self) -> str:
        """The words below the table."""
        return self._words.text()

    def chosen(self, side: str) -> int | None:
        """The face of a side, "A" or "B"; None while there is none."""
        face_id: int | None = self.faces[side].currentData()
        return face_id

    def show_side(self, side: str, title: str, names: Mapping[int, str]) -> None:
        """Name a recording and its faces; the chosen one stays if it is still there."""
        self._titles[side].setText(title)
        self._titles[side].setToolTip(title)
        box = self.faces[side]
        before = box.currentData()
        blocked = box.blockSignals(True)
        box.clear()
        for face_id, name in names.items():
            box.addItem(name, face_id)
        box.setCurrentIndex(max(0, box.findData(before)) if names else -1)
        box.blockSignals(blocked)

    def show_shift(self, shift_s: float) -> None:
        """Write the shift without telling."""
        blocked = self.shift.blockSignals(True)
        self.shift.setValue(shift_s)
        self.shift.blockSignals(blocked)

    def show_summaries(
        self, sides: tuple[Summary | None, Summary | None], labels: tuple[str, ...], span: str
    ) -> None:
        """Write both sides.

        Args:
            sides: Of A and of B; None where the face is not seen.
            labels: Class names, (C,).
            span: What is summed up, in words.
        """
        rows = [
            (label, *(_mean_text(side, k) for side in sides), _difference(sides, k))
            for k, label in enumerate(labels)
        ]
        self.table.show_rows(labels, rows)
        counts = " ".join(
            f"{letter}: {_count_text(side)}" for letter, side in zip("AB", sides, strict=True)
        )
        self._words.setText(f"{span}. {counts} {_interval_text(sides)}".strip())

    def _make_title(self) -> QLabel:
        title = QLabel()
        # It may be long; it must not keep the window wide.
        title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        return title

    def _make_box(self, side: str) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(f"Face of {side}")
        box.setToolTip(f"Whose values of {side} are compared.")
        box.setMinimumWidth(12 * self.fontMetrics().averageCharWidth())
        box.currentIndexChanged.connect(self.changed)
        return box

    def _make_shift(self) -> QDoubleSpinBox:
        shift = QDoubleSpinBox()
        shift.setRange(-_MAX_SHIFT_S, _MAX_SHIFT_S)
        shift.setDecimals(2)
        shift.setSingleStep(0.1)
        shift.setSuffix(" s")
        shift.setKeyboardTracking(False)
        shift.setAccessibleName("Shift of B")
        shift.setToolTip("Moment on the time axis of A less moment in B.")
        # As wide as common shifts need; a day of digits scrolls.
        shift.setFixedWidth(shift.fontMetrics().horizontalAdvance("−0000.00 s") + 40)
        shift.valueChanged.connect(self.changed)
        return shift

    def _make_button(self, text: str, tooltip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tooltip)
        return button


def _mean_text(summary: Summary | None, k: int) -> str:
    if summary is None or not summary.n_used:
        return "–"
    interval = summary.interval
    between = "" if interval is None else f"  ({interval.low[k]:.2f} – {interval.high[k]:.2f})"
    return f"{summary.mean[k]:.3f}{between}"


def _difference(sides: tuple[Summary | None, Summary | None], k: int) -> str:
    means = [side.mean[k] if side is not None else np.nan for side in sides]
    difference = round(float(means[1] - means[0]), 3)
    if not np.isfinite(difference):
        return "–"
    return f"{difference:+.3f}".replace("-", "−") if difference else "0.000"


def _count_text(summary: Summary | None) -> str:
    if summary is None:
        return "the face is not seen."
    return f"{summary.n_used} frames, {summary.reliable_share * 100:.1f} % reliable."


def _interval_text(sides: tuple[Summary | None, Summary | None]) -> str:
    """Say which side is too short for an interval; empty when none is."""
    short = [
        letter
        for letter, side in zip("AB", sides, strict=True)
        if side is not None and side.interval is None
    ]
    if len(short) == 2:
        return "Too short for intervals."
    return f"{short[0]} is too short for intervals." if short else ""
