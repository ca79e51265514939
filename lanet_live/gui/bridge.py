"""The only crossing from the worker's thread to the GUI thread.

Signals carry wake-ups only; at most one is pending however slow the GUI is. Pictures that were not
fetched in time are replaced by newer ones and counted; the small estimates all arrive, so that the
timeline has no holes when the display was busy.
"""

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, Signal

from lanet_live.records import ExpressionEstimate, FrameResult

# Some minutes of several faces: only reached when the GUI is blocked.
_MAX_WAITING_MOMENTS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Moment:
    """What was estimated on one frame, without its picture.

    Attributes:
        index: Of the frame.
        timestamp_s: Of the frame, in the source's time; its index where there is no time.
        estimates: One per face.
        dropped_before: Frames of the source lost just before it.
    """

    index: int
    timestamp_s: float
    estimates: tuple[ExpressionEstimate, ...]
    dropped_before: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything that arrived since the last fetch.

    Attributes:
        newest: The newest result with its picture; None when there is no new one.
        moments: Every frame since, oldest first.
        events: The runner's events, oldest first.
        n_unseen: Pictures replaced by a newer one before they were fetched.
    """

    newest: FrameResult | None
    moments: tuple[Moment, ...]
    events: tuple[object, ...]
    n_unseen: int


class QtBridge(QObject):
    """A sink whose reader is the GUI. Connect `woken` with a queued connection."""

    woken = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._newest: FrameResult | None = None
        self._moments: deque[Moment] = deque(maxlen=_MAX_WAITING_MOMENTS)
        self._events: list[object] = []
        self._n_unseen = 0
        self._is_wake_pending = False
        self._is_closed = False

    def write(self, result: FrameResult) -> None:
        """Take one result; called in the worker thread."""
        frame = result.frame
        # Single pictures have no time; they follow each other one a second, as they are played.
        time_s = frame.timestamp_s if math.isfinite(frame.timestamp_s) else float(frame.index)
        moment = Moment(frame.index, time_s, result.estimates, result.dropped_before)
        with self._lock:
            self._n_unseen += self._newest is not None
            self._newest = result
            self._moments.append(moment)
        self._wake()

    def post(self, event: object) -> None:
        """Take one of the runner's events; called in any thread."""
        with self._lock:
            self._events.append(event)
        self._wake()

    def close(self) -> None:
        """Finish as a sink; the reader may still fetch what is here."""

    def shut(self) -> None:
        """Emit no further wake-up; called in the GUI thread before the window goes."""
        with self._lock:
            self._is_closed = True

    def fetch(self) -> Delivery:
        """Return what arrived since the last call; called in the GUI thread."""
        with self._lock:
            delivery = Delivery(
                self._newest, tuple(self._moments), tuple(self._events), self._n_unseen
            )
            self._newest, self._n_unseen = None, 0
            self._moments.clear()
            self._events.clear()
            self._is_wake_pending = False
        return delivery

    def _wake(self) -> None:
        with self._lock:
            if self._is_wake_pending or self._is_closed:
                return
            self._is_wake_pending = True
        self.woken.emit()
