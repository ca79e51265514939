"""What the runners need of the pipeline, so that they can be tried without a model."""

from collections.abc import Callable
from typing import Protocol

from lanet_engines.base import EngineInfo
from lanet_live.capture.base import SourceFacts
from lanet_live.records import FaceTrack, Frame, FrameResult


class FrameProcessor(Protocol):
    """Turns frames into results; `lanet_live.run.pipeline.Pipeline` is the real one.

    `track` and `estimate` may be called from two threads, each always from the same one, with
    frames in order.
    """

    @property
    def engine_info(self) -> EngineInfo:
        """What runs the model."""
        ...

    def track(self, frame: Frame) -> tuple[FaceTrack, ...]:
        """Find the faces of a frame."""
        ...

    def estimate(
        self, frame: Frame, tracks: tuple[FaceTrack, ...], dropped_before: int = 0
    ) -> FrameResult:
        """Estimate the expressions of the faces found."""
        ...

    def close(self) -> None:
        """Release the model. May be called twice."""
        ...


ProcessorFactory = Callable[[SourceFacts], FrameProcessor]
"""Called in the thread that will use the processor, once the source is open."""
