"""Bring a camera back that vanished."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from lanet_live.capture.base import FrameSource, SourceFactory, SourceFacts, SourceReport
from lanet_live.errors import SourceLost, SourceUnavailable
from lanet_live.records import Frame

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """How a lost camera is tried again.

    Attributes:
        first_delay_s: Before the first attempt; doubled after each.
        max_delay_s: No delay is longer.
        max_attempts: Then it is given up. The default tries for about ten minutes.
    """

    first_delay_s: float = 0.5
    max_delay_s: float = 8.0
    max_attempts: int = 80


class ReconnectingSource:
    """Opens a live source again when it is lost; time and numbering go on.

    The time of the loss stays in the time stamps as a gap. Sources that are not live are lost for
    good, as their end would be.

    Args:
        factory: Makes the source, and makes it anew for every attempt.
        policy: How long to try.
        stop: Set it from any thread to give up at once.
        on_lost: Called with the reason, in the reading thread.
        on_back: Called when frames come again.
    """

    def __init__(
        self,
        factory: SourceFactory,
        policy: ReconnectPolicy,
        *,
        stop: threading.Event,
        on_lost: Callable[[str], None],
        on_back: Callable[[], None],
    ) -> None:
        self._factory = factory
        self._policy = policy
        self._stop = stop
        self._on_lost = on_lost
        self._on_back = on_back
        self._source: FrameSource | None = None
        self._is_live = False
        self._zero_s: float | None = None  # perf_counter() at time 0 of the first connection
        self._next_index = 0
        self._n_before = 0
        self._n_losses = 0

    def open(self) -> SourceFacts:
        """Open the source; the first time there is no second attempt."""
        self._source = self._factory()
        facts = self._source.open()
        self._is_live = facts.is_live
        return facts

    def read(self) -> Frame | None:
        """Return the next frame; None at the end, or when `stop` was set while it was away.

        Raises:
            SourceLost: It is no live source, or did not come back.
        """
        while self._source is not None:
            try:
                frame = self._source.read()
            except SourceLost as error:
                if not self._is_live:
                    raise
                self._reconnect(error)
                continue
            return None if frame is None else self._continue_numbering(frame)
        return None

    def report(self) -> SourceReport:
        """Report what has happened so far, over all connections."""
        report = self._source.report() if self._source else SourceReport(n_decoded=0)
        report = replace(report, n_decoded=self._n_before + report.n_decoded)
        if not self._n_losses:
            return report
        sentence = f"Losses of the camera: {self._n_losses}; its absence is a gap in the times."
        return replace(
            report,
            details={**report.details, "n_losses": self._n_losses},
            warnings=(*report.warnings, sentence),
        )

    def close(self) -> None:
        """Close the source. May be called twice."""
        if self._source is not None:
            self._source.close()

    def _reconnect(self, lost: SourceLost) -> None:
        self._n_losses += 1
        self._on_lost(str(lost))
        delay_s = self._policy.first_delay_s
        self._drop_source()
        for _ in range(self._policy.max_attempts):
            if self._stop.wait(delay_s):
                return
            delay_s = min(2 * delay_s, self._policy.max_delay_s)
            source = self._factory()
            try:
                source.open()
            except SourceUnavailable as error:
                logger.info("The camera is still away: %s", error)
                source.close()
                continue
            self._source = source
            self._on_back()
            return
        raise SourceLost(f"{lost} It did not come back.") from lost

    def _drop_source(self) -> None:
        if self._source is not None:
            self._n_before += self._source.report().n_decoded
            self._source.close()
        self._source = None

    def _continue_numbering(self, frame: Frame) -> Frame:
        if self._zero_s is None:
            self._zero_s = frame.captured_at_s - frame.timestamp_s
        if self._n_losses:
            frame = replace(
                frame, index=self._next_index, timestamp_s=frame.captured_at_s - self._zero_s
            )
        self._next_index = frame.index + 1
        return frame
