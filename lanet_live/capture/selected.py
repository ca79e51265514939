"""A part of another source: a span of time, every n-th frame."""

import math
from dataclasses import dataclass, replace

from lanet_live.capture.base import FrameSource, SourceFacts, SourceReport
from lanet_live.errors import ConfigError
from lanet_live.records import Frame


@dataclass(frozen=True, slots=True)
class FrameSelection:
    """Which frames to analyse.

    Attributes:
        start_s: From this time of the source on; None begins at its beginning.
        end_s: Up to, not including, this time; None goes to its end.
        every_n: 1 takes every frame, 5 the first and every fifth after it.
    """

    start_s: float | None = None
    end_s: float | None = None
    every_n: int = 1

    def __post_init__(self) -> None:
        if self.every_n < 1:
            raise ConfigError(f"Every {self.every_n}-th frame cannot be taken; use 1 or more.")
        if not all(math.isfinite(limit) for limit in (self.start_s or 0, self.end_s or 0)):
            raise ConfigError("The limits of the part to analyse must be finite times.")
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise ConfigError(
                f"The part to analyse ends at {self.end_s:g} s, before it starts at "
                f"{self.start_s:g} s."
            )

    @property
    def has_time_limits(self) -> bool:
        """Time decides."""
        return self.start_s is not None or self.end_s is not None


class SelectedSource:
    """Passes on the selected frames; they keep their index and time.

    Every frame up to the end of the part is decoded, so that the indices stay those of the whole
    source; `report` counts them all.

    Args:
        source: Where the frames come from.
        selection: Which to pass on.
    """

    def __init__(self, source: FrameSource, selection: FrameSelection) -> None:
        self._source = source
        self._selection = selection
        self._n_in_span = 0
        self._is_over = False

    def open(self) -> SourceFacts:
        """Open the source.

        Raises:
            ConfigError: Time limits were given for pictures between which no time runs.
            SourceUnavailable: The source cannot be opened.
        """
        facts = self._source.open()
        if facts.has_independent_frames and self._selection.has_time_limits:
            self.close()
            raise ConfigError(
                f"No time runs between the pictures of {facts.source_id}, so no part of it can be "
                "chosen by time."
            )
        return replace(facts, n_frames_expected=self._n_expected(facts))

    def read(self) -> Frame | None:
        """Return the next selected frame, or None at the end of the part."""
        selection = self._selection
        while not self._is_over:
            frame = self._source.read()
            if frame is None or (
                selection.end_s is not None and frame.timestamp_s >= selection.end_s
            ):
                self._is_over = True
                break
            if selection.start_s is not None and frame.timestamp_s < selection.start_s:
                continue
            self._n_in_span += 1
            if (self._n_in_span - 1) % selection.every_n == 0:
                return frame
        return None

    def report(self) -> SourceReport:
        """Report what has happened so far; counts the frames passed over, too."""
        return self._source.report()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _n_expected(self, facts: SourceFacts) -> int | None:
        if facts.n_frames_expected is None:
            return None
        share = 1.0
        if facts.duration_s:
            start_s = max(0.0, self._selection.start_s or 0.0)
            end_s = min(facts.duration_s, self._selection.end_s or facts.duration_s)
            share = max(0.0, end_s - start_s) / facts.duration_s
        return math.ceil(facts.n_frames_expected * share / self._selection.every_n)
