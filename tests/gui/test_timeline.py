import time

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainterPath, QPalette

from lanet_live.drawing.history import FaceHistory, Sample
from lanet_live.gui.widgets.lane_item import HIGHEST_Y, _polygons, _Span
from lanet_live.gui.widgets.timeline import LaneFacts, Timeline
from lanet_live.sessions.events import SessionEvent
from tests.fakes import LABELS

pytestmark = pytest.mark.gui
FPS = 30


def make_history(minutes, *, seed=0):
    """A face over some minutes; the last minute is the same however long the history is."""
    n = round(minutes * 60 * FPS)
    back = np.arange(n, 0, -1)  # frames before the end
    waves = [1.2 + np.sin(back / (20 + 9 * k) + seed + k) for k in range(len(LABELS))]
    raw = np.stack(waves, axis=1) / np.sum(waves, axis=0)[:, None]
    quality = 0.5 + 0.5 * np.sin(back / 90)
    judgement = np.stack([np.full(n, 0.5), quality, quality > 0.4], axis=1)
    return FaceHistory.from_arrays(np.arange(n) / FPS, raw, raw, judgement)


@pytest.fixture(scope="module")
def histories():
    """One minute and one hour, three faces each."""
    return {
        minutes: {face: make_history(minutes, seed=face) for face in range(3)}
        for minutes in (1, 60)
    }


@pytest.fixture
def timeline(qtbot):
    widget = Timeline()
    widget.resize(1200, 400)
    yield widget
    widget.close()
    widget.deleteLater()


def show(timeline, histories, *, is_stacked=True):
    timeline.set_histories(histories, LABELS)
    timeline.set_lanes(tuple(LaneFacts(face, f"Face {face}") for face in histories))
    timeline.set_limits(0.6, 0.4)
    timeline.set_stacked(is_stacked)
    timeline.show()
    timeline.advance_to(max(h.last_s for h in histories.values()))


def repaint_cost_s(timeline, n=15):
    costs = []
    end_s = timeline._now_s
    for i in range(n):
        timeline.advance_to(end_s + i * 0.075)
        began_s = time.thread_time()
        timeline.repaint_now()
        timeline._graphics.viewport().repaint()
        costs.append(time.thread_time() - began_s)
    return min(costs)  # what it costs when nothing else disturbs


@pytest.mark.parametrize("is_stacked", [True, False])
@pytest.mark.parametrize("window_s", [30, 60])
def test_an_hour_repaints_as_cheaply_as_a_minute(timeline, histories, is_stacked, window_s):
    timeline.set_window(window_s)
    costs = {}
    for minutes in (1, 60) * 3:
        show(timeline, histories[minutes], is_stacked=is_stacked)
        repaint_cost_s(timeline, n=3)
        costs[minutes] = min(costs.get(minutes, 1.0), repaint_cost_s(timeline))
    assert costs[60] <= 1.5 * costs[1]


def test_window_length_stays_between_ten_seconds_and_ten_minutes(timeline):
    timeline.set_window(1)
    assert timeline.window_s == 10
    timeline.set_window(1e6)
    assert timeline.window_s == 600


def test_following_scrolls_and_looking_back_stays(timeline, histories):
    show(timeline, histories[1])
    timeline.set_window(30)
    assert timeline.visible_s[1] == pytest.approx(60, abs=0.1)
    timeline.step(-0.5)
    assert not timeline.is_following
    assert timeline.visible_s == pytest.approx((15, 45), abs=0.1)
    timeline.advance_to(100.0)
    assert timeline.visible_s == pytest.approx((15, 45), abs=0.1)
    timeline.set_following(True)
    assert timeline.visible_s[1] == pytest.approx(100)


def test_a_hidden_timeline_does_not_repaint(timeline, histories):
    show(timeline, histories[1])
    timeline.hide()
    timeline.advance_to(70.0)
    assert not timeline._timer.isActive()


def test_unreliable_spans_are_veiled_and_gaps_left_open(timeline, qtbot):
    history = FaceHistory(2)
    for i in range(300):
        if not 100 <= i < 160:
            p = np.array([1.0, 0.0])
            history.append(Sample(i / FPS, p, p, 0.2, 0.9, not 200 <= i < 260))
    timeline.set_histories({0: history}, ("neutral", "anger"))
    timeline.set_lanes((LaneFacts(0, "Face 0"),))
    timeline.set_window(10)
    timeline.show()
    timeline.advance_to(10.0)
    timeline.repaint_now()
    lane = timeline._lanes[0]
    spans = lane.item._unreliable.boundingRect()
    assert spans.left() == pytest.approx(200 / FPS, abs=0.1)
    assert spans.right() == pytest.approx(260 / FPS, abs=0.1)
    picture = timeline.grab().toImage()

    def color_at(time_s):
        position = timeline._graphics.mapFromScene(
            lane.time_box.mapViewToScene(QPointF(time_s, 0.5))
        )
        return picture.pixelColor(timeline._graphics.mapTo(timeline, position))

    covered, gap, veiled = color_at(1.5), color_at(130 / FPS), color_at(7.6)
    assert covered.lightness() < gap.lightness()
    assert covered.lightness() < veiled.lightness()


def test_pointing_tells_face_and_moment(timeline, histories, qtbot):
    show(timeline, histories[1])
    timeline.repaint_now()
    told = []
    timeline.pointed_at.connect(told.append)
    lane = timeline._lanes[1]
    timeline._on_mouse_moved(lane.time_box.mapViewToScene(QPointF(45.0, 0.5)))
    assert told[0][0] == 1
    assert told[0][1] == pytest.approx(45.0, abs=0.2)


def test_areas_are_cut_into_pieces_that_leave_the_gaps_open(qapp):
    time_s = np.arange(200.0)
    is_joined = np.ones(199, dtype=bool)
    is_joined[4::5] = False  # five samples, then a gap of a second
    pieces = _polygons(_Span(time_s, is_joined), np.full(200, 0.5), 0.0)
    assert len(pieces) > 10
    path = QPainterPath()
    for piece in pieces:
        path.addPolygon(piece)
    starts_s = time_s[::5]
    assert all(path.contains(QPointF(start_s + 2.0, 0.25)) for start_s in starts_s)
    assert not any(path.contains(QPointF(start_s + 4.5, 0.25)) for start_s in starts_s)


def test_a_range_is_drawn_from_its_begin_to_its_end(timeline, histories, qtbot):
    show(timeline, {0: histories[1][0]})
    timeline.set_window(30)
    timeline.set_markers((SessionEvent(40.0, kind="range", name="film", end_timestamp_s=50.0),))
    timeline.repaint_now()
    box = timeline._lanes[0].time_box
    ink = timeline.palette().color(QPalette.ColorRole.Text)
    picture = timeline.grab().toImage()

    def color_at(time_s):
        spot = box.mapViewToScene(QPointF(time_s, HIGHEST_Y)).toPoint()
        return picture.pixelColor(spot.x(), spot.y() + 2)

    assert color_at(49.0) == ink
    assert color_at(52.0) != ink
