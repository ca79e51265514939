"""A runner on a stage: pipelines, sources and sinks that tests hold in their hands."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from lanet_engines.base import EngineInfo
from lanet_live.capture.base import SourceReport
from lanet_live.run.live import LiveRunner
from lanet_live.run.live_events import (
    StateChanged,
)
from tests.fakes import FakeSource, ListSink, make_facts, make_frame, make_result

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
