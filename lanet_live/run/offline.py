"""Analyse every frame of a source, once, in order: in one thread, or with the stages overlapped.

Both ways write the same rows. Overlapped, one thread decodes, one finds the faces and one runs the
model and writes; the thread that calls waits, reports progress and handles Ctrl-C.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from lanet_live.capture.base import SourceFactory, SourceFacts
from lanet_live.capture.mailbox import BoundedQueue, LatestValue, Mailbox, MailboxClosed
from lanet_live.errors import SourceLost
from lanet_live.records import FaceTrack, Frame
from lanet_live.run.processor import FrameProcessor, ProcessorFactory
from lanet_live.run_summary import RunEnd, RunProgress, RunSummary, RunTally
from lanet_live.sinks.base import ResultSink

# Two frames waiting before and two after the tracking, and one in the hands of each of the three
# stages: at most seven in memory, enough for the stages to ride out each other's slow frames.
_QUEUE_SIZE: Final = 2
# Windows delivers Ctrl-C to a waiting main thread only when its wait ends.
_MAX_WAIT_S: Final = 0.25
# Progress is for people to read: waking the calling thread for every frame would take the
# interpreter lock from the threads that work.
_PROGRESS_INTERVAL_S: Final = 0.05

# A Python thread keeps the interpreter lock for up to 5 ms; the landmarker's thread,
# coming back from a frame of 10 ms, would spend a good part of that waiting for the interpreter.
_SWITCH_INTERVAL_S: Final = 0.0003

ShouldStop = Callable[[], bool]
OnProgress = Callable[[RunProgress], None]


def run_synchronous(
    source_factory: SourceFactory,
    pipeline_factory: ProcessorFactory,
    sinks: Sequence[ResultSink],
    *,
    should_stop: ShouldStop | None = None,
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Analyse a source frame by frame in the calling thread.

    Source, pipeline and sinks are closed whatever happens. A source that fails midway, a stop and
    Ctrl-C end the run cleanly; the summary says which.

    Args:
        source_factory: Makes the source.
        pipeline_factory: Makes the pipeline once the source is open.
        sinks: Take the results in order.
        should_stop: Asked before every frame; True ends the run.
        on_progress: Called after every frame.

    Raises:
        LanetLiveError: The source cannot be opened, or a sink cannot be written.
        EngineError: The model cannot be opened or run.
    """
    tally = RunTally()
    with ExitStack() as stack:
        for sink in sinks:
            stack.callback(sink.close)
        source = source_factory()
        stack.callback(source.close)
        facts = source.open()
        pipeline = pipeline_factory(facts)
        stack.callback(pipeline.close)
        tally.begin(facts)
        try:
            while not (should_stop and should_stop()):
                frame = source.read()
                if frame is None:
                    tally.end = RunEnd.COMPLETED
                    break
                _analyse(frame, pipeline.track(frame), pipeline, sinks, tally)
                if on_progress:
                    on_progress(tally.progress())
        except SourceLost as error:
            tally.lose(error)
        except KeyboardInterrupt:
            tally.end, tally.is_interrupted = RunEnd.INTERRUPTED, True
        tally.report = source.report()
    return tally.summary()


def run_overlapped(
    source_factory: SourceFactory,
    pipeline_factory: ProcessorFactory,
    sinks: Sequence[ResultSink],
    *,
    should_stop: ShouldStop | None = None,
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Analyse a source with decoding, face finding and the model working at the same time.

    The rows are those of `run_synchronous`. What has been read when a stop is asked for, or Ctrl-C
    is pressed, is still analysed and written; a second Ctrl-C gives that up.

    Args:
        source_factory: Makes the source; called, used and closed in the decoding thread.
        pipeline_factory: Makes the pipeline; called and closed in the thread that runs the model.
        sinks: Take the results in order; written and closed in that same thread.
        should_stop: Asked at least four times a second in the calling thread; True ends the run.
        on_progress: Called in the calling thread, at most twenty times a second, and at the end.

    Raises:
        LanetLiveError: The source cannot be opened, or a sink cannot be written.
        EngineError: The model cannot be opened or run.
    """
    run = _OverlappedRun(source_factory, pipeline_factory, sinks)
    with _quick_switching():
        try:
            run.start()
            run.wait(should_stop, on_progress)
        finally:
            run.release()
            run.join()
    return run.summary()


@contextmanager
def _quick_switching() -> Iterator[None]:
    """Let the stages take turns in the interpreter more often than Python does by itself."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


class _OverlappedRun:
    """The three stages and what lies between them.

    A stage ends when the box before it is closed and empty, and then closes the one behind it. A
    stage that fails closes every box, so that none waits for another.
    """

    def __init__(
        self,
        source_factory: SourceFactory,
        pipeline_factory: ProcessorFactory,
        sinks: Sequence[ResultSink],
    ) -> None:
        self._source_factory = source_factory
        self._pipeline_factory = pipeline_factory
        self._sinks = sinks
        self._tally = RunTally()
        self._stop_requested = threading.Event()
        self._stop_end = RunEnd.STOPPED
        self._facts = BoundedQueue[SourceFacts](1)
        self._pipeline = BoundedQueue[FrameProcessor](1)
        self._frames = BoundedQueue[Frame](_QUEUE_SIZE)
        self._tracked = BoundedQueue[tuple[Frame, tuple[FaceTrack, ...]]](_QUEUE_SIZE)
        self._progress = LatestValue[RunProgress]()
        self._error: BaseException | None = None
        self._error_lock = threading.Lock()
        self._decoder = self._stage("lanet-decode", self._decode, before=self._frames)
        self._tracker = self._stage("lanet-track", self._track, before=self._tracked)
        self._analyser = self._stage("lanet-analyse", self._analyse, before=self._progress)

    def start(self) -> None:
        for thread in (self._decoder, self._tracker, self._analyser):
            thread.start()

    def wait(self, should_stop: ShouldStop | None, on_progress: OnProgress | None) -> None:
        """Return when the last stage has ended; handle stop and Ctrl-C meanwhile."""
        while True:
            try:
                if should_stop and should_stop():
                    self._stop_requested.set()
                progress = self._progress.take(_MAX_WAIT_S)
                if progress is not None and on_progress:
                    on_progress(progress)
            except MailboxClosed:
                return
            except KeyboardInterrupt:
                if self._tally.is_interrupted:
                    raise
                self._tally.is_interrupted = True
                self._stop_end = RunEnd.INTERRUPTED
                self._stop_requested.set()

    def release(self) -> None:
        """Close every box and forget what is inside; nothing is, after a run without errors."""
        self._stop_requested.set()
        boxes: tuple[Mailbox[Any], ...] = (
            self._facts,
            self._pipeline,
            self._frames,
            self._tracked,
        )
        for box in boxes:
            box.close(discard=True)

    def join(self) -> None:
        """Wait for the stages that were started: Ctrl-C may come before all of them were."""
        for thread in (self._decoder, self._tracker, self._analyser):
            if thread.ident is not None:
                thread.join()

    def summary(self) -> RunSummary:
        if self._error is not None:
            raise self._error
        return self._tally.summary()

    def _stage(
        self, name: str, work: Callable[[], None], *, before: Mailbox[Any]
    ) -> threading.Thread:
        def run_stage() -> None:
            try:
                work()
            except MailboxClosed:
                pass  # Another stage failed and has reported it.
            except BaseException as error:  # noqa: BLE001 - top of a thread; raised by `summary`
                self._fail(error)
            finally:
                before.close()

        # A daemon, so that a stage stuck in a driver cannot keep the program from ending.
        return threading.Thread(target=run_stage, name=name, daemon=True)

    def _fail(self, error: BaseException) -> None:
        with self._error_lock:
            self._error = self._error or error
        self.release()

    def _decode(self) -> None:
        with ExitStack() as stack:
            source = self._source_factory()
            stack.callback(source.close)
            self._facts.put(source.open())
            try:
                while not self._stop_requested.is_set():
                    frame = source.read()
                    if frame is None:
                        self._tally.end = RunEnd.COMPLETED
                        break
                    self._frames.put(frame)
                else:
                    self._tally.end = self._stop_end
            except SourceLost as error:
                self._tally.lose(error)
            self._tally.report = source.report()

    def _track(self) -> None:
        pipeline = next(iter(self._pipeline), None)
        if pipeline is None:
            return
        for frame in self._frames:
            self._tracked.put((frame, pipeline.track(frame)))

    def _analyse(self) -> None:
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(sink.close)
            facts = next(iter(self._facts), None)
            if facts is None:
                return
            pipeline = self._pipeline_factory(facts)
            stack.callback(self._close_pipeline, pipeline)
            self._tally.begin(facts)
            self._pipeline.put(pipeline)
            told_s, is_told = 0.0, True
            for frame, tracks in self._tracked:
                _analyse(frame, tracks, pipeline, self._sinks, self._tally)
                is_told = time.monotonic() >= told_s + _PROGRESS_INTERVAL_S
                if is_told:
                    told_s = time.monotonic()
                    self._progress.put(self._tally.progress())
            if not is_told:
                self._progress.put(self._tally.progress())

    def _close_pipeline(self, pipeline: FrameProcessor) -> None:
        """Close the pipeline once the tracking thread has ended."""
        self.release()
        self._tracker.join()
        pipeline.close()


def _analyse(
    frame: Frame,
    tracks: tuple[FaceTrack, ...],
    pipeline: FrameProcessor,
    sinks: Sequence[ResultSink],
    tally: RunTally,
) -> None:
    result = pipeline.estimate(frame, tracks)
    for sink in sinks:
        sink.write(result)
    tally.add(result)
