"""Holds and stops a run from another thread."""

import threading
import time

from lanet_live.records import FrameResult


class RunControl:
    """A sink that pauses the run: while held, `write` blocks.

    The queues between the stages of a run are small, so all of it stands still within a few frames.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_held = False
        self._is_stopping = False
        self._waited_s = 0.0
        self._waiting_since_s: float | None = None

    @property
    def waited_s(self) -> float:
        """How long the run has been paused so far."""
        with self._changed:
            since_s = self._waiting_since_s
            return self._waited_s + (0.0 if since_s is None else time.perf_counter() - since_s)

    def hold(self) -> None:
        """Pause the run."""
        with self._changed:
            self._is_held = True

    def release(self) -> None:
        """Let it go on."""
        with self._changed:
            self._is_held = False
            self._changed.notify_all()

    def stop(self) -> None:
        """Let it end cleanly, held or not."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def should_stop(self) -> bool:
        """Whether it is to end."""
        with self._changed:
            return self._is_stopping

    def write(self, _result: FrameResult) -> None:
        """Return at once, or when the run may go on; called in the run's thread."""
        with self._changed:
            if self._is_held and not self._is_stopping:
                self._waiting_since_s = began_s = time.perf_counter()
                self._changed.wait_for(lambda: self._is_stopping or not self._is_held)
                self._waiting_since_s = None
                self._waited_s += time.perf_counter() - began_s

    def close(self) -> None:
        """Finish as a sink."""
