"""One row of the timeline: a plot with a face's lane, its name, its markers and its axes."""

from typing import Final

import pyqtgraph as pg
from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPalette
from PySide6.QtWidgets import QGraphicsSceneWheelEvent

from lanet_live.gui.widgets.lane_item import (
    HIGHEST_Y,
    LOWEST_Y,
    QUALITY_BAND,
    UNCERTAINTY_BAND,
    LaneItem,
)
from lanet_live.gui.widgets.marker_item import MarkerItem

_LEFT_TICKS: Final = [
    (1.0, "100 %"),
    (0.5, "50"),
    (0.0, "0"),
    (UNCERTAINTY_BAND.middle, "uncertainty"),
    (QUALITY_BAND.middle, "quality"),
]
# Lines of text a lane must be high for its ticks not to touch each other; below that its name
# stands in their place.
_LINES_FOR_TICKS: Final = 7.0
_MAX_NAME_CHARS: Final = 12


class Lane(pg.GraphicsLayout):
    """Created once per row of the timeline; fed by the timeline.

    Put together from axes and a view box instead of a `PlotItem`, whose context menus would be
    top-level widgets of their own.
    """

    def __init__(self, *, has_flags: bool) -> None:
        super().__init__()
        self.layout.setContentsMargins(0, 0, 0, 0)
        self.layout.setSpacing(0)
        self.time_box = TimeBox()
        self._left = pg.AxisItem("left")
        self._bottom = TimeAxis("bottom")
        self.addItem(self._left, row=0, col=0)
        self.addItem(self.time_box, row=0, col=1)
        self.addItem(self._bottom, row=1, col=1)
        self._left.linkToView(self.time_box)
        self._bottom.linkToView(self.time_box)
        self.time_box.setYRange(LOWEST_Y, HIGHEST_Y, padding=0)
        self._left.setStyle(tickLength=0, autoExpandTextSpace=False)
        # It never changes while the lane scrolls, so it is not drawn anew.
        self._left.setCacheMode(self._left.CacheMode.DeviceCoordinateCache)
        self._bottom.setStyle(tickLength=4)
        self._bottom.setGrid(30)
        # The grid of the axis lies behind the lane.
        self._bottom.setZValue(-1)
        self._has_ticks = True
        self._short_name = ""
        self.item = LaneItem()
        self.markers = MarkerItem(has_flags=has_flags)
        self.name = pg.TextItem(anchor=(0, 0))
        self.name.setParentItem(self.time_box)
        # Below the first row of flags, where there are any.
        line_px = QFontMetricsF(self.name.textItem.font()).height()
        self.name.setPos(6, line_px + 7 if has_flags else 3)
        self._reading_line = pg.InfiniteLine()
        self._reading_line.setZValue(15)
        self._reading_line.hide()
        self.time_box.addItem(self.item)
        self.time_box.addItem(self.markers)
        self.time_box.addItem(self._reading_line, ignoreBounds=True)
        self._show_ticks()

    def has_room_for_ticks(self, line_px: float) -> bool:
        """Whether ticks and name can be written without touching each other."""
        return self.time_box.height() >= _LINES_FOR_TICKS * line_px

    def set_has_ticks(self, has_ticks: bool) -> None:
        """Write the ticks and the name in the lane, or the name in place of the ticks."""
        if has_ticks is not self._has_ticks:
            self._has_ticks = has_ticks
            self.name.setVisible(has_ticks)
            self._show_ticks()

    def fit_text(self, line_px: float) -> None:
        """Write ticks where this lane has room for them, whatever the others have."""
        self.set_has_ticks(self.has_room_for_ticks(line_px))

    def set_left_width(self, width_px: int) -> None:
        """Give the axis of every lane the same width, so that the lanes stand in line."""
        self._left.setWidth(width_px)

    def set_is_lowest(self, is_lowest: bool) -> None:
        """Write the time below the lowest lane only."""
        self._bottom.setStyle(showValues=is_lowest)
        self._bottom.setHeight(None if is_lowest else 6)

    def set_name(self, name: str, color: QColor, palette: QPalette) -> None:
        """Write whose lane it is."""
        ground = QColor(palette.color(QPalette.ColorRole.Base))
        ground.setAlpha(215)
        self.name.fill = pg.mkBrush(ground)
        self.name.border = pg.mkPen(color)
        self.name.setText(name, color=palette.color(QPalette.ColorRole.Text))
        self._short_name = (
            name if len(name) <= _MAX_NAME_CHARS else f"{name[: _MAX_NAME_CHARS - 1]}…"
        )
        self._show_ticks()

    def _show_ticks(self) -> None:
        self._left.setTicks([_LEFT_TICKS if self._has_ticks else [(0.5, self._short_name)]])

    def show_reading_line(self, time_s: float | None) -> None:
        """Draw a line where values are read; None for none."""
        self._reading_line.setVisible(time_s is not None)
        if time_s is not None:
            self._reading_line.setValue(time_s)

    def take_palette(self, palette: QPalette) -> None:
        """Use the colours of the current look."""
        self._reading_line.setPen(pg.mkPen(palette.color(QPalette.ColorRole.Text), width=1))
        for axis in (self._left, self._bottom):
            axis.setPen(palette.color(QPalette.ColorRole.Mid))
            axis.setTextPen(palette.color(QPalette.ColorRole.PlaceholderText))


class TimeBox(pg.ViewBox):
    """Moves along time only: drag to look back, wheel to see more or less."""

    panned = Signal(float)  # the last visible moment
    zoomed = Signal(float)

    def __init__(self) -> None:
        super().__init__(enableMenu=False, defaultPadding=0)
        self.setMouseEnabled(x=True, y=False)
        self.disableAutoRange()

    def wheelEvent(self, event: QGraphicsSceneWheelEvent, axis: int | None = None) -> None:
        """Ask for a shorter or longer window."""
        del axis
        event.accept()
        self.zoomed.emit(0.8 if event.delta() > 0 else 1.25)

    def mouseDragEvent(self, event: QEvent, axis: int | None = None) -> None:
        """Drag along time and signal that the user looks elsewhere."""
        super().mouseDragEvent(event, axis=axis)
        self.panned.emit(float(self.viewRange()[0][1]))


class TimeAxis(pg.AxisItem):
    """Writes seconds as minutes and seconds."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return one text per tick; with decimals only where the ticks need them."""
        n_decimals = 0 if spacing * scale >= 1 else 1 if spacing * scale >= 0.1 else 2
        return [format_time(value * scale, n_decimals=n_decimals) for value in values]

    def tickSpacing(self, min_value: float, max_value: float, size: float) -> list[tuple]:
        """Put ticks on round times, about one per 90 pixels."""
        wanted_s = (max_value - min_value) * 90 / max(size, 1.0)
        rounds = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
        return [(next((step for step in rounds if step >= wanted_s), rounds[-1]), 0)]


def format_time(time_s: float, *, n_decimals: int = 0) -> str:
    """Write seconds as ``m:ss`` or ``h:mm:ss``, with decimals when asked."""
    sign = "−" if time_s < 0 and round(abs(time_s), n_decimals) > 0 else ""
    total = round(abs(time_s), n_decimals)
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    width = 2 if n_decimals == 0 else 3 + n_decimals
    tail = f"{seconds:0{width}.{n_decimals}f}"
    if hours:
        return f"{sign}{int(hours)}:{int(minutes):02d}:{tail}"
    return f"{sign}{int(minutes)}:{tail}"
