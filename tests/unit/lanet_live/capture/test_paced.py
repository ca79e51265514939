import math
import threading
from dataclasses import replace

import pytest

from lanet_live.capture.paced import PacedSource
from tests.fakes import FakeSource, make_facts, make_frame


class FakeStop(threading.Event):
    """Notes how long it was waited for, without waiting; the clock moves on instead."""

    def __init__(self, clock):
        super().__init__()
        self.waits = []
        self._clock = clock

    def wait(self, timeout=None):
        self.waits.append(timeout)
        self._clock.now_s += timeout
        return False


class FakeClock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr("lanet_live.capture.paced.time.perf_counter", clock)
    return clock


class ListSource(FakeSource):
    def __init__(self, times_s, *, read_takes_s=0.0, clock=None, **facts):
        super().__init__(0)
        self._frames = [make_frame(i, timestamp_s=t) for i, t in enumerate(times_s)]
        self._facts = facts
        self._read_takes_s = read_takes_s
        self._clock = clock

    def open(self):
        return make_facts(**self._facts)

    def read(self):
        if self._clock:
            self._clock.now_s += self._read_takes_s
        return self._frames.pop(0) if self._frames else None


def waits(clock, source, **options):
    stop = FakeStop(clock)
    paced = PacedSource(source, stop=stop, **options)
    paced.open()
    while paced.read() is not None:
        pass
    return [round(wait, 6) for wait in stop.waits]


def test_frames_come_at_the_pace_of_their_times(clock):
    times_s = [5.0, 5.04, 5.14, 5.24, 7.24]
    assert waits(clock, ListSource(times_s)) == [0, 0.04, 0.1, 0.1, 2.0]


def test_speed_shortens_the_waits(clock):
    assert waits(clock, ListSource([0.0, 1.0, 2.0]), speed=4) == [0, 0.25, 0.25]


def test_time_spent_reading_is_not_waited_for_again(clock):
    source = ListSource([0.0, 0.1, 0.2], read_takes_s=0.03, clock=clock)
    assert waits(clock, source) == [0, 0.07, 0.07]


def test_slow_reader_slows_the_playing_instead_of_making_it_rush(clock):
    source = ListSource([0.0, 0.1, 0.2, 0.3], read_takes_s=0.5, clock=clock)
    assert waits(clock, source) == [0, 0, 0, 0]
    source = ListSource([0.0, 0.1], clock=clock)
    stop = FakeStop(clock)
    paced = PacedSource(source, stop=stop)
    paced.open()
    paced.read()
    clock.now_s += 60  # paused
    paced.read()
    assert stop.waits[-1] == 0


def test_gaps_and_backward_times_are_not_waited_for(clock):
    assert waits(clock, ListSource([0.0, 5000.0, 5000.1, 3.0, 3.1])) == [0, 0, 0.1, 0, 0.1]


def test_pictures_without_time_follow_each_other_slowly(clock):
    times_s = [math.nan] * 3
    assert waits(clock, ListSource(times_s, has_independent_frames=True)) == [0, 1, 1]


def test_live_source_passes_through(clock):
    assert waits(clock, ListSource([0.0, 1.0], is_live=True)) == []


def test_frame_is_stamped_when_it_is_handed_out(clock):
    source = ListSource([0.0, 1.0])
    paced = PacedSource(source, stop=FakeStop(clock))
    paced.open()
    assert [paced.read().captured_at_s for _ in range(2)] == [100.0, 101.0]


def test_stop_ends_a_wait_at_once():
    stop = threading.Event()
    paced = PacedSource(ListSource([0.0, 9.0]), stop=stop)
    paced.open()
    paced.read()
    frames = []
    thread = threading.Thread(target=lambda: frames.append(paced.read()), name="lanet-test")
    thread.start()
    stop.set()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert replace(frames[0]).index == 1


@pytest.mark.parametrize("speed", [0, -1, math.inf, math.nan])
def test_impossible_speeds_are_refused(speed):
    with pytest.raises(ValueError, match="speed"):
        PacedSource(FakeSource(), speed=speed)
