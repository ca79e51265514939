"""Run a source live: a capture thread, a worker thread, and commands from outside.

The worker makes the pipeline, uses it and closes it; it alone writes and closes the sinks. Its
owner is notified by events, and may call every method from any one thread.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from queue import Empty, SimpleQueue
from typing import Final

from lanet_engines.errors import BuildInterrupted, EngineError
from lanet_live.capture.base import FrameSource, SourceFactory
from lanet_live.capture.feed import CaptureFeed, FrameBox
from lanet_live.capture.mailbox import MailboxClosed
from lanet_live.capture.paced import PacedSource
from lanet_live.capture.reconnecting import ReconnectingSource, ReconnectPolicy
from lanet_live.errors import LanetLiveError
from lanet_live.run.live_events import (
    CameraBack,
    CameraLost,
    PipelineOpened,
    RunnerEvent,
    RunnerFailed,
    RunState,
    SinkFailed,
    SourceOpened,
    SourceReported,
    StateChanged,
)
from lanet_live.run.processor import FrameProcessor, ProcessorFactory
from lanet_live.run.stats import RunStats, StatsSnapshot
from lanet_live.sinks.base import ResultSink
from lanet_live.sinks.board import SinkBoard

__all__ = ["LiveRunner", "RunState", "RunnerEvent", "StatsSnapshot"]

logger = logging.getLogger(__name__)

_THREAD_NAME: Final = "lanet-worker"
_STOP_TIMEOUT_S: Final = 10.0
_LEGAL: Final = {
    RunState.IDLE: {RunState.OPENING},
    RunState.OPENING: {RunState.RUNNING, RunState.STOPPING, RunState.FAILED},
    RunState.RUNNING: {RunState.PAUSED, RunState.STOPPING, RunState.FINISHED, RunState.FAILED},
    RunState.PAUSED: {RunState.RUNNING, RunState.STOPPING, RunState.FINISHED, RunState.FAILED},
    RunState.STOPPING: {RunState.IDLE, RunState.FAILED},
    RunState.FINISHED: {RunState.OPENING},
    RunState.FAILED: {RunState.OPENING},
}

Command = Callable[[FrameProcessor], None]


class LiveRunner:
    """Analyses a source as it comes, and can be paused, resumed and stopped.

    A live source loses frames while the analysis is busy; they are counted. A file is played at
    the pace of its time stamps and loses none. A camera that vanishes is tried again. After the
    end of a run its sinks are closed and forgotten; the runner may be started again, with new ones.

    Args:
        source_factory: Makes the source, in the capture thread.
        pipeline_factory: Makes the pipeline once the source is open, in the worker thread.
        sinks: Written and closed in the worker thread.
        on_event: Called with what happens, in the thread where it happens; must return quickly and
            must not wait for the runner.
        speed: A file is played this many times as fast.
        reconnect: How a lost camera is tried again.
    """

    def __init__(
        self,
        source_factory: SourceFactory,
        pipeline_factory: ProcessorFactory,
        sinks: Sequence[ResultSink] = (),
        *,
        on_event: Callable[[RunnerEvent], None],
        speed: float = 1.0,
        reconnect: ReconnectPolicy | None = None,
    ) -> None:
        self._source_factory = source_factory
        self._pipeline_factory = pipeline_factory
        self._on_event = on_event
        self._speed = speed
        self._reconnect = reconnect or ReconnectPolicy()
        self._sinks = SinkBoard(sinks, lambda message: on_event(SinkFailed(message)))
        # Held while the state changes and is reported, so that events follow the order of states.
        self._lock = threading.RLock()
        self._state = RunState.IDLE
        self._stats = RunStats()
        self._commands: SimpleQueue[tuple[Command, Future[None]]] = SimpleQueue()
        self._feed: CaptureFeed | None = None
        self._worker: threading.Thread | None = None

    @property
    def state(self) -> RunState:
        """Where the runner is."""
        return self._state

    def start(self) -> None:
        """Open source and pipeline and run. Returns at once.

        Raises:
            ValueError: It is running already.
        """
        with self._lock:
            self._enter(RunState.OPENING)
            self._stats = RunStats()
            self._feed = feed = CaptureFeed(self._make_source)
            self._worker = threading.Thread(
                target=self._work, args=(feed,), name=_THREAD_NAME, daemon=True
            )
            feed.start()
            self._worker.start()

    def pause(self) -> None:
        """Stop analysing. A file stands still; what a camera sees meanwhile is not analysed.

        Frames passed over in a pause are not counted as dropped.

        Raises:
            ValueError: It is not running.
        """
        with self._lock:
            self._enter(RunState.PAUSED)
            if self._feed is not None:
                self._feed.shut_gate()

    def resume(self) -> None:
        """Go on after a pause.

        Raises:
            ValueError: It is not paused.
        """
        with self._lock:
            if self._state is not RunState.PAUSED:
                raise ValueError(f"a runner that is {self._state.value} cannot go on")
            self._enter(RunState.RUNNING)
            if self._feed is not None:
                self._feed.open_gate()

    def request_stop(self) -> None:
        """Begin to stop, and return at once; the state shows when it is over.

        Frames not analysed yet are given up. A runner that is not running is left alone.
        """
        with self._lock:
            if not self._state.is_active or self._state is RunState.STOPPING:
                return
            self._enter(RunState.STOPPING)
            if self._feed is not None:
                self._feed.stop()

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> bool:
        """Stop and wait until everything is closed; whether it was in time.

        A driver may hold the capture thread for seconds; it then ends on its own.
        """
        self.request_stop()
        return self.wait(timeout_s)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the run is over and everything is closed; whether it is."""
        worker = self._worker
        if worker is None:
            return True
        worker.join(timeout_s)
        return not worker.is_alive()

    def add_sink(self, sink: ResultSink) -> "Future[None]":
        """Write the results to one more sink, from the next frame on.

        The runner closes it in the end, unless the future returned is cancelled: then the run was
        over before the sink was taken.
        """
        return self._submit(
            lambda pipeline: self._sinks.add(sink), when_idle=lambda: self._sinks.add(sink)
        )

    def remove_sink(self, sink: ResultSink) -> "Future[None]":
        """Write no more to a sink and close it; the future returned is done when it is closed.

        It is cancelled if the run was over first; the sink is closed then, too.
        """
        return self._submit(
            lambda pipeline: self._sinks.remove(sink), when_idle=lambda: self._sinks.remove(sink)
        )

    def submit(self, command: Command) -> "Future[None]":
        """Let the worker call this with the pipeline between two frames.

        The future is cancelled if there is no run, or it ends before. What the command raises goes
        to the future and does not end the run.
        """
        return self._submit(command)

    def stats(self) -> StatsSnapshot:
        """Return rates, latencies and losses of the current or last run."""
        return self._stats.snapshot(time.perf_counter())

    def _enter(self, state: RunState) -> None:
        with self._lock:
            if state not in _LEGAL[self._state]:
                raise ValueError(f"a runner that is {self._state.value} cannot be {state.value}")
            logger.debug("%s -> %s", self._state.value, state.value)
            self._state = state
            self._on_event(StateChanged(state))

    def _make_source(self, stop: threading.Event) -> FrameSource:
        source = ReconnectingSource(
            self._source_factory,
            self._reconnect,
            stop=stop,
            on_lost=lambda message: self._on_event(CameraLost(message)),
            on_back=lambda: self._on_event(CameraBack()),
        )
        return PacedSource(source, speed=self._speed, stop=stop)

    def _submit(
        self, command: Command, *, when_idle: Callable[[], None] | None = None
    ) -> "Future[None]":
        future: Future[None] = Future()
        with self._lock:
            if self._state.is_active and self._feed is not None:
                self._commands.put((command, future))
                self._feed.wake_reader()
            elif when_idle is not None:
                when_idle()
                future.set_result(None)
            else:
                future.cancel()
        return future

    def _work(self, feed: CaptureFeed) -> None:
        """Run in the worker thread from the start of a run to its end."""
        error: Exception | None = None
        try:
            self._run(feed)
        except Exception as caught:  # noqa: BLE001 - top of a thread; reported as an event
            error = caught
        feed.stop()
        self._sinks.close()  # Before the wait: a driver that hangs must not cost the tables' end.
        feed.join()
        if feed.opened.exception() is None:
            self._on_event(SourceReported(feed.report))
        with self._lock:
            is_stopped = self._state is RunState.STOPPING
            is_given_up = is_stopped and isinstance(error, BuildInterrupted)
            if error is None or error is feed.error or is_given_up:
                error = None if is_stopped else feed.error
            for _, future in self._take_commands():
                future.cancel()
            if error is not None:
                self._on_event(RunnerFailed(_describe(error)))
                self._enter(RunState.FAILED)
            else:
                self._enter(RunState.IDLE if is_stopped else RunState.FINISHED)

    def _run(self, feed: CaptureFeed) -> None:
        facts, frames = feed.opened.result()
        self._stats.set_facts(facts)
        self._on_event(SourceOpened(facts))
        with closing(self._pipeline_factory(facts)) as pipeline:
            self._on_event(PipelineOpened(pipeline.engine_info))
            with self._lock:
                if self._state is RunState.OPENING:
                    self._enter(RunState.RUNNING)
                    feed.open_gate()
            self._analyse(frames, pipeline)

    def _analyse(self, frames: FrameBox, pipeline: FrameProcessor) -> None:
        while True:
            self._run_commands(pipeline)
            try:
                taken = frames.take_counted()
            except MailboxClosed:
                return
            if taken is None:  # Woken to look at the commands.
                continue
            frame, n_dropped = taken
            result = pipeline.estimate(frame, pipeline.track(frame), n_dropped)
            self._sinks.write(result)
            self._stats.add(result, time.perf_counter())

    def _run_commands(self, pipeline: FrameProcessor) -> None:
        for command, future in self._take_commands():
            if not future.set_running_or_notify_cancel():
                continue
            try:
                command(pipeline)
            except Exception as error:  # noqa: BLE001 - belongs to whoever waits for the future
                future.set_exception(error)
            else:
                future.set_result(None)

    def _take_commands(self) -> Iterator[tuple[Command, "Future[None]"]]:
        while True:
            try:
                yield self._commands.get_nowait()
            except Empty:
                return


def _describe(error: Exception) -> str:
    if isinstance(error, LanetLiveError | EngineError):
        logger.warning("the run failed: %s", error)
        return str(error)
    logger.error("the run failed", exc_info=error)
    return f"Something went wrong in the program itself ({type(error).__name__}: {error})."
