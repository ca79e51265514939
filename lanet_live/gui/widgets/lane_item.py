"""One face on the timeline: probabilities, the uncertainty band and the quality strip below them.

One item per face is created once and given new data; it paints a few large polygons instead of one
plot item per class. Vertical layout, in plot units: probabilities fill 0 to 1, the bands lie below.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from lanet_live.drawing.history import Stretch
from lanet_live.records import F64Array


@dataclass(frozen=True, slots=True)
class Band:
    """Where a value between 0 and 1 is drawn: from ``base`` up to ``base + height``."""

    base: float
    height: float

    @property
    def middle(self) -> float:
        """Its vertical centre."""
        return self.base + self.height / 2


UNCERTAINTY_BAND: Final = Band(-0.44, 0.34)
QUALITY_BAND: Final = Band(-0.66, 0.16)
# Qt fills a polygon with many dents many times slower than several with few.
_POLYGON_ROWS: Final = 12
LOWEST_Y: Final = QUALITY_BAND.base - 0.02
HIGHEST_Y: Final = 1.03


@dataclass(frozen=True, slots=True)
class LaneStyle:
    """How a lane is drawn.

    Attributes:
        class_colors: (C,).
        is_faint: Which classes stand back, (C,).
        is_stacked: Areas on top of each other; lines otherwise.
        is_raw: Draw the raw probabilities; what is shown elsewhere otherwise.
        ground: Of the plot.
        quiet: Of the bands' fill.
        alert: Of values beyond their limit.
        line: Of the limits.
        max_uncertainty: Limit; None when unknown.
        min_quality: Limit; None when unknown.
        is_dashed: Lines are dashed: they belong to another recording.
    """

    class_colors: tuple[QColor, ...]
    is_faint: tuple[bool, ...]
    is_stacked: bool
    is_raw: bool
    ground: QColor
    quiet: QColor
    alert: QColor
    line: QColor
    max_uncertainty: float | None
    min_quality: float | None
    is_dashed: bool = False


class LaneItem(pg.GraphicsObject):
    """Paints a `Stretch`."""

    def __init__(self) -> None:
        super().__init__()
        self._style: LaneStyle | None = None
        self._areas: list[_Area] = []
        self._curves: list[pg.PlotCurveItem] = []
        self._unreliable = QPainterPath()
        self._bounds = QRectF(0, LOWEST_Y, 1, HIGHEST_Y - LOWEST_Y)

    def show_stretch(self, stretch: Stretch, style: LaneStyle) -> None:
        """Draw a stretch of time."""
        self._style = style
        self._areas = []
        self._unreliable = QPainterPath()
        self._provide_curves(0 if style.is_stacked else len(style.class_colors))
        if len(stretch):
            self._build(stretch, style)
            self.prepareGeometryChange()
            self._bounds.setLeft(float(stretch.start_s[0]))
            self._bounds.setRight(max(float(stretch.end_s[-1]), self._bounds.left() + 1e-3))
        self.update()

    def boundingRect(self) -> QRectF:
        """Cover the stretch."""
        return self._bounds

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Draw areas, lines, limits and the veil over what is not reliable."""
        style = self._style
        if style is None:
            return
        # Smoothed areas cost ten times as much; a smoothed line along the top looks the same.
        for area in self._areas:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(area.color)
            for polygon in area.polygons:
                painter.drawPolygon(polygon)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(_cosmetic(area.color, 1.0))
            painter.drawPath(area.edge)
        self._paint_limits(painter, style)
        self._paint_veil(painter, style)

    def _build(self, stretch: Stretch, style: LaneStyle) -> None:
        span = _Span(stretch.time_s, stretch.is_joined)
        values = stretch.raw if style.is_raw else stretch.shown
        if style.is_stacked:
            self._build_stack(span, values, style)
        else:
            self._build_lines(span, values, style)
        is_unreliable = stretch.reliable_share < 0.5
        if is_unreliable.any():
            self._unreliable = _marked_spans(span, is_unreliable)
        for band, measured, limit, is_high_good in (
            (UNCERTAINTY_BAND, stretch.uncertainty, style.max_uncertainty, False),
            (QUALITY_BAND, stretch.quality, style.min_quality, True),
        ):
            self._add_area(span, band.base + band.height * measured, band.base, style.quiet)
            if limit is not None:
                is_beyond = measured < limit if is_high_good else measured > limit
                if is_beyond.any():
                    beyond = np.where(is_beyond, measured, 0.0)
                    top = band.base + band.height * beyond
                    self._add_area(span, top, band.base, style.alert, has_edge=False)

    def _provide_curves(self, n_curves: int) -> None:
        """Have one curve per class, made once; none is visible while areas are drawn."""
        while len(self._curves) < n_curves:
            curve = pg.PlotCurveItem(antialias=True, parent=self)
            # A stroke of many short lines costs a sixth of one long path.
            curve.setSegmentedLineMode("on")
            # The veil, painted by this item, comes on top.
            curve.setFlag(curve.GraphicsItemFlag.ItemStacksBehindParent)
            self._curves.append(curve)
        for k, curve in enumerate(self._curves):
            curve.setVisible(k < n_curves)

    def _build_stack(self, span: "_Span", values: np.ndarray, style: LaneStyle) -> None:
        """Lay the classes on each other; the highest first, so that no seam shows between two."""
        tops = np.cumsum(values, axis=1)
        for k in reversed(range(values.shape[1])):
            color = QColor(style.class_colors[k])
            if style.is_faint[k]:
                color = _blend(color, style.ground, 0.8)
            self._add_area(span, tops[:, k], 0.0, color)

    def _build_lines(self, span: "_Span", values: np.ndarray, style: LaneStyle) -> None:
        connect = np.append(span.is_joined, False)
        dash = Qt.PenStyle.DashLine if style.is_dashed else Qt.PenStyle.SolidLine
        for k, curve in enumerate(self._curves):
            color = QColor(style.class_colors[k])
            color.setAlphaF(0.18 if style.is_faint[k] else 1.0)
            # Faint ones never cover one that stands out.
            curve.setZValue(0 if style.is_faint[k] else 1)
            # Segments drawn one by one would begin their dashes anew each time.
            curve.setSegmentedLineMode("off" if style.is_dashed else "on")
            pen = _cosmetic(color, 1.6, dash)
            curve.setData(span.time_s, values[:, k].astype(float), connect=connect, pen=pen)

    def _add_area(
        self,
        span: "_Span",
        top: np.ndarray,
        base: float,
        color: QColor,
        *,
        has_edge: bool = True,
    ) -> None:
        """Add the area between a curve and its base; it closes down to the base at each gap."""
        top = top.astype(float)
        edge = QPainterPath()
        if has_edge:
            connect = np.append(span.is_joined, False).astype(np.int32)
            edge = pg.functions.arrayToQPath(span.time_s, top, connect=connect)
        self._areas.append(_Area(_polygons(span, top, base), edge, color))

    def _paint_limits(self, painter: QPainter, style: LaneStyle) -> None:
        painter.setPen(_cosmetic(style.line, 1.0, Qt.PenStyle.DashLine))
        for band, limit in (
            (UNCERTAINTY_BAND, style.max_uncertainty),
            (QUALITY_BAND, style.min_quality),
        ):
            if limit is not None:
                y = band.base + band.height * limit
                painter.drawLine(
                    pg.QtCore.QPointF(self._bounds.left(), y),
                    pg.QtCore.QPointF(self._bounds.right(), y),
                )

    def _paint_veil(self, painter: QPainter, style: LaneStyle) -> None:
        if self._unreliable.isEmpty():
            return
        veil = QColor(style.ground)
        veil.setAlphaF(0.68)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(veil)
        painter.drawPath(self._unreliable)
        hatch = QBrush(style.line, Qt.BrushStyle.BDiagPattern)
        # The pattern is drawn in screen pixels, not stretched with the plot.
        hatch.setTransform(painter.worldTransform().inverted()[0])
        painter.setBrush(hatch)
        painter.drawPath(self._unreliable)


@dataclass(frozen=True, slots=True)
class _Span:
    """The moments of a stretch, (N,), and which follow each other without a gap, (N - 1,)."""

    time_s: F64Array
    is_joined: np.ndarray


@dataclass(frozen=True, slots=True)
class _Area:
    polygons: tuple[QPolygonF, ...]
    edge: QPainterPath
    color: QColor


def _polygons(span: _Span, top: np.ndarray, base: float) -> tuple[QPolygonF, ...]:
    """Return the area between a curve and its base, cut at some of its gaps."""
    after = np.flatnonzero(~span.is_joined) + 1
    ends = np.stack([span.time_s[after - 1], span.time_s[after]], axis=1).ravel()
    x = np.insert(span.time_s, np.repeat(after, 2), ends)
    y = np.insert(top, np.repeat(after, 2), base)
    x = np.concatenate([x[:1], x, x[-1:]])
    y = np.concatenate([[base], y, [base]])
    # Two points are new at each gap and one at the beginning.
    chosen = np.flatnonzero(np.diff(after // _POLYGON_ROWS, prepend=0))
    cuts = after[chosen] + 2 * chosen + 2
    pieces = zip(np.split(x, cuts), np.split(y, cuts), strict=True)
    return tuple(pg.functions.arrayToQPolygonF(*piece) for piece in pieces)


def _marked_spans(span: _Span, is_marked: np.ndarray) -> QPainterPath:
    """Return the marked rows as rectangles over the probabilities, each reaching half way out."""
    half = np.where(span.is_joined, np.diff(span.time_s) / 2, 0.0)
    left = span.time_s - np.concatenate([[0.0], half])
    right = span.time_s + np.concatenate([half, [0.0]])
    edges = np.diff(np.concatenate([[0], is_marked.astype(np.int8), [0]]))
    firsts, lasts = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    path = QPainterPath()
    for first, last in zip(firsts, lasts, strict=True):
        width = max(float(right[last] - left[first]), 1e-3)
        path.addRect(QRectF(float(left[first]), 0.0, width, 1.0))
    return path


def _cosmetic(color: QColor, width_px: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    pen = QPen(color, width_px, style)
    pen.setCosmetic(True)
    return pen


def _blend(color: QColor, ground: QColor, share: float) -> QColor:
    """Mix a colour with the ground behind it."""
    weights = ((color.red(), ground.red()), (color.green(), ground.green()))
    red, green = (round(a * (1 - share) + b * share) for a, b in weights)
    return QColor(red, green, round(color.blue() * (1 - share) + ground.blue() * share))
