"""One run at a time: starts, pauses and stops the runner without ever making the GUI wait."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal

from lanet_engines.options import ProgressCallback
from lanet_live.capture.base import SourceFacts
from lanet_live.config import FITTED, LiveConfig, SourceConfig
from lanet_live.expression.prior import Prior
from lanet_live.gui.bridge import Delivery, QtBridge
from lanet_live.run.assembly import (
    LoadedModel,
    build_pipeline_factory,
    build_source_factory,
    load_model,
)
from lanet_live.run.live import LiveRunner
from lanet_live.run.live_events import (
    EngineCompiling,
    PipelineOpened,
    RunState,
    SourceOpened,
    StateChanged,
)
from lanet_live.run.pipeline import Pipeline
from lanet_live.run.processor import FrameProcessor
from lanet_live.run.stats import StatsSnapshot
from lanet_live.sinks.base import ResultSink
from lanet_live.sinks.metadata import RunSetup


class Runner(Protocol):
    """What the window needs of `lanet_live.run.live.LiveRunner`."""

    @property
    def state(self) -> RunState:
        """Where it is."""
        ...

    def start(self) -> None:
        """Open and run; returns at once."""
        ...

    def pause(self) -> None:
        """Hold the source."""
        ...

    def resume(self) -> None:
        """Go on after a pause."""
        ...

    def request_stop(self) -> None:
        """Begin to stop; returns at once."""
        ...

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is closed."""
        ...

    def add_sink(self, sink: ResultSink) -> "Future[None]":
        """Write to one more sink."""
        ...

    def remove_sink(self, sink: ResultSink) -> "Future[None]":
        """Write no more to a sink and close it."""
        ...

    def submit(self, command: Callable[[FrameProcessor], None]) -> "Future[None]":
        """Let the worker call this between two frames."""
        ...

    def stats(self) -> StatsSnapshot:
        """Return how it is doing."""
        ...


RunnerFactory = Callable[[SourceConfig, QtBridge], Runner]


class LiveRun(QObject):
    """Holds the runner of the moment. Lives in the GUI thread."""

    delivered = Signal(object)  # bridge.Delivery
    ended = Signal()

    def __init__(self, factory: RunnerFactory, parent: QObject | None = None) -> None:
        """Start nothing yet.

        Args:
            factory: Makes a runner for a source, which writes and posts to the bridge.
            parent: The owner.
        """
        super().__init__(parent)
        self._factory = factory
        self._bridge = QtBridge(self)
        self._bridge.woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)
        self._runner: Runner | None = None
        self._next: SourceConfig | None = None
        self._facts: SourceFacts | None = None
        self._setup: RunSetup | None = None
        self._compiling: EngineCompiling | None = None
        self._source: SourceConfig | None = None

    @property
    def facts(self) -> SourceFacts | None:
        """What is known of the source; None until it is open."""
        return self._facts

    @property
    def setup(self) -> RunSetup | None:
        """Source, model and limits of the run; None until they are known."""
        return self._setup

    @property
    def compiling(self) -> EngineCompiling | None:
        """How far the engine is that is compiled for its first use; None when none is."""
        return self._compiling

    @property
    def source(self) -> SourceConfig | None:
        """What runs or ran last."""
        return self._source

    @property
    def state(self) -> RunState:
        """Where the runner is; idle when there is none."""
        return self._runner.state if self._runner else RunState.IDLE

    @property
    def runner(self) -> Runner | None:
        """The runner of the current or last run."""
        return self._runner

    @property
    def stats(self) -> StatsSnapshot:
        """How the run is doing."""
        return self._runner.stats() if self._runner else StatsSnapshot()

    def start(self, source: SourceConfig) -> None:
        """Run a source; one that runs is stopped first.

        Raises:
            LanetLiveError: The model is missing or not usable.
            EngineError: Likewise.
        """
        if self.state.is_active:
            self._next = source
            self.stop()
            return
        self._next = None
        self._facts = self._setup = self._compiling = None
        self._source = source
        self._runner = self._factory(source, self._bridge)
        self._runner.start()

    def set_prior(self, prior: Prior | None) -> None:
        """Correct to other class shares from the next frame on; None leaves them as fitted."""
        if self._runner is None or self._setup is None:
            return
        self._runner.submit(partial(_set_prior, prior=prior))
        self._setup = replace(
            self._setup,
            prior=FITTED if prior is None else prior.name,
            prior_shares=None if prior is None else tuple(prior.shares.tolist()),
        )

    def stop(self) -> None:
        """Begin to stop."""
        if self._runner is not None:
            self._runner.request_stop()

    def toggle_pause(self) -> None:
        """Hold the source, or go on."""
        if self._runner is not None and self.state is RunState.PAUSED:
            self._runner.resume()
        elif self._runner is not None and self.state is RunState.RUNNING:
            self._runner.pause()

    def shut_down(self, timeout_s: float = 10.0) -> bool:
        """Stop and wait; called when the window closes. Whether it ended in time."""
        self._next = None
        self._bridge.shut()
        self.stop()
        return self._runner.wait(timeout_s) if self._runner else True

    def _on_woken(self) -> None:
        delivery: Delivery = self._bridge.fetch()
        for event in delivery.events:
            if isinstance(event, SourceOpened):
                self._facts = event.facts
            elif isinstance(event, EngineCompiling):
                self._compiling = event
            elif isinstance(event, PipelineOpened) and self._runner is not None:
                self._compiling = None
                self._runner.submit(self._post_setup)
            elif isinstance(event, RunSetup):
                self._setup = event
        self.delivered.emit(delivery)
        if any(isinstance(e, StateChanged) and not e.state.is_active for e in delivery.events):
            self.ended.emit()
            if self._next is not None:
                self.start(self._next)

    def _post_setup(self, pipeline: FrameProcessor) -> None:
        """Post model and limits; called in the worker thread, between two frames."""
        if isinstance(pipeline, Pipeline) and self._facts is not None:
            self._bridge.post(pipeline.describe(self._facts))


def _set_prior(pipeline: FrameProcessor, *, prior: Prior | None) -> None:
    """Change the class shares; called in the worker thread, between two frames."""
    if isinstance(pipeline, Pipeline):
        pipeline.set_prior(prior)


def live_runner_factory(config: LiveConfig) -> RunnerFactory:
    """Return what makes the real runners.

    The model file is read and checked once, in the worker thread: that may take longer than the
    window may stand still.
    """
    loaded: list[LoadedModel] = []

    def open_pipeline(facts: SourceFacts, on_compiling: ProgressCallback) -> Pipeline:
        if not loaded:
            loaded.append(load_model(config.engine))
        return build_pipeline_factory(config, loaded[0], on_compiling=on_compiling)(facts)

    def create(source: SourceConfig, bridge: QtBridge) -> Runner:
        def tell(what: str, share: float) -> bool:
            bridge.post(EngineCompiling(what, share))
            return runner.state is RunState.OPENING

        runner = LiveRunner(
            build_source_factory(source),
            lambda facts: open_pipeline(facts, tell),
            [bridge],
            on_event=bridge.post,
        )
        return runner

    return create
