"""What a live runner reports: its state and what happens, as small records that cross threads."""

from dataclasses import dataclass
from enum import Enum

from lanet_engines.base import EngineInfo
from lanet_live.capture.base import SourceFacts, SourceReport


class RunState(Enum):
    """Where a runner is."""

    IDLE = "idle"
    OPENING = "opening"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        """Threads are at work."""
        return self not in (RunState.IDLE, RunState.FINISHED, RunState.FAILED)


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The runner went into a new state."""

    state: RunState


@dataclass(frozen=True, slots=True)
class SourceOpened:
    """The source is open."""

    facts: SourceFacts


@dataclass(frozen=True, slots=True)
class EngineCompiling:
    """The engine is being compiled for its first use: what is done, and the share done, 0 to 1."""

    what: str
    share: float


@dataclass(frozen=True, slots=True)
class PipelineOpened:
    """The model is ready."""

    engine_info: EngineInfo


@dataclass(frozen=True, slots=True)
class CameraLost:
    """The camera vanished; it is being tried again."""

    message: str


@dataclass(frozen=True, slots=True)
class CameraBack:
    """The camera delivers again."""


@dataclass(frozen=True, slots=True)
class SinkFailed:
    """A sink could not be written or closed and was switched off; the rest goes on."""

    message: str


@dataclass(frozen=True, slots=True)
class SourceReported:
    """The source was read; holds what was lost or made up."""

    report: SourceReport


@dataclass(frozen=True, slots=True)
class RunnerFailed:
    """The run ended with an error; comes before the state says so."""

    message: str


RunnerEvent = (
    StateChanged
    | SourceOpened
    | EngineCompiling
    | PipelineOpened
    | CameraLost
    | CameraBack
    | SinkFailed
    | SourceReported
    | RunnerFailed
)
