"""Sinks and commands of a running analysis: added, removed, failing, cancelled."""

import threading

import pytest

from lanet_engines.errors import BackendUnavailable
from lanet_live.errors import SinkError
from lanet_live.run.live import RunState
from lanet_live.run.live_events import (
    SinkFailed,
)
from tests.fakes import ListSink
from tests.unit.lanet_live.runner_stage import (
    TIMEOUT_S,
    FailingSink,
    HandFedSource,
    Stage,
    WaitingSink,
)


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
