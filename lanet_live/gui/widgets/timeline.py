"""The timeline: every face on show in a lane of its own, scrolling along the source's time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFocusEvent, QHideEvent, QKeyEvent, QPalette, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from lanet_live.drawing.history import FaceHistory
from lanet_live.drawing.palette import class_colors, face_color
from lanet_live.gui.widgets.lane import Lane
from lanet_live.gui.widgets.lane_item import LaneStyle
from lanet_live.gui.widgets.marker_item import TimelineMarker

MIN_WINDOW_S: Final = 10.0
MAX_WINDOW_S: Final = 600.0
MAX_LANES: Final = 4
# Repainting more often than this shows nothing more.
_REPAINT_MS: Final = 75
# Shares of the window the arrow keys go by, without and with Shift.
_STEP: Final = 0.01
_BIG_STEP: Final = 0.1
# About one point per two to four pixels of a common screen; strokes cost by the point.
_MAX_POINTS: Final = 480


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """What a lane shows besides its history."""

    face_id: int
    name: str


class Timeline(QWidget):
    """Shows histories; follows the newest moment until the user looks elsewhere."""

    following_changed = Signal(bool)
    window_changed = Signal(float)
    pointed_at = Signal(object)  # (face_id, time_s) whose values are read, or None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Timeline")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._graphics = pg.GraphicsLayoutWidget()
        self._graphics.ci.layout.setContentsMargins(0, 4, 10, 2)
        self._graphics.ci.layout.setSpacing(0)
        self._graphics.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._graphics)
        self._histories: Mapping[int, FaceHistory] = {}
        self._labels: tuple[str, ...] = ()
        self._faint: frozenset[str] = frozenset()
        self._limits: tuple[float, float] | None = None
        self._markers: Sequence[TimelineMarker] = ()
        self._facts: tuple[LaneFacts, ...] = ()
        self._lanes: list[Lane] = []
        self._reading: tuple[int, float] | None = None  # row of the lane, moment
        self._now_s = 0.0
        self._end_s = 0.0
        self._window_s = 30.0
        self._is_following = True
        self._is_stacked = True
        self._is_raw = False
        self._is_due = False
        self._timer = QTimer(self)
        self._timer.setInterval(_REPAINT_MS)
        self._timer.timeout.connect(self._on_tick)
        self._graphics.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self._take_palette()

    # What to show ---------------------------------------------------------------------------

    def set_histories(self, histories: Mapping[int, FaceHistory], labels: tuple[str, ...]) -> None:
        """Show these from now on; the mapping may grow and is read at every repaint."""
        self._histories, self._labels = histories, labels
        self._now_s = self._end_s = 0.0
        self.set_following(True)
        self.refresh()

    def set_lanes(self, facts: tuple[LaneFacts, ...]) -> None:
        """Choose whose lanes are on show, top to bottom; at most `MAX_LANES`."""
        facts = facts[:MAX_LANES]
        if facts == self._facts:
            return
        n_before = len(self._lanes)
        self._facts = facts
        if len(facts) != n_before:
            self._rebuild_lanes(len(facts))
        for lane, fact in zip(self._lanes, facts, strict=True):
            lane.set_name(fact.name, QColor(*face_color(fact.face_id)), self.palette())
        self.refresh()

    def set_markers(self, markers: Sequence[TimelineMarker]) -> None:
        """Draw these markers, in ascending time."""
        self._markers = markers
        self.refresh()

    def set_limits(self, max_uncertainty: float, min_quality: float) -> None:
        """Draw the limits beyond which an estimate is not relied on."""
        self._limits = (max_uncertainty, min_quality)
        self.refresh()

    def set_stacked(self, is_stacked: bool) -> None:
        """Draw areas on top of each other, or lines."""
        self._is_stacked = is_stacked
        self.refresh()

    def set_raw(self, is_raw: bool) -> None:
        """Draw the probabilities as measured, or as shown elsewhere."""
        self._is_raw = is_raw
        self.refresh()

    def set_faint(self, labels: frozenset[str]) -> None:
        """Let these classes stand back."""
        self._faint = labels
        self.refresh()

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names of the histories on show; empty before they are known."""
        return self._labels

    # Where to look --------------------------------------------------------------------------

    @property
    def window_s(self) -> float:
        """Length of the visible stretch."""
        return self._window_s

    @property
    def is_following(self) -> bool:
        """Whether the newest moment stays in view."""
        return self._is_following

    @property
    def visible_s(self) -> tuple[float, float]:
        """First and last visible moment."""
        if self._is_following:
            return self._following_range()
        return self._end_s - self._window_s, self._end_s

    def advance_to(self, now_s: float) -> None:
        """Set the newest moment of the source."""
        self._now_s = now_s
        if self._is_following or now_s <= self._end_s + self._window_s:
            self._is_due = True
        self._start_timer()

    def set_window(self, window_s: float) -> None:
        """Show a stretch of this length, within 10 s and 10 min."""
        window_s = min(MAX_WINDOW_S, max(MIN_WINDOW_S, window_s))
        if window_s != self._window_s:
            self._window_s = window_s
            self.window_changed.emit(window_s)
        self.refresh()

    def set_following(self, is_following: bool) -> None:
        """Follow the newest moment, or stay where the view is."""
        if is_following == self._is_following:
            return
        if not is_following:
            self._end_s = self.visible_s[1]
        self._is_following = is_following
        self.following_changed.emit(is_following)
        self.refresh()

    def look_at(self, end_s: float) -> None:
        """Stop following and show the window that ends at a moment."""
        self.set_following(False)
        self._end_s = max(end_s, self._origin_s() + self._window_s)
        self.refresh()

    def step(self, share: float) -> None:
        """Move by a share of the window; negative looks further back."""
        end_s = self.visible_s[1] + share * self._window_s
        if end_s >= self._now_s:
            self.set_following(True)
        else:
            self.look_at(end_s)

    # Reading values -------------------------------------------------------------------------

    def read_at(self, row: int, time_s: float) -> None:
        """Signal a moment in a lane, and draw a line there through all lanes."""
        self._reading = (row, time_s)
        for lane in self._lanes:
            lane.show_reading_line(time_s)
        self.pointed_at.emit((self._facts[row].face_id, time_s))

    def read_nothing(self) -> None:
        """Stop reading."""
        self._reading = None
        for lane in self._lanes:
            lane.show_reading_line(None)
        self.pointed_at.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go along time with left and right (in big steps with Shift), to other faces up and down.

        Keys with Ctrl or Alt belong to the actions of the window.
        """
        moves = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        move = moves.get(Qt.Key(event.key()))
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        is_big = held == Qt.KeyboardModifier.ShiftModifier
        if move is None or not (is_big or not held):
            super().keyPressEvent(event)
            return
        self._move_reading(move[0], move[1] * (_BIG_STEP if is_big else _STEP))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Read the newest moment when the keyboard comes here."""
        super().focusInEvent(event)
        if event.reason() != Qt.FocusReason.MouseFocusReason:
            self._move_reading(0, 0.0)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Read no more when the keyboard goes elsewhere."""
        super().focusOutEvent(event)
        self.read_nothing()

    def leaveEvent(self, event: QEvent) -> None:
        """Read no more when the pointer goes elsewhere."""
        super().leaveEvent(event)
        self.read_nothing()

    def _move_reading(self, n_rows: int, share: float) -> None:
        """Read beside the last moment; at the window's edge the window goes along."""
        if not self._lanes:
            return
        low, high = self.visible_s
        newest_s = min(high, self._now_s)
        row, time_s = self._reading or (0, newest_s - share * self._window_s)
        row = min(max(row + n_rows, 0), len(self._lanes) - 1)
        time_s = min(max(time_s, low), newest_s) + share * self._window_s
        time_s = min(max(time_s, self._origin_s()), self._now_s)
        if time_s < low or time_s > high:
            self.step(share)
        self.read_at(row, time_s)

    # Drawing --------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Repaint soon."""
        self._is_due = True
        self._start_timer()

    def repaint_now(self) -> None:
        """Draw what is visible; called by the timer, at most every 75 ms."""
        self._is_due = False
        low, high = self.visible_s
        style = self._style()
        line_px = self.fontMetrics().height()
        has_ticks = all(lane.has_room_for_ticks(line_px) for lane in self._lanes)
        for lane, fact in zip(self._lanes, self._facts, strict=True):
            lane.set_has_ticks(has_ticks)
            lane.time_box.setXRange(low, high, padding=0)
            history = self._histories.get(fact.face_id)
            if history is not None and len(self._labels) > 0:
                lane.item.show_stretch(history.stretch(low, high, max_points=_MAX_POINTS), style)
            lane.markers.show_markers(
                self._markers,
                line=self.palette().color(QPalette.ColorRole.Text),
                ground=self.palette().color(QPalette.ColorRole.Base),
            )

    def changeEvent(self, event: QEvent) -> None:
        """Follow a change of look."""
        if event.type() == QEvent.Type.PaletteChange:
            self._take_palette()
        super().changeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Draw at once when coming into view."""
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Draw nothing while out of view."""
        super().hideEvent(event)
        self._timer.stop()

    def _on_tick(self) -> None:
        if self._is_due:
            self.repaint_now()
        else:
            self._timer.stop()

    def _start_timer(self) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _following_range(self) -> tuple[float, float]:
        """Fill from the left at first, then scroll."""
        low = max(self._origin_s(), self._now_s - self._window_s)
        return low, low + self._window_s

    def _origin_s(self) -> float:
        """First moment anything is known of."""
        firsts = [h.first_s for h in self._histories.values() if h.first_s is not None]
        return min(firsts, default=0.0)

    def _rebuild_lanes(self, n_lanes: int) -> None:
        self._graphics.ci.clear()
        self._lanes = []
        self._reading = None
        for row in range(n_lanes):
            lane = Lane(has_flags=row == 0)
            lane.set_is_lowest(row == n_lanes - 1)
            lane.set_left_width(self.fontMetrics().horizontalAdvance("uncertainty") + 14)
            lane.take_palette(self.palette())
            lane.time_box.panned.connect(self.look_at)
            lane.time_box.zoomed.connect(self._on_zoomed)
            self._graphics.ci.addItem(lane, row=row, col=0)
            self._lanes.append(lane)

    def _style(self) -> LaneStyle:
        palette = self.palette()
        line = QColor(palette.color(QPalette.ColorRole.PlaceholderText))
        line.setAlphaF(0.6)
        quiet = QColor(palette.color(QPalette.ColorRole.PlaceholderText))
        quiet.setAlphaF(0.38)
        max_uncertainty, min_quality = self._limits if self._limits else (None, None)
        return LaneStyle(
            class_colors=tuple(QColor(*color) for color in class_colors(self._labels)),
            is_faint=tuple(label in self._faint for label in self._labels),
            is_stacked=self._is_stacked,
            is_raw=self._is_raw,
            ground=palette.color(QPalette.ColorRole.Base),
            quiet=quiet,
            alert=palette.color(QPalette.ColorRole.BrightText),
            line=line,
            max_uncertainty=max_uncertainty,
            min_quality=min_quality,
        )

    def _take_palette(self) -> None:
        self._graphics.setBackground(self.palette().color(QPalette.ColorRole.Base))
        for lane, fact in zip(self._lanes, self._facts, strict=True):
            lane.take_palette(self.palette())
            lane.set_name(fact.name, QColor(*face_color(fact.face_id)), self.palette())
        self.refresh()

    def _on_zoomed(self, factor: float) -> None:
        self.set_window(self._window_s * factor)

    def _on_mouse_moved(self, position: QPointF) -> None:
        for row, lane in enumerate(self._lanes):
            if lane.time_box.sceneBoundingRect().contains(position):
                self.read_at(row, float(lane.time_box.mapSceneToView(position).x()))
                return
        self.read_nothing()
