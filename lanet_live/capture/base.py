"""What every source of frames offers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from lanet_live.records import Frame

DetailValue = str | float | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is known of a source once it is open; goes into the metadata.

    Attributes:
        source_id: Short name, e.g. the file's name; equals `Frame.source_id`, except that a frame
            of a picture folder carries the name of its picture.
        kind: "camera", "video", "images" or "synthetic".
        width_px: Of the upright, square-pixel picture as delivered.
        height_px: Likewise.
        nominal_fps: Average rate as the container or camera states it; None when unknown.
        n_frames_expected: For the progress bar; a hint, not a promise; None when unknown.
        duration_s: As the container states it; None when unknown.
        is_live: Frames are lost if nobody reads; a file waits instead.
        has_independent_frames: Pictures of a folder: no time runs between them.
        details: More facts worth recording, e.g. codec, rotation, pixel aspect ratio.
    """

    source_id: str
    kind: str
    width_px: int
    height_px: int
    nominal_fps: float | None
    n_frames_expected: int | None
    duration_s: float | None
    is_live: bool
    has_independent_frames: bool
    details: dict[str, DetailValue]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What happened while a source was read.

    Attributes:
        n_decoded: Frames decoded so far, handed out or passed over.
        details: More facts for the metadata, known only after reading; empty values are left out.
        warnings: One sentence for each thing that was lost or made up without ending the reading.
    """

    n_decoded: int
    details: dict[str, DetailValue] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class FrameSource(Protocol):
    """A source of frames: constructed cheaply, opened, read and closed in one thread.

    Images are C-contiguous and not writeable. A source is opened once.
    """

    def open(self) -> SourceFacts:
        """Open the source.

        Raises:
            SourceUnavailable: With one sentence: what, which file or device, what to do.
        """
        ...

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end.

        Raises:
            SourceLost: The source broke off; the frames read so far are good.
        """
        ...

    def report(self) -> SourceReport:
        """Report what has happened so far; complete after the last `read`, kept after `close`."""
        ...

    def close(self) -> None:
        """Release the source. May be called twice."""
        ...


SourceFactory = Callable[[], FrameSource]
