import threading

import pytest

from lanet_live.capture.reconnecting import ReconnectingSource, ReconnectPolicy
from lanet_live.errors import SourceLost, SourceUnavailable
from tests.fakes import FakeSource, make_facts, make_frame


class FakeCamera(FakeSource):
    """A live source that delivers some frames and is then lost, or cannot be opened at all."""

    def __init__(self, n_frames, *, first_captured_at_s=0.0, is_there=True, ends=False):
        super().__init__(n_frames)
        self._first_captured_at_s = first_captured_at_s
        self._is_there = is_there
        self._ends = ends

    def open(self):
        if not self._is_there:
            raise SourceUnavailable("There is no camera 0.")
        return make_facts(is_live=True)

    def read(self):
        if self._index == self._n_frames:
            if self._ends:
                return None
            raise SourceLost("The camera vanished.")
        frame = make_frame(self._index, timestamp_s=self._index * 0.1)
        object.__setattr__(frame, "captured_at_s", self._first_captured_at_s + frame.timestamp_s)
        self._index += 1
        return frame


class FakeStop(threading.Event):
    """Notes the delays, without waiting; sets itself after some."""

    def __init__(self, n_waits=1000):
        super().__init__()
        self.delays = []
        self._n_waits = n_waits

    def wait(self, timeout=None):
        self.delays.append(timeout)
        if len(self.delays) >= self._n_waits:
            self.set()
        return self.is_set()


def connect(cameras, policy=None, stop=None):
    cameras = list(cameras)
    events = []
    source = ReconnectingSource(
        lambda: cameras.pop(0),
        policy or ReconnectPolicy(),
        stop=stop or FakeStop(),
        on_lost=events.append,
        on_back=lambda: events.append("back"),
    )
    return source, events


def read_all(source):
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


def test_camera_that_comes_back_goes_on_in_time_and_number():
    stop = FakeStop()
    cameras = [
        FakeCamera(3, first_captured_at_s=50.0),
        FakeCamera(0, is_there=False),
        FakeCamera(0, is_there=False),
        FakeCamera(2, first_captured_at_s=60.0, ends=True),
    ]
    source, events = connect(cameras, stop=stop)
    source.open()
    frames = read_all(source)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [round(frame.timestamp_s, 6) for frame in frames] == [0, 0.1, 0.2, 10.0, 10.1]
    assert events == ["The camera vanished.", "back"]
    assert stop.delays == [0.5, 1.0, 2.0]
    report = source.report()
    assert report.n_decoded == 5
    assert report.details["n_losses"] == 1
    assert "Losses of the camera: 1" in report.warnings[0]
    assert all(camera.is_closed for camera in cameras[:3])
    source.close()
    assert cameras[3].is_closed


def test_camera_that_stays_away_is_given_up():
    policy = ReconnectPolicy(first_delay_s=1.0, max_delay_s=3.0, max_attempts=4)
    stop = FakeStop()
    away = [FakeCamera(0, is_there=False) for _ in range(4)]
    source, events = connect([FakeCamera(1), *away], policy, stop)
    source.open()
    source.read()
    with pytest.raises(SourceLost, match="did not come back"):
        source.read()
    assert stop.delays == [1.0, 2.0, 3.0, 3.0]
    assert events == ["The camera vanished."]
    assert source.read() is None


def test_stop_ends_the_attempts():
    source, _ = connect([FakeCamera(1)], stop=FakeStop(n_waits=1))
    source.open()
    assert len(read_all(source)) == 1
    source.close()


def test_camera_missing_at_the_start_is_not_tried_again():
    source, events = connect([FakeCamera(0, is_there=False)])
    with pytest.raises(SourceUnavailable):
        source.open()
    assert events == []


def test_file_that_breaks_off_is_not_opened_again():
    source, events = connect([FakeSource(2, ending=SourceLost("clip.mp4 breaks off."))])
    source.open()
    with pytest.raises(SourceLost, match="breaks off"):
        read_all(source)
    assert events == []
