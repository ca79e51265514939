"""The recording over time: a lane per face, the playhead, the selection and excluded ranges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QVBoxLayout, QWidget

from lanet_live.drawing.history import Stretch
from lanet_live.drawing.palette import class_colors, face_color
from lanet_live.gui.review.span_item import Ranges, SpanColors, SpanItem
from lanet_live.gui.widgets.lane import Lane
from lanet_live.gui.widgets.lane_item import LaneStyle
from lanet_live.gui.widgets.marker_item import TimelineMarker
from lanet_live.gui.widgets.timeline import MAX_LANES, LaneFacts
from lanet_live.review.compare import ShiftedSeries
from lanet_live.review.edits import Limits
from lanet_live.review.series import FaceSeries

_REPAINT_MS: Final = 30
_MAX_POINTS: Final = 480
_MIN_WINDOW_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class ComparedLane:
    """A face of a second recording; all times are in the time of the first.

    Attributes:
        face_id: As in its own recording.
        name: Of the face.
        series: Its values.
        span_s: First and last moment of that recording.
        excluded_s: Its own excluded ranges.
        markers: Its own events.
        limits: Its own.
    """

    face_id: int
    name: str
    series: ShiftedSeries
    span_s: tuple[float, float]
    excluded_s: Ranges
    markers: Sequence[TimelineMarker]
    limits: Limits


class ReviewTimeline(QWidget):
    """Shows any stretch of a recording; a click or drag on the playhead moves it."""

    sought = Signal(float)  # the user wants to see this moment
    selection_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Timeline of the recording")
        self._graphics = pg.GraphicsLayoutWidget()
        self._graphics.ci.layout.setContentsMargins(0, 4, 10, 2)
        self._graphics.ci.layout.setSpacing(0)
        self._graphics.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._graphics.scene().sigMouseClicked.connect(self._on_clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._graphics)
        self._series: Mapping[int, FaceSeries] = {}
        self._labels: tuple[str, ...] = ()
        self._facts: tuple[LaneFacts, ...] = ()
        self._lanes: list[Lane] = []
        self._spans: list[SpanItem] = []
        self._heads: list[pg.InfiniteLine] = []
        self._span_s = (0.0, 1.0)
        self._compared: ComparedLane | None = None
        self._visible_s = (0.0, 1.0)
        self._playhead_s = 0.0
        self._selected_s: tuple[float, float] | None = None
        self._excluded_s: Ranges = ()
        self._markers: Sequence[TimelineMarker] = ()
        self._limits = Limits()
        self._faint: frozenset[str] = frozenset()
        self._is_stacked = True
        self._is_hiding = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REPAINT_MS)
        self._timer.timeout.connect(self.repaint_now)
        self._take_palette()

    # What to show ---------------------------------------------------------------------------

    def show_recording(self, labels: tuple[str, ...], span_s: tuple[float, float]) -> None:
        """Show another recording from its beginning to its end."""
        self._labels = labels
        self._span_s = (span_s[0], max(span_s[1], span_s[0] + _MIN_WINDOW_S))
        self._selected_s = None
        self.selection_changed.emit()
        self.show_all()

    def set_series(self, series: Mapping[int, FaceSeries], facts: tuple[LaneFacts, ...]) -> None:
        """Choose whose lanes are on show, top to bottom; at most `MAX_LANES`."""
        self._series = series
        self._facts = facts[:MAX_LANES]
        self._fit_lanes()

    def set_compared(self, compared: ComparedLane | None) -> None:
        """Show a face of a second recording in a lane below the others; None for none."""
        saw_all = np.allclose(self._visible_s, self._extent_s, rtol=0, atol=1e-6)
        is_new = (compared is None) is not (self._compared is None)
        self._compared = compared
        self._fit_lanes()
        if is_new or saw_all:
            self.show_all()

    def set_edits(
        self, markers: Sequence[TimelineMarker], excluded_s: Ranges, limits: Limits
    ) -> None:
        """Draw these events, excluded ranges and limits."""
        self._markers, self._excluded_s, self._limits = markers, excluded_s, limits
        self.refresh()

    def set_playhead(self, time_s: float) -> None:
        """Put the playhead at a moment, and keep it in view."""
        self._playhead_s = time_s
        low, high = self._visible_s
        if not low <= time_s <= high:
            self.look_at(time_s - 0.1 * (high - low) if time_s > high else time_s)
        for head in self._heads:
            head.setValue(time_s)

    def set_faint(self, labels: frozenset[str]) -> None:
        """Let these classes stand back."""
        self._faint = labels
        self.refresh()

    def show_lines(self, is_on: bool) -> None:
        """Draw lines instead of areas."""
        self._is_stacked = not is_on
        self.refresh()

    def set_hiding(self, is_hiding: bool) -> None:
        """Blank what is not reliable."""
        self._is_hiding = is_hiding
        self.refresh()

    # Where to look --------------------------------------------------------------------------

    @property
    def visible_s(self) -> tuple[float, float]:
        """First and last visible moment."""
        return self._visible_s

    @property
    def selected_s(self) -> tuple[float, float] | None:
        """Begin and end of the selection; None for none."""
        return self._selected_s

    def look_at(self, start_s: float) -> None:
        """Show the same length from another moment on."""
        length_s = self._visible_s[1] - self._visible_s[0]
        self._look(start_s, start_s + length_s)

    def show_all(self) -> None:
        """Show the whole recording, and the whole of the one it is compared with."""
        self._look(*self._extent_s)

    def zoom_in(self) -> None:
        """Show half as much, around the playhead."""
        self._zoom(0.5)

    def zoom_out(self) -> None:
        """Show twice as much, around the playhead."""
        self._zoom(2.0)

    def mark_in(self) -> None:
        """Begin the selection at the playhead."""
        end_s = self._selected_s[1] if self._selected_s else self._span_s[1]
        self.select(self._playhead_s, max(end_s, self._playhead_s))

    def mark_out(self) -> None:
        """End the selection at the playhead."""
        begin_s = self._selected_s[0] if self._selected_s else self._span_s[0]
        self.select(min(begin_s, self._playhead_s), self._playhead_s)

    def select(self, begin_s: float, end_s: float) -> None:
        """Select a range."""
        self._selected_s = (begin_s, end_s)
        self.refresh()
        self.selection_changed.emit()

    def select_none(self) -> None:
        """Drop the selection."""
        self._selected_s = None
        self.refresh()
        self.selection_changed.emit()

    # Drawing --------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Repaint soon."""
        if not self._timer.isActive():
            self._timer.start()

    def repaint_now(self) -> None:
        """Draw what is visible."""
        style = self._style()
        for place, fact in enumerate(self._facts):
            series = self._series.get(fact.face_id)
            self._draw_lane(
                place, series, style=style, markers=self._markers, excluded_s=self._excluded_s
            )
        if (other := self._compared) is not None:
            own = replace(
                style,
                is_dashed=True,
                max_uncertainty=other.limits.max_uncertainty,
                min_quality=other.limits.min_quality,
            )
            self._draw_lane(
                -1, other.series, style=own, markers=other.markers, excluded_s=other.excluded_s
            )

    def _draw_lane(
        self,
        place: int,
        series: FaceSeries | ShiftedSeries | None,
        *,
        style: LaneStyle,
        markers: Sequence[TimelineMarker],
        excluded_s: Ranges,
    ) -> None:
        lane = self._lanes[place]
        lane.time_box.setXRange(*self._visible_s, padding=0)
        lane.fit_text(self.fontMetrics().height())
        hidden: Ranges = ()
        if series is not None:
            stretch = series.stretch(*self._visible_s, max_points=_MAX_POINTS)
            lane.item.show_stretch(stretch, style)
            hidden = _unreliable_ranges(stretch) if self._is_hiding else ()
        line = self.palette().color(QPalette.ColorRole.Text)
        lane.markers.show_markers(markers, line=line, ground=style.ground)
        self._spans[place].show_spans(
            excluded=excluded_s,
            hidden=hidden,
            selected=self._selected_s,
            colors=self._span_colors(),
        )

    def changeEvent(self, event: QEvent) -> None:
        """Follow a change of look."""
        if event.type() == QEvent.Type.PaletteChange:
            self._take_palette()
        super().changeEvent(event)

    def _look(self, low_s: float, high_s: float) -> None:
        """Show a range, kept within the recording and its margins."""
        first_s, last_s = self._extent_s
        length_s = min(max(high_s - low_s, _MIN_WINDOW_S), last_s - first_s)
        low_s = min(max(low_s, first_s), last_s - length_s)
        self._visible_s = (low_s, low_s + length_s)
        self.refresh()

    @property
    def _extent_s(self) -> tuple[float, float]:
        """What there is to see, with a margin."""
        spans = [self._span_s] + ([self._compared.span_s] if self._compared else [])
        first_s, last_s = min(s[0] for s in spans), max(s[1] for s in spans)
        margin_s = 0.01 * (last_s - first_s)
        return first_s - margin_s, last_s + margin_s

    def _zoom(self, factor: float) -> None:
        low, high = self._visible_s
        share = min(max((self._playhead_s - low) / (high - low), 0.0), 1.0)
        length_s = (high - low) * factor
        anchor_s = low + share * (high - low)
        self._look(anchor_s - share * length_s, anchor_s + (1 - share) * length_s)

    def _fit_lanes(self) -> None:
        """Have a lane for each face and each its name."""
        n_lanes = len(self._facts) + (self._compared is not None)
        if n_lanes != len(self._lanes):
            self._rebuild_lanes(n_lanes)
        self._name_lanes()
        self.refresh()

    def _name_lanes(self) -> None:
        """Write whose lanes they are; those of two recordings are distinguished by a letter."""
        names = [(fact.face_id, fact.name) for fact in self._facts]
        if self._compared is not None:
            names = [(face_id, f"A · {name}") for face_id, name in names]
            names.append((self._compared.face_id, f"B · {self._compared.name}"))
        for lane, (face_id, name) in zip(self._lanes, names, strict=True):
            lane.set_name(name, QColor(*face_color(face_id)), self.palette())

    def _rebuild_lanes(self, n_lanes: int) -> None:
        self._graphics.ci.clear()
        self._lanes, self._spans, self._heads = [], [], []
        for row in range(n_lanes):
            is_compared = self._compared is not None and row == n_lanes - 1
            lane = Lane(has_flags=row == 0 or is_compared)
            lane.set_is_lowest(row == n_lanes - 1)
            lane.set_left_width(self.fontMetrics().horizontalAdvance("uncertainty") + 14)
            lane.take_palette(self.palette())
            lane.time_box.panned.connect(self._on_panned)
            lane.time_box.zoomed.connect(self._zoom)
            span = SpanItem()
            head = pg.InfiniteLine(self._playhead_s, movable=True, pen=self._head_pen())
            head.setZValue(20)
            head.sigDragged.connect(self._on_dragged)
            for item in (span, head):
                lane.time_box.addItem(item, ignoreBounds=True)
            self._graphics.ci.addItem(lane, row=row, col=0)
            self._lanes.append(lane)
            self._spans.append(span)
            self._heads.append(head)

    def _style(self) -> LaneStyle:
        palette = self.palette()
        line = QColor(palette.color(QPalette.ColorRole.PlaceholderText))
        line.setAlphaF(0.6)
        quiet = QColor(line)
        quiet.setAlphaF(0.38)
        return LaneStyle(
            class_colors=tuple(QColor(*color) for color in class_colors(self._labels)),
            is_faint=tuple(label in self._faint for label in self._labels),
            is_stacked=self._is_stacked,
            is_raw=True,
            ground=palette.color(QPalette.ColorRole.Base),
            quiet=quiet,
            alert=palette.color(QPalette.ColorRole.BrightText),
            line=line,
            max_uncertainty=self._limits.max_uncertainty,
            min_quality=self._limits.min_quality,
        )

    def _span_colors(self) -> SpanColors:
        palette = self.palette()
        return SpanColors(
            ground=palette.color(QPalette.ColorRole.Base),
            line=palette.color(QPalette.ColorRole.PlaceholderText),
            accent=palette.color(QPalette.ColorRole.Highlight),
            alert=palette.color(QPalette.ColorRole.BrightText),
        )

    def _head_pen(self) -> object:
        return pg.mkPen(self.palette().color(QPalette.ColorRole.Highlight), width=2)

    def _take_palette(self) -> None:
        self._graphics.setBackground(self.palette().color(QPalette.ColorRole.Base))
        for lane in self._lanes:
            lane.take_palette(self.palette())
        self._name_lanes()
        for head in self._heads:
            head.setPen(self._head_pen())
        self.refresh()

    def _on_panned(self, end_s: float) -> None:
        length_s = self._visible_s[1] - self._visible_s[0]
        self._look(end_s - length_s, end_s)

    def _on_dragged(self, head: pg.InfiniteLine) -> None:
        self.sought.emit(float(head.value()))

    def _on_clicked(self, event: MouseClickEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        for lane in self._lanes:
            if lane.time_box.sceneBoundingRect().contains(event.scenePos()):
                self.sought.emit(float(lane.time_box.mapSceneToView(event.scenePos()).x()))
                return


def _unreliable_ranges(stretch: Stretch) -> Ranges:
    """Return begin and end of the runs of rows that are mostly not reliable."""
    if not len(stretch):
        return ()
    half_s = np.where(stretch.is_joined, (stretch.start_s[1:] - stretch.end_s[:-1]) / 2, 0.0)
    begins_s = stretch.start_s - np.concatenate([[0.0], half_s])
    ends_s = stretch.end_s + np.concatenate([half_s, [0.0]])
    is_poor = np.concatenate([[False], stretch.reliable_share < 0.5, [False]])
    edges = np.diff(is_poor.astype(np.int8))
    firsts, lasts = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return [(float(begins_s[a]), float(ends_s[b])) for a, b in zip(firsts, lasts, strict=True)]
