"""Bars of one face: the distribution over the classes, and single values with their limit."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from lanet_live.drawing.palette import class_colors
from lanet_live.records import F64Array

_GAP_PX = 8


class DistributionBars(QWidget):
    """One bar per class in the model's fixed order; a tick marks a raw value that differs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._labels: tuple[str, ...] = ()
        self._colors: tuple[QColor, ...] = ()
        self._shown: F64Array = np.empty(0)
        self._raw: F64Array = np.empty(0)
        self._is_faint = False
        self._strong: frozenset[str] = frozenset()

    def show_values(
        self,
        labels: tuple[str, ...],
        shown: F64Array,
        raw: F64Array,
        *,
        is_faint: bool,
        members: Sequence[str] = (),
    ) -> None:
        """Show a distribution.

        Args:
            labels: Class names, (C,).
            shown: What the bars show, (C,).
            raw: As measured, (C,).
            is_faint: The estimate is not reliable.
            members: Classes that remain possible; their names stand out. None: the first one's.
        """
        if labels != self._labels:
            self._labels = labels
            self._colors = tuple(QColor(*color) for color in class_colors(labels))
            self.updateGeometry()
        self._shown, self._raw, self._is_faint = shown, raw, is_faint
        best = int(np.argmax(shown))
        self._strong = frozenset(members) or frozenset({labels[best]})
        self.setAccessibleName(f"Expression: {labels[best]} {shown[best]:.0%}")
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for one line of text per class."""
        return QSize(200, self._row_px() * max(1, len(self._labels)))

    def minimumSizeHint(self) -> QSize:
        """Never shrink below the lines."""
        return QSize(150, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the bars."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        name_px = max((metrics.horizontalAdvance(name) for name in self._labels), default=0)
        value_px = metrics.horizontalAdvance("100 %")
        bar_left = name_px + _GAP_PX
        bar_px = self.width() - bar_left - value_px - _GAP_PX
        rows = zip(self._labels, self._colors, self._shown, self._raw, strict=True)
        for row, (name, color, shown, raw) in enumerate(rows):
            line = QRectF(0, row * self._row_px(), self.width(), self._row_px())
            _draw_text(painter, line, name, self.palette(), is_strong=name in self._strong)
            track = QRectF(bar_left, line.center().y() - 4, bar_px, 8)
            self._draw_bar(painter, track, color, float(shown), float(raw))
            text = f"{shown * 100:.0f} %"
            _draw_text(painter, line, text, self.palette(), is_right=True, is_strong=shown >= 0.005)
        painter.end()

    def _draw_bar(
        self, painter: QPainter, track: QRectF, color: QColor, shown: float, raw: float
    ) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.AlternateBase))
        painter.drawRoundedRect(track, 3, 3)
        filled = QRectF(track)
        filled.setWidth(max(0.0, shown) * track.width())
        fill = QColor(color)
        fill.setAlphaF(0.45 if self._is_faint else 1.0)
        painter.setBrush(fill)
        painter.drawRoundedRect(filled, 3, 3)
        if abs(raw - shown) > 0.01:
            x = track.left() + raw * track.width()
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Text), 1.5))
            painter.drawLine(int(x), int(track.top()) - 1, int(x), int(track.bottom()) + 1)

    def _row_px(self) -> int:
        return self.fontMetrics().height() + 3


class Meter(QWidget):
    """One value between 0 and 1 as a thin bar with the limit beyond which it is not relied on."""

    def __init__(self, name: str, *, is_high_good: bool, parent: QWidget | None = None) -> None:
        """Start empty.

        Args:
            name: Stands before the bar.
            is_high_good: The limit is a least value, not a largest.
            parent: The widget it belongs to.
        """
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._name = name
        self._is_high_good = is_high_good
        self._value = 0.0
        self._limit: float | None = None
        self._names_px_of: Sequence[str] = (name,)

    def align_with(self, names: Sequence[str]) -> None:
        """Start the bar where those of the other names start."""
        self._names_px_of = names

    def show_value(self, value: float, limit: float | None) -> None:
        """Show a value and its limit; None leaves the limit out."""
        self._value, self._limit = value, limit
        self.setAccessibleName(f"{self._name} {value:.2f}")
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for one line of text."""
        return QSize(200, self.fontMetrics().height() + 3)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw name, bar, limit and number."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette, metrics = self.palette(), self.fontMetrics()
        line = QRectF(self.rect())
        _draw_text(painter, line, self._name, palette)
        _draw_text(painter, line, f"{self._value:.2f}", palette, is_right=True, is_strong=True)
        left = max(metrics.horizontalAdvance(name) for name in self._names_px_of) + _GAP_PX
        width = self.width() - left - metrics.horizontalAdvance("100 %") - _GAP_PX
        track = QRectF(left, line.center().y() - 2.5, width, 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(palette.color(QPalette.ColorRole.AlternateBase))
        painter.drawRoundedRect(track, 2.5, 2.5)
        filled = QRectF(track)
        filled.setWidth(min(1.0, max(0.0, self._value)) * track.width())
        is_beyond = self._limit is not None and (
            self._value < self._limit if self._is_high_good else self._value > self._limit
        )
        role = QPalette.ColorRole.BrightText if is_beyond else QPalette.ColorRole.PlaceholderText
        painter.setBrush(palette.color(role))
        painter.drawRoundedRect(filled, 2.5, 2.5)
        if self._limit is not None:
            x = track.left() + self._limit * track.width()
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Text), 1.5))
            painter.drawLine(int(x), int(track.top()) - 3, int(x), int(track.bottom()) + 3)
        painter.end()


def _draw_text(
    painter: QPainter,
    line: QRectF,
    text: str,
    palette: QPalette,
    *,
    is_right: bool = False,
    is_strong: bool = False,
) -> None:
    role = QPalette.ColorRole.Text if is_strong else QPalette.ColorRole.PlaceholderText
    painter.setPen(palette.color(role))
    side = Qt.AlignmentFlag.AlignRight if is_right else Qt.AlignmentFlag.AlignLeft
    painter.drawText(line, side | Qt.AlignmentFlag.AlignVCenter, text)
