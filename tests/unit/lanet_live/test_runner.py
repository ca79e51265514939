import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from engines.base import EngineInfo
from engines.errors import BackendUnavailable, BuildInterrupted
from lanet_live.capture.base import SourceReport
from lanet_live.capture.reconnecting import ReconnectPolicy
from lanet_live.capture.video_file import VideoFileSource
from lanet_live.errors import SinkError, SourceLost, SourceUnavailable
from lanet_live.runner import LiveRunner, RunState
from lanet_live.runner_events import (
    CameraBack,
    CameraLost,
    PipelineOpened,
    RunnerFailed,
    SinkFailed,
    SourceOpened,
    SourceReported,
    StateChanged,
)
from tests.fakes import FakeSource, ListSink, make_facts, make_frame, make_result
from tests.media import gray_levels, write_video

TIMEOUT_S = 20
INFO = EngineInfo("fake", "CPU", "fp32", "1", "0" * 64)


class FakePipeline:
    """Answers at once, or waits at chosen frames until it is let go."""

    engine_info = INFO

    def __init__(self, holds_at=(), fails_at=None):
        self._holds_at = holds_at
        self._fails_at = fails_at
        self.is_held = threading.Event()
        self.let_go = threading.Event()
        self.is_closed = False
        self.thread_names = {threading.current_thread().name}

    def track(self, frame):
        if frame.index in self._holds_at:
            self.is_held.set()
            assert self.let_go.wait(TIMEOUT_S)
        if frame.index == self._fails_at:
            raise ZeroDivisionError("division by zero")
        return ()

    def estimate(self, frame, tracks, dropped_before=0):
        self.thread_names.add(threading.current_thread().name)
        result = make_result(face_ids=())
        object.__setattr__(result, "frame", frame)
        object.__setattr__(result, "dropped_before", dropped_before)
        return result

    def close(self):
        self.thread_names.add(threading.current_thread().name)
        self.is_closed = True


class HandFedSource:
    """Delivers a frame each time the test feeds it one; None ends it, an error breaks it off."""

    def __init__(self, *, is_live):
        self._is_live = is_live
        self._fed = SimpleQueue()
        self._n_fed = 0
        self._n_asked = 0
        self._asked = threading.Condition()
        self.is_closed = False

    def feed(self, n=1):
        for _ in range(n):
            self._fed.put(make_frame(self._n_fed, timestamp_s=0.0))
            self._n_fed += 1

    def end(self, ending=None):
        self._fed.put(ending)

    def wait_until_all_is_read(self):
        """Return when the reader is back for more than was fed: all else is handed over."""
        with self._asked:
            assert self._asked.wait_for(lambda: self._n_asked > self._n_fed, TIMEOUT_S)

    def open(self):
        return make_facts(is_live=self._is_live)

    def read(self):
        with self._asked:
            self._n_asked += 1
            self._asked.notify_all()
        item = self._fed.get(timeout=TIMEOUT_S)
        if isinstance(item, Exception):
            raise item
        return item

    def report(self):
        return SourceReport(n_decoded=self._n_fed)

    def close(self):
        self.is_closed = True


class WaitingSink(ListSink):
    """Keeps results, and lets a test wait for a number of them."""

    def __init__(self):
        super().__init__()
        self._changed = threading.Condition()

    def write(self, result):
        with self._changed:
            super().write(result)
            self._changed.notify_all()

    def wait_for(self, n):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.results) >= n, TIMEOUT_S)

    @property
    def indices(self):
        return [result.frame.index for result in self.results]


class FailingSink(ListSink):
    def __init__(self, error, *, at_close=False):
        super().__init__()
        self._error = error
        self._at_close = at_close

    def write(self, result):
        if not self._at_close:
            raise self._error
        super().write(result)

    def close(self):
        super().close()
        if self._at_close:
            raise self._error


class Stage:
    """A runner with its parts, its events, and an end that is always waited for."""

    def __init__(self, source=None, pipeline=None, sinks=None, **options):
        self.source = source or FakeSource(5, fps=1000)
        self.make_pipeline: Callable = pipeline or (lambda facts: FakePipeline())
        self.pipeline = None
        self.sink = WaitingSink()
        self.events = []
        self._changed = threading.Condition()
        self.runner = LiveRunner(
            lambda: self.source,
            self._make_pipeline,
            [self.sink, *(sinks or ())],
            on_event=self._on_event,
            **options,
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.pipeline is not None:
            self.pipeline.let_go.set()
        if isinstance(self.source, HandFedSource):
            self.source.end()
        assert self.runner.stop(TIMEOUT_S)

    def _make_pipeline(self, facts):
        self.pipeline = self.make_pipeline(facts)
        return self.pipeline

    def _on_event(self, event):
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, state):
        with self._changed:
            assert self._changed.wait_for(lambda: state in self.states, TIMEOUT_S), self.events

    def of_kind(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def states(self):
        return [event.state for event in self.of_kind(StateChanged)]

    def run_to_end(self):
        self.runner.start()
        assert self.runner.wait(TIMEOUT_S)
        return self


def test_source_is_analysed_to_its_end_and_everything_closed():
    with Stage() as stage:
        assert stage.runner.state is RunState.IDLE
        stage.run_to_end()
        assert stage.sink.indices == [0, 1, 2, 3, 4]
        assert stage.states == [RunState.OPENING, RunState.RUNNING, RunState.FINISHED]
        assert stage.runner.state is RunState.FINISHED
        assert stage.sink.is_closed
        assert stage.source.is_closed
        assert stage.pipeline.is_closed
        assert stage.pipeline.thread_names == {"lanet-worker"}


def test_events_tell_the_story_in_order():
    with Stage() as stage:
        stage.run_to_end()
        assert stage.events == [
            StateChanged(RunState.OPENING),
            SourceOpened(make_facts(nominal_fps=1000, n_frames_expected=5)),
            PipelineOpened(INFO),
            StateChanged(RunState.RUNNING),
            SourceReported(SourceReport(n_decoded=5)),
            StateChanged(RunState.FINISHED),
        ]


def test_real_video_is_played_without_losing_a_frame(tmp_path):
    path = write_video(tmp_path / "clip.mp4", gray_levels(30))
    with Stage(VideoFileSource(path), speed=1000) as stage:
        stage.run_to_end()
        assert stage.sink.indices == list(range(30))
        assert stage.runner.stats().n_dropped == 0


def test_file_waits_for_a_busy_analysis():
    with Stage(FakeSource(50, fps=1e6), lambda facts: FakePipeline(holds_at=(3,))) as stage:
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        assert stage.pipeline.is_held.wait(TIMEOUT_S)
        stage.pipeline.let_go.set()
        assert stage.runner.wait(TIMEOUT_S)
        assert stage.sink.indices == list(range(50))


def test_live_source_drops_what_the_analysis_is_too_busy_for():
    source = HandFedSource(is_live=True)
    with Stage(source, lambda facts: FakePipeline(holds_at=(0,))) as stage:
        stage.runner.start()
        source.feed()
        stage.wait_for(RunState.RUNNING)
        assert stage.pipeline.is_held.wait(TIMEOUT_S)
        source.feed(6)
        source.wait_until_all_is_read()
        stage.pipeline.let_go.set()
        stage.sink.wait_for(2)
        assert stage.sink.indices == [0, 6]
        assert [result.dropped_before for result in stage.sink.results] == [0, 5]
        assert stage.runner.stats().n_dropped == 5


def test_paused_file_stands_still_and_goes_on_where_it_was():
    source = HandFedSource(is_live=False)
    with Stage(source) as stage:
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        source.feed(2)
        stage.sink.wait_for(2)
        stage.runner.pause()
        source.feed(3)
        stage.runner.submit(lambda pipeline: None).result(TIMEOUT_S)
        assert stage.sink.indices == [0, 1]
        stage.runner.resume()
        stage.sink.wait_for(5)
        assert stage.sink.indices == [0, 1, 2, 3, 4]
        assert stage.states[-2:] == [RunState.PAUSED, RunState.RUNNING]


def test_what_a_camera_sees_in_a_pause_is_passed_over_and_not_counted():
    source = HandFedSource(is_live=True)
    with Stage(source) as stage:
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        source.feed()
        stage.sink.wait_for(1)
        stage.runner.pause()
        source.feed(5)
        source.wait_until_all_is_read()
        stage.runner.resume()
        source.feed()
        stage.sink.wait_for(2)
        assert stage.sink.indices == [0, 6]
        assert stage.sink.results[1].dropped_before == 0


def test_stop_closes_everything_and_goes_back_to_idle():
    with Stage(FakeSource(1_000_000, fps=1e6)) as stage:
        stage.runner.start()
        stage.sink.wait_for(3)
        assert stage.runner.stop(TIMEOUT_S)
        assert stage.states[-2:] == [RunState.STOPPING, RunState.IDLE]
        assert stage.sink.is_closed
        assert stage.source.is_closed
        assert stage.pipeline.is_closed
        n_results = len(stage.sink.results)
        assert stage.sink.indices == list(range(n_results))


def test_stop_ends_the_wait_for_the_next_time_stamp():
    with Stage(FakeSource(2, fps=0.2)) as stage:
        stage.runner.start()
        stage.sink.wait_for(1)
        assert stage.runner.stop(timeout_s=3)


def test_stop_while_paused():
    with Stage(FakeSource(1_000_000, fps=1e6)) as stage:
        stage.runner.start()
        stage.sink.wait_for(1)
        stage.runner.pause()
        assert stage.runner.stop(TIMEOUT_S)
        assert stage.runner.state is RunState.IDLE


def test_stop_while_the_pipeline_opens_analyses_nothing():
    is_opening, may_open = threading.Event(), threading.Event()

    def open_slowly(facts):
        is_opening.set()
        assert may_open.wait(TIMEOUT_S)
        return FakePipeline()

    with Stage(pipeline=open_slowly) as stage:
        stage.runner.start()
        assert is_opening.wait(TIMEOUT_S)
        assert not stage.runner.stop(timeout_s=0)
        assert stage.runner.state is RunState.STOPPING
        may_open.set()
        assert stage.runner.wait(TIMEOUT_S)
        assert stage.runner.state is RunState.IDLE
        assert stage.sink.results == []
        assert stage.pipeline.is_closed


def test_stop_while_the_engine_is_compiled_gives_it_up_without_an_error():
    is_compiling, is_stopped = threading.Event(), threading.Event()

    def compile_until_stopped(facts):
        is_compiling.set()
        assert is_stopped.wait(TIMEOUT_S)
        raise BuildInterrupted("Compiling was interrupted.")

    with Stage(pipeline=compile_until_stopped) as stage:
        stage.runner.start()
        assert is_compiling.wait(TIMEOUT_S)
        stage.runner.request_stop()
        is_stopped.set()
        assert stage.runner.wait(TIMEOUT_S)
        assert stage.runner.state is RunState.IDLE
        assert not any(isinstance(event, RunnerFailed) for event in stage.events)


def test_stopping_an_idle_runner_is_harmless():
    with Stage() as stage:
        assert stage.runner.stop()
        assert stage.runner.wait()
        assert stage.events == []


def test_source_that_does_not_open_fails_with_its_sentence():
    class ShutSource(FakeSource):
        def open(self):
            raise SourceUnavailable("There is no camera 7.")

    with Stage(ShutSource()) as stage:
        stage.run_to_end()
        assert stage.events == [
            StateChanged(RunState.OPENING),
            RunnerFailed("There is no camera 7."),
            StateChanged(RunState.FAILED),
        ]
        assert stage.source.is_closed
        assert stage.sink.is_closed


def test_pipeline_that_does_not_open_fails_with_its_sentence():
    def refuse(facts):
        raise BackendUnavailable("No GPU here.")

    with Stage(pipeline=refuse) as stage:
        stage.run_to_end()
        assert stage.of_kind(RunnerFailed) == [RunnerFailed("No GPU here.")]
        assert stage.runner.state is RunState.FAILED
        assert stage.source.is_closed


def test_bug_in_the_pipeline_fails_and_keeps_the_results():
    with Stage(pipeline=lambda facts: FakePipeline(fails_at=3)) as stage:
        stage.run_to_end()
        (failure,) = stage.of_kind(RunnerFailed)
        assert "ZeroDivisionError" in failure.message
        assert stage.sink.indices == [0, 1, 2]
        assert stage.sink.is_closed
        assert stage.pipeline.is_closed


def test_file_that_breaks_off_fails_after_its_last_frame():
    source = FakeSource(4, fps=1e6, ending=SourceLost("clip.mp4 breaks off."))
    with Stage(source) as stage:
        stage.run_to_end()
        assert stage.sink.indices == [0, 1, 2, 3]
        assert stage.of_kind(RunnerFailed) == [RunnerFailed("clip.mp4 breaks off.")]


def test_failing_sink_is_switched_off_and_the_rest_goes_on():
    full = FailingSink(SinkError("The disk is full."))
    broken = FailingSink(ZeroDivisionError("oops"))
    late = FailingSink(SinkError("The end could not be written."), at_close=True)
    with Stage(sinks=[full, broken, late]) as stage:
        stage.run_to_end()
        messages = [event.message for event in stage.of_kind(SinkFailed)]
        assert messages[0] == "The disk is full."
        assert messages[1].startswith("FailingSink failed and was switched off (ZeroDivisionError")
        assert messages[2] == "The end could not be written."
        assert stage.sink.indices == [0, 1, 2, 3, 4]
        assert full.is_closed
        assert broken.is_closed
        assert stage.runner.state is RunState.FINISHED


def test_sinks_come_and_go_between_frames():
    source = HandFedSource(is_live=False)
    extra = WaitingSink()
    with Stage(source) as stage:
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        source.feed(2)
        stage.sink.wait_for(2)
        stage.runner.add_sink(extra).result(TIMEOUT_S)
        source.feed(2)
        stage.sink.wait_for(4)
        stage.runner.remove_sink(extra).result(TIMEOUT_S)
        assert extra.is_closed
        source.feed(1)
        stage.sink.wait_for(5)
        assert extra.indices == [2, 3]
        assert not stage.sink.is_closed


def test_sink_can_be_removed_while_paused():
    source = HandFedSource(is_live=True)
    with Stage(source) as stage:
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        stage.runner.pause()
        stage.runner.remove_sink(stage.sink).result(TIMEOUT_S)
        assert stage.sink.is_closed


def test_sinks_can_be_changed_before_the_start():
    first, second = ListSink(), ListSink()
    with Stage() as stage:
        assert stage.runner.add_sink(first).done()
        assert stage.runner.add_sink(second).done()
        assert stage.runner.remove_sink(first).done()
        stage.run_to_end()
        assert first.results == []
        assert first.is_closed
        assert len(second.results) == 5


def test_removing_an_unknown_sink_is_harmless():
    with Stage() as stage:
        stage.runner.remove_sink(ListSink()).result(0)


def test_command_runs_in_the_worker_and_its_failure_is_its_own():
    source = HandFedSource(is_live=False)
    with Stage(source) as stage:
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        seen = []
        stage.runner.submit(
            lambda pipeline: seen.append((pipeline, threading.current_thread().name))
        ).result(TIMEOUT_S)
        assert seen == [(stage.pipeline, "lanet-worker")]
        with pytest.raises(ZeroDivisionError):
            stage.runner.submit(lambda pipeline: 1 / 0).result(TIMEOUT_S)
        assert stage.runner.state is RunState.RUNNING


def test_command_without_a_run_is_cancelled():
    with Stage() as stage:
        assert stage.runner.submit(lambda pipeline: None).cancelled()
        stage.run_to_end()
        assert stage.runner.submit(lambda pipeline: None).cancelled()


def test_commands_left_at_the_end_are_cancelled():
    is_opening, may_open = threading.Event(), threading.Event()

    def refuse_slowly(facts):
        is_opening.set()
        assert may_open.wait(TIMEOUT_S)
        raise BackendUnavailable("No GPU here.")

    with Stage(pipeline=refuse_slowly) as stage:
        stage.runner.start()
        assert is_opening.wait(TIMEOUT_S)
        future = stage.runner.add_sink(ListSink())
        may_open.set()
        assert stage.runner.wait(TIMEOUT_S)
        assert future.cancelled()


def test_lost_camera_comes_back():
    cameras = [HandFedSource(is_live=True), HandFedSource(is_live=True)]
    waiting = list(cameras)
    policy = ReconnectPolicy(first_delay_s=0, max_delay_s=0)
    with Stage(reconnect=policy) as stage:
        stage.runner._source_factory = lambda: waiting.pop(0)
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        cameras[0].feed(1)
        stage.sink.wait_for(1)
        cameras[0].end(SourceLost("The camera was unplugged."))
        cameras[1].feed(1)
        stage.sink.wait_for(2)
        cameras[1].end()
        assert stage.runner.wait(TIMEOUT_S)
        assert stage.sink.indices == [0, 1]
        assert stage.of_kind(CameraLost) == [CameraLost("The camera was unplugged.")]
        assert stage.of_kind(CameraBack) == [CameraBack()]
        times_s = [result.frame.timestamp_s for result in stage.sink.results]
        assert times_s == sorted(times_s)


def test_stop_ends_the_attempts_to_find_a_lost_camera():
    policy = ReconnectPolicy(first_delay_s=3600, max_delay_s=3600)
    source = HandFedSource(is_live=True)
    with Stage(source, reconnect=policy) as stage:
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        source.end(SourceLost("The camera was unplugged."))
        with stage._changed:
            assert stage._changed.wait_for(lambda: stage.of_kind(CameraLost), TIMEOUT_S)
        assert stage.runner.stop(TIMEOUT_S)
        assert stage.runner.state is RunState.IDLE


def test_runner_can_be_started_again_with_new_sinks():
    with Stage() as stage:
        stage.run_to_end()
        second = WaitingSink()
        stage.runner.add_sink(second)
        stage.source = FakeSource(3, fps=1000)
        stage.run_to_end()
        assert second.indices == [0, 1, 2]
        assert len(stage.sink.results) == 5
        assert stage.runner.stats().n_results == 3


def test_calls_out_of_turn_are_refused():
    with Stage(HandFedSource(is_live=False)) as stage:
        for call in (stage.runner.pause, stage.runner.resume):
            with pytest.raises(ValueError, match="idle"):
                call()
        stage.runner.start()
        stage.wait_for(RunState.RUNNING)
        with pytest.raises(ValueError, match="running"):
            stage.runner.start()
        with pytest.raises(ValueError, match="running"):
            stage.runner.resume()


def test_stats_describe_the_run():
    with Stage() as stage:
        stage.run_to_end()
        stats = stage.runner.stats()
        assert stats.n_results == 5
        assert stats.fps > 0
        assert stats.latency_ms >= 0
        assert stats.facts == make_facts(nominal_fps=1000, n_frames_expected=5)
