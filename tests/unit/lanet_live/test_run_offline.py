import signal
import threading

import numpy as np
import pytest

from lanet_live.capture.base import SourceReport
from lanet_live.config import PipelineConfig
from lanet_live.errors import SinkError, SourceLost, SourceUnavailable
from lanet_live.run.offline import run_overlapped, run_synchronous
from lanet_live.run.pipeline import Pipeline
from lanet_live.run_summary import RunEnd
from tests.fakes import FakeEngine, FakeSource, FakeTracker, ListSink, make_result, make_track

BOTH = pytest.mark.parametrize("run", [run_synchronous, run_overlapped])


class FakePipeline:
    """Finds a face in every second frame and notes what happens in which thread."""

    def __init__(self):
        self.threads = {"open": threading.current_thread().name}
        self.n_tracked = self.n_estimated = self.max_ahead = 0
        self.n_closed = 0

    def track(self, frame):
        self.threads["track"] = threading.current_thread().name
        self.n_tracked += 1
        self.max_ahead = max(self.max_ahead, self.n_tracked - self.n_estimated)
        return (make_track(),) if frame.index % 2 else ()

    def estimate(self, frame, tracks, dropped_before=0):
        assert self.n_closed == 0
        self.threads["estimate"] = threading.current_thread().name
        self.n_estimated += 1
        result = make_result(face_ids=tuple(track.face_id for track in tracks))
        object.__setattr__(result, "frame", frame)
        return result

    def close(self):
        self.n_closed += 1
        self.threads["close"] = threading.current_thread().name


class FailingSink(ListSink):
    def __init__(self, at=3, error=None):
        super().__init__()
        self._at = at
        self._error = error or SinkError("The disk is full.")

    def write(self, result):
        if result.frame.index == self._at:
            raise self._error
        super().write(result)


class Setting:
    """One run's parts, made in the threads that need them."""

    def __init__(self, *sinks, source=None, pipeline=None):
        self.source = source or FakeSource(20)
        self.sinks = sinks or (ListSink(),)
        self._make_pipeline = pipeline or (lambda facts: FakePipeline())
        self.pipeline = None

    def run(self, run, **options):
        def make_pipeline(facts):
            self.pipeline = self._make_pipeline(facts)
            return self.pipeline

        return run(lambda: self.source, make_pipeline, self.sinks, **options)

    @property
    def indices(self):
        return [result.frame.index for result in self.sinks[0].results]

    @property
    def is_all_closed(self):
        return self.source.is_closed and all(sink.is_closed for sink in self.sinks)


@BOTH
def test_every_frame_is_written_once_in_order(run):
    setting = Setting(ListSink(), ListSink())
    summary = setting.run(run)
    assert setting.indices == list(range(20))
    assert [len(sink.results) for sink in setting.sinks] == [20, 20]
    assert summary.end is RunEnd.COMPLETED
    assert not summary.is_partial
    assert summary.partial_reason is None
    assert (summary.n_decoded, summary.n_analysed, summary.n_with_face) == (20, 20, 10)
    assert summary.n_dropped == 0
    assert summary.elapsed_s > 0
    assert setting.is_all_closed
    assert setting.pipeline.n_closed == 1


def test_overlapped_rows_equal_synchronous_rows_of_the_real_pipeline():
    tracks = [(make_track(0),), (), (make_track(0), make_track(1, center_xy=(220.0, 130.0)))] * 7
    rows = {}
    for run in (run_synchronous, run_overlapped):
        setting = Setting(
            pipeline=lambda facts: Pipeline(FakeTracker(*tracks), FakeEngine(), PipelineConfig())
        )
        setting.run(run)
        rows[run] = [
            (result.frame.index, estimate.face_id, *estimate.probabilities)
            for result in setting.sinks[0].results
            for estimate in result.estimates
        ]
    assert len(rows[run_overlapped]) == 6 * 3 + 1
    np.testing.assert_array_equal(rows[run_overlapped], rows[run_synchronous])


def test_stages_keep_to_their_threads():
    setting = Setting()
    setting.run(run_overlapped)
    assert setting.pipeline.threads == {
        "open": "lanet-analyse",
        "track": "lanet-track",
        "estimate": "lanet-analyse",
        "close": "lanet-analyse",
    }


def test_few_frames_are_in_flight_and_their_pictures_are_not_copied():
    class CountingSource(FakeSource):
        n_read = 0
        pictures = ()

        def read(self):
            frame = super().read()
            if frame is not None:
                self.n_read += 1
                self.pictures += (frame.image_bgr,)
            return frame

    class SlowestLast(FakePipeline):
        max_in_flight = 0

        def estimate(self, frame, tracks, dropped_before=0):
            in_flight = setting.source.n_read - self.n_estimated
            self.max_in_flight = max(self.max_in_flight, in_flight)
            return super().estimate(frame, tracks)

    setting = Setting(source=CountingSource(200), pipeline=lambda facts: SlowestLast())
    setting.run(run_overlapped)
    assert setting.pipeline.max_in_flight <= 8
    for picture, result in zip(setting.source.pictures, setting.sinks[0].results, strict=True):
        assert result.frame.image_bgr is picture


@BOTH
def test_source_that_breaks_off_keeps_its_rows_and_is_partial(run):
    setting = Setting(source=FakeSource(7, ending=SourceLost("clip.mp4 breaks off.")))
    summary = setting.run(run)
    assert setting.indices == list(range(7))
    assert summary.end is RunEnd.SOURCE_LOST
    assert summary.is_partial
    assert summary.partial_reason == "clip.mp4 breaks off."
    assert setting.is_all_closed


@BOTH
def test_report_of_the_source_reaches_the_summary(run):
    class ReportingSource(FakeSource):
        def report(self):
            return SourceReport(n_decoded=25, details={"n_damaged": 5}, warnings=("5 damaged.",))

    summary = Setting(source=ReportingSource(20)).run(run)
    assert summary.n_decoded == 25
    assert summary.facts.details == {"n_damaged": 5}
    assert summary.warnings == ("5 damaged.",)


@BOTH
def test_source_that_does_not_open_ends_everything(run):
    class ShutSource(FakeSource):
        def open(self):
            raise SourceUnavailable("There is no file clip.mp4.")

    setting = Setting(source=ShutSource())
    with pytest.raises(SourceUnavailable, match=r"no file clip\.mp4"):
        setting.run(run)
    assert setting.pipeline is None
    assert setting.is_all_closed


@BOTH
def test_pipeline_that_does_not_open_ends_everything(run):
    def refuse(facts):
        raise RuntimeError("no such device")

    setting = Setting(pipeline=refuse)
    with pytest.raises(RuntimeError, match="no such device"):
        setting.run(run)
    assert setting.is_all_closed


@BOTH
@pytest.mark.parametrize("stage", ["track", "estimate"])
def test_failing_stage_ends_everything_and_is_reported(run, stage):
    class Failing(FakePipeline):
        pass

    original = getattr(FakePipeline, stage)

    def fail_at_five(self, frame, *args, **options):
        if frame.index == 5:
            raise ValueError(f"{stage} failed")
        return original(self, frame, *args, **options)

    setattr(Failing, stage, fail_at_five)
    setting = Setting(source=FakeSource(1000), pipeline=lambda facts: Failing())
    with pytest.raises(ValueError, match=f"{stage} failed"):
        setting.run(run)
    assert setting.indices == list(range(len(setting.indices)))
    assert len(setting.indices) <= 5
    assert setting.is_all_closed
    assert setting.pipeline.n_closed == 1


@BOTH
def test_full_disk_ends_everything_and_closes_every_sink(run):
    setting = Setting(ListSink(), FailingSink(), source=FakeSource(1000))
    with pytest.raises(SinkError, match="disk is full"):
        setting.run(run)
    assert len(setting.sinks[1].results) == 3
    assert setting.is_all_closed


@BOTH
def test_stop_keeps_what_was_read_and_is_partial(run):
    setting = Setting(source=FakeSource(10_000))
    sink = setting.sinks[0]
    summary = setting.run(run, should_stop=lambda: len(sink.results) >= 5)
    assert summary.end is RunEnd.STOPPED
    assert summary.is_partial
    assert "stopped" in summary.partial_reason
    assert 5 <= summary.n_analysed < 10_000
    assert summary.n_decoded == summary.n_analysed == len(sink.results)
    assert setting.indices == list(range(len(sink.results)))
    assert setting.is_all_closed


@BOTH
def test_ctrl_c_keeps_what_was_read_and_is_partial(run):
    setting = Setting(source=FakeSource(100_000))

    def interrupt_once(progress):
        if not pressed:
            pressed.append(progress.n_analysed)
            signal.raise_signal(signal.SIGINT)

    pressed = []
    summary = setting.run(run, on_progress=interrupt_once)
    assert summary.end is RunEnd.INTERRUPTED
    assert summary.is_interrupted
    assert "Ctrl-C" in summary.partial_reason
    assert summary.n_analysed < 100_000
    assert setting.indices == list(range(summary.n_analysed))
    assert setting.is_all_closed


def test_second_ctrl_c_gives_up_at_once():
    setting = Setting(source=FakeSource(100_000))

    def interrupt(progress):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        setting.run(run_overlapped, on_progress=interrupt, should_stop=raise_after(2))
    assert setting.is_all_closed


def test_ctrl_c_before_all_stages_run_leaves_none_behind(monkeypatch):
    def start_one(run):
        run._decoder.start()
        raise KeyboardInterrupt

    monkeypatch.setattr("lanet_live.run.offline._OverlappedRun.start", start_one)
    setting = Setting(source=FakeSource(100_000))
    with pytest.raises(KeyboardInterrupt):
        setting.run(run_overlapped)
    assert not [t for t in threading.enumerate() if t.name.startswith("lanet-")]


def raise_after(n_calls):
    """A `should_stop` that presses Ctrl-C itself from its n-th call on."""
    calls = []

    def should_stop():
        calls.append(1)
        if len(calls) >= n_calls:
            signal.raise_signal(signal.SIGINT)
        return False

    return should_stop


@BOTH
def test_progress_counts_up_to_the_end(run):
    seen = []
    Setting(source=FakeSource(20)).run(run, on_progress=seen.append)
    assert seen[-1].n_analysed == 20
    assert seen[-1].n_with_face == 10
    assert {progress.n_expected for progress in seen} == {20}
    counts = [progress.n_analysed for progress in seen]
    assert counts == sorted(set(counts))
    assert all(progress.elapsed_s >= 0 for progress in seen)


@BOTH
def test_failing_callback_ends_everything(run):
    def fail(progress):
        raise ZeroDivisionError

    setting = Setting(source=FakeSource(100_000))
    with pytest.raises(ZeroDivisionError):
        setting.run(run, on_progress=fail)
    assert setting.is_all_closed


@BOTH
def test_empty_source_makes_an_empty_run(run):
    setting = Setting(source=FakeSource(0))
    summary = setting.run(run)
    assert summary.end is RunEnd.COMPLETED
    assert summary.n_analysed == 0
