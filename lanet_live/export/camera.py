"""Write what a camera sees until it is stopped, without a window.

A camera does not wait: frames that come while the analysis is busy are dropped and counted, as in
the window.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Final

from lanet_live.capture.base import SourceFactory, SourceFacts, SourceReport
from lanet_live.errors import LanetLiveError, SinkError
from lanet_live.run.live import LiveRunner
from lanet_live.run.live_events import (
    CameraLost,
    RunnerEvent,
    RunnerFailed,
    SinkFailed,
    SourceOpened,
    SourceReported,
    StateChanged,
)
from lanet_live.run.offline import OnProgress, ShouldStop
from lanet_live.run.processor import ProcessorFactory
from lanet_live.run_summary import RunEnd, RunProgress, RunSummary
from lanet_live.sinks.base import ResultSink

_TICK_S: Final = 0.1


def run_live(
    source_factory: SourceFactory,
    pipeline_factory: ProcessorFactory,
    sinks: Sequence[ResultSink],
    *,
    should_stop: ShouldStop | None = None,
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Analyse a live source; takes and returns what `lanet_live.run.offline.run_overlapped` does.

    Raises:
        LanetLiveError: The source or the model cannot be opened or fails, or a sink cannot be
            written.
    """
    return _HeadlessRun(source_factory, pipeline_factory, sinks).execute(should_stop, on_progress)


class _HeadlessRun:
    """A live runner, and the thread that waits for it."""

    def __init__(
        self,
        source_factory: SourceFactory,
        pipeline_factory: ProcessorFactory,
        sinks: Sequence[ResultSink],
    ) -> None:
        self._events: SimpleQueue[RunnerEvent] = SimpleQueue()
        self._runner = LiveRunner(
            source_factory, pipeline_factory, sinks, on_event=self._events.put
        )
        self._facts: SourceFacts | None = None
        self._report = SourceReport(n_decoded=0)
        self._warnings: list[str] = []
        self._error: LanetLiveError | None = None
        self._end = RunEnd.COMPLETED
        self._is_over = False
        self._began_s = self._ready_s = time.perf_counter()

    def execute(self, should_stop: ShouldStop | None, on_progress: OnProgress | None) -> RunSummary:
        self._runner.start()
        while not self._is_over:
            try:
                self._watch(should_stop, on_progress)
            except KeyboardInterrupt:
                if self._end is RunEnd.INTERRUPTED:
                    raise
                self._stop(RunEnd.INTERRUPTED)
        self._runner.wait()
        if self._error is not None:
            raise self._error
        return self._summary()

    def _watch(self, should_stop: ShouldStop | None, on_progress: OnProgress | None) -> None:
        """Return when the run is over."""
        while not self._is_over:
            self._hear(_TICK_S)
            if self._error is not None:
                self._runner.request_stop()
            elif should_stop and should_stop():
                self._stop(RunEnd.STOPPED)
            if on_progress and self._facts is not None:
                on_progress(self._progress(self._facts))

    def _stop(self, end: RunEnd) -> None:
        if self._end is RunEnd.COMPLETED:
            self._end = end
        self._runner.request_stop()

    def _hear(self, timeout_s: float) -> None:
        """Wait for the next event of the runner and process all that are there.

        Waits for the events, not for the thread: a `join` interrupted by Ctrl-C takes the thread
        for dead (seen with Python 3.11).
        """
        deadline_s = time.monotonic() + timeout_s
        while not self._is_over:
            try:
                event = self._events.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except Empty:
                return
            match event:
                case StateChanged(state):
                    self._is_over = not state.is_active
                case SourceOpened(facts):
                    self._facts = facts
                    self._ready_s = time.perf_counter()
                case SourceReported(report):
                    self._report = report
                case CameraLost(message):
                    self._warnings.append(message)
                case SinkFailed(message):
                    self._error = self._error or SinkError(message)
                case RunnerFailed(message):
                    self._error = self._error or LanetLiveError(message)

    def _progress(self, facts: SourceFacts) -> RunProgress:
        stats = self._runner.stats()
        return RunProgress(
            n_analysed=stats.n_results,
            n_with_face=stats.n_with_face,
            n_expected=facts.n_frames_expected,
            elapsed_s=time.perf_counter() - self._ready_s,
        )

    def _summary(self) -> RunSummary:
        if self._facts is None:
            raise LanetLiveError("The run was stopped before the source was open.")
        stats = self._runner.stats()
        is_complete = self._end is RunEnd.COMPLETED
        return RunSummary(
            facts=replace(self._facts, details={**self._facts.details, **self._report.details}),
            warnings=(*self._warnings, *self._report.warnings),
            n_decoded=self._report.n_decoded,
            n_analysed=stats.n_results,
            n_with_face=stats.n_with_face,
            n_dropped=stats.n_dropped,
            end=self._end,
            partial_reason=None if is_complete else f"The analysis was {self._end.value}.",
            is_interrupted=self._end is RunEnd.INTERRUPTED,
            elapsed_s=time.perf_counter() - self._began_s,
        )
