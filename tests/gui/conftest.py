"""A window over a fake runner or a real pipeline; nothing of it may survive a test."""

import gc
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from lanet_live.capture.base import SourceFacts
from lanet_live.config import LiveConfig, SourceConfig
from lanet_live.gui.bridge import QtBridge
from lanet_live.records import FrameResult
from lanet_live.run.live_events import (
    PipelineOpened,
    RunnerFailed,
    RunState,
    SourceOpened,
    StateChanged,
)
from lanet_live.run.stats import StatsSnapshot
from lanet_live.sinks.metadata import RunSetup
from tests.fakes import FakeEngine, FakeTracker, make_facts, make_spec

CONFIG = LiveConfig(sources=(SourceConfig("video", path=Path("clip.mp4")),))


class FakeRunner:
    """Keeps the runner's protocol; the test decides what is delivered and when."""

    def __init__(self, source: SourceConfig, bridge: QtBridge) -> None:
        self.source = source
        self.bridge = bridge
        self.state = RunState.IDLE
        self.sinks = [bridge]
        self.n_results = 0

    def start(self) -> None:
        self._enter(RunState.OPENING)

    def open(self, facts: SourceFacts | None = None) -> None:
        """Do what the real one does once source and model are open."""
        facts = facts or make_facts()
        self.bridge.post(SourceOpened(facts))
        self.bridge.post(PipelineOpened(FakeEngine().info))
        self.bridge.post(
            RunSetup(facts, make_spec(), FakeEngine().info, FakeTracker().info, 0.4, 0.6)
        )
        self._enter(RunState.RUNNING)

    def deliver(self, result: FrameResult) -> None:
        self.n_results += 1
        for sink in self.sinks:
            sink.write(result)

    def fail(self, sentence: str) -> None:
        self.bridge.post(RunnerFailed(sentence))
        self._enter(RunState.FAILED)

    def pause(self) -> None:
        self._enter(RunState.PAUSED)

    def resume(self) -> None:
        self._enter(RunState.RUNNING)

    def request_stop(self) -> None:
        if self.state.is_active:
            self._enter(RunState.STOPPING)
            self.end()

    def end(self, state: RunState = RunState.IDLE) -> None:
        for sink in self.sinks:
            sink.close()
        self.sinks = [self.bridge]
        self._enter(state)

    def wait(self, timeout_s: float | None = None) -> bool:
        return True

    def add_sink(self, sink) -> "Future[None]":
        self.sinks.append(sink)
        return _done()

    def remove_sink(self, sink) -> "Future[None]":
        self.sinks.remove(sink)
        sink.close()
        return _done()

    def submit(self, command) -> "Future[None]":
        return _done()

    def stats(self) -> StatsSnapshot:
        return StatsSnapshot(fps=30.0, n_results=self.n_results, n_dropped=0)

    def _enter(self, state: RunState) -> None:
        self.state = state
        self.bridge.post(StateChanged(state))


def _done() -> "Future[None]":
    future: Future[None] = Future()
    future.set_result(None)
    return future


@pytest.fixture(autouse=True)
def _no_widget_left_behind(qapp) -> Iterator[None]:
    """Fail a test that leaves a top-level widget."""
    yield
    qapp.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
    gc.collect()
    left = [widget for widget in qapp.topLevelWidgets() if widget.parent() is None]
    assert not left, f"widgets left: {left}"


@pytest.fixture
def settings_path(tmp_path) -> Path:
    """Settings of a user who has seen the first-run page."""
    path = tmp_path / "config" / "settings.json"
    path.parent.mkdir()
    path.write_text('{"is_welcomed": true}')
    return path
