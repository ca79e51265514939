"""The way from the queue's thread to the GUI thread: a wake-up, at most one pending."""

import threading

from PySide6.QtCore import QObject, Signal


class WakeUp(QObject):
    """Connect `woken` with a queued connection; the receiver calls `rearm`, then looks."""

    woken = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._is_pending = False
        self._is_shut = False

    def wake(self) -> None:
        """Say that something changed; called in any thread."""
        with self._lock:
            if self._is_pending or self._is_shut:
                return
            self._is_pending = True
        self.woken.emit()

    def rearm(self) -> None:
        """Let the next change wake again."""
        with self._lock:
            self._is_pending = False

    def shut(self) -> None:
        """Emit no further wake-up."""
        with self._lock:
            self._is_shut = True
