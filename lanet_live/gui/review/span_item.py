"""Ranges over a lane: excluded ones, the selection, and unreliable ones that are hidden."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from lanet_live.gui.widgets.lane_item import HIGHEST_Y, LOWEST_Y
from lanet_live.gui.widgets.whole_view_item import WholeViewItem

Ranges = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class SpanColors:
    """Colours of the look in force."""

    ground: QColor
    line: QColor
    accent: QColor
    alert: QColor


class SpanItem(WholeViewItem):
    """Draws ranges in plot units, from the top of a lane to its bottom."""

    def __init__(self) -> None:
        super().__init__()
        self.setZValue(5)
        self._excluded: Ranges = ()
        self._hidden: Ranges = ()
        self._selected: tuple[float, float] | None = None
        self._colors: SpanColors | None = None

    def show_spans(
        self,
        *,
        excluded: Ranges,
        hidden: Ranges,
        selected: tuple[float, float] | None,
        colors: SpanColors,
    ) -> None:
        """Draw these."""
        self._excluded, self._hidden = excluded, hidden
        self._selected, self._colors = selected, colors
        self.update()

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Blank what is hidden, cross out what is excluded, tint what is selected."""
        colors = self._colors
        if colors is None:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        for begin_s, end_s in self._hidden:
            painter.fillRect(_rect(begin_s, end_s, bottom=0.0), colors.ground)
        for begin_s, end_s in self._excluded:
            self._paint_excluded(painter, _rect(begin_s, end_s), colors)
        if self._selected is not None:
            tint = QColor(colors.accent)
            tint.setAlphaF(0.16)
            rect = _rect(*self._selected)
            painter.fillRect(rect, tint)
            self._paint_edges(painter, rect, colors.accent)

    def _paint_excluded(self, painter: QPainter, rect: QRectF, colors: SpanColors) -> None:
        veil = QColor(colors.ground)
        veil.setAlphaF(0.8)
        painter.fillRect(rect, veil)
        hatch = QBrush(colors.alert, Qt.BrushStyle.DiagCrossPattern)
        # The pattern is drawn in screen pixels, not stretched with the plot.
        hatch.setTransform(painter.worldTransform().inverted()[0])
        painter.setOpacity(0.35)
        painter.fillRect(rect, hatch)
        painter.setOpacity(1.0)
        self._paint_edges(painter, rect, colors.alert)

    @staticmethod
    def _paint_edges(painter: QPainter, rect: QRectF, color: QColor) -> None:
        pen = QPen(color, 1.2)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawLine(rect.topLeft(), rect.bottomLeft())
        painter.drawLine(rect.topRight(), rect.bottomRight())
        painter.setPen(Qt.PenStyle.NoPen)


def _rect(begin_s: float, end_s: float, *, bottom: float = LOWEST_Y) -> QRectF:
    return QRectF(begin_s, bottom, max(end_s - begin_s, 1e-4), HIGHEST_Y - bottom)
