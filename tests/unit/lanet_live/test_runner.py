"""The runner: one worker from source to sinks, its states, and how it ends."""

import threading

import pytest

from lanet_engines.errors import BackendUnavailable, BuildInterrupted
from lanet_live.capture.base import SourceReport
from lanet_live.capture.reconnecting import ReconnectPolicy
from lanet_live.capture.video_file import VideoFileSource
from lanet_live.errors import SourceLost, SourceUnavailable
from lanet_live.run.live import RunState
from lanet_live.run.live_events import (
    CameraBack,
    CameraLost,
    PipelineOpened,
    RunnerFailed,
    SourceOpened,
    SourceReported,
    StateChanged,
)
from tests.fakes import FakeSource, make_facts
from tests.media import gray_levels, write_video
from tests.unit.lanet_live.runner_stage import (
    INFO,
    TIMEOUT_S,
    FakePipeline,
    HandFedSource,
    Stage,
    WaitingSink,
)


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
