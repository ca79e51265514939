"""Markers on the timeline: a line at their moment, a bar as long as they last, a named flag."""

from collections.abc import Sequence
from typing import Final, Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from lanet_live.gui.widgets.lane_item import HIGHEST_Y, LOWEST_Y
from lanet_live.gui.widgets.whole_view_item import WholeViewItem

_BAR_PX: Final = 4.0
# Flags that would overlap hang below each other, as far as there is room.
_N_ROWS: Final = 3


class TimelineMarker(Protocol):
    """What is drawn of a marker."""

    @property
    def time_s(self) -> float:
        """Its moment, in the source's time."""
        ...

    @property
    def end_timestamp_s(self) -> float | None:
        """Where it ends; None for a moment."""
        ...

    @property
    def caption(self) -> str:
        """What stands on its flag."""
        ...


class MarkerItem(WholeViewItem):
    """Draws the markers inside the visible stretch, with flags where there is room for them."""

    def __init__(self, *, has_flags: bool) -> None:
        super().__init__()
        self.setZValue(10)
        self._has_flags = has_flags
        self._markers: Sequence[TimelineMarker] = ()
        self._line = QColor("black")
        self._ground = QColor("white")

    def show_markers(
        self, markers: Sequence[TimelineMarker], *, line: QColor, ground: QColor
    ) -> None:
        """Draw these."""
        self._markers = sorted(markers, key=lambda marker: marker.time_s)
        self._line, self._ground = line, ground
        self.update()

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Draw lines in plot units and flags in pixels."""
        view = self.viewRect()
        visible = [
            m for m in self._markers if m.time_s <= view.right() and _end_s(m) >= view.left()
        ]
        if not visible:
            return
        pen = QPen(self._line, 1.4)
        pen.setCosmetic(True)
        painter.setPen(pen)
        for marker in visible:
            painter.drawLine(QPointF(marker.time_s, LOWEST_Y), QPointF(marker.time_s, HIGHEST_Y))
        pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        for end_s in (m.end_timestamp_s for m in visible if m.end_timestamp_s is not None):
            painter.drawLine(QPointF(end_s, LOWEST_Y), QPointF(end_s, HIGHEST_Y))
        if self._has_flags:
            self._paint_flags(painter, visible)

    def _paint_flags(self, painter: QPainter, visible: Sequence[TimelineMarker]) -> None:
        to_screen = painter.worldTransform()
        painter.save()
        painter.resetTransform()
        metrics = QFontMetricsF(painter.font())
        right_px = to_screen.map(QPointF(self.viewRect().right(), HIGHEST_Y)).x()
        taken_until = [-1.0] * _N_ROWS
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for marker in visible:
            # That of a range that began before stands where the view begins.
            begin_s = max(marker.time_s, self.viewRect().left())
            spot = to_screen.map(QPointF(begin_s, HIGHEST_Y))
            end_px = to_screen.map(QPointF(_end_s(marker), HIGHEST_Y)).x()
            if end_px > spot.x():
                bar = QRectF(spot.x(), spot.y(), min(end_px, right_px) - spot.x(), _BAR_PX)
                painter.fillRect(bar, self._line)
            width = metrics.horizontalAdvance(marker.caption) + 10
            # At the right end the flag hangs on the other side of its line.
            left = spot.x() if spot.x() + width <= right_px else spot.x() - width
            flag = QRectF(left, spot.y(), width, metrics.height() + 3)
            rows = [row for row in range(_N_ROWS) if flag.left() >= taken_until[row]]
            if not rows:
                continue
            flag.translate(0, rows[0] * (flag.height() + 1))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._line)
            painter.drawRect(flag)
            painter.setPen(self._ground)
            painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, marker.caption)
            taken_until[rows[0]] = flag.right() + 2
        painter.restore()


def _end_s(marker: TimelineMarker) -> float:
    """Return where a marker ends; a moment ends where it is."""
    return marker.time_s if marker.end_timestamp_s is None else marker.end_timestamp_s
