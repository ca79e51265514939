"""Runs long work outside the GUI thread, one job after another, and brings the outcome back."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do.

    Attributes:
        key: A waiting job is replaced by a newer one with the same key.
        work: Runs in the worker thread; touches no widget.
        on_done: Takes what it returned, in the GUI thread.
        on_failed: Takes what it raised, in the GUI thread.
    """

    key: str
    work: Callable[[], Any]
    on_done: Callable[[Any], None]
    on_failed: Callable[[BaseException], None]


class BackgroundJobs(QObject):
    """One worker thread, started with the first job. Lives in the GUI thread."""

    busy_changed = Signal(bool)
    _woken = Signal()

    def __init__(self, parent: QObject | None = None, *, thread_name: str = "lanet-review") -> None:
        super().__init__(parent)
        self._thread_name = thread_name
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, Job] = OrderedDict()
        self._outcomes: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._n_open = 0
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)

    def submit(self, job: Job) -> None:
        """Do a job when those before it are done."""
        with self._changed:
            if self._is_closed:
                return
            if self._waiting.pop(job.key, None) is None:
                self._n_open += 1
            self._waiting[job.key] = job
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._thread_name, daemon=True)
            self._thread.start()
        self.busy_changed.emit(True)

    def close(self) -> None:
        """Finish what waits and end the thread; outcomes are no longer reported."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                outcome = job.work()
            except Exception as error:  # noqa: BLE001 -- the top of a thread: reported to the user
                self._tell(job.on_failed, error)
            else:
                self._tell(job.on_done, outcome)

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._is_closed)
            return self._waiting.popitem(last=False)[1] if self._waiting else None

    def _tell(self, receiver: Callable[[Any], None], value: Any) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._outcomes.put(lambda: receiver(value))
            self._woken.emit()

    def _on_woken(self) -> None:
        try:
            tell = self._outcomes.get_nowait()
        except Empty:
            return
        if not self._is_closed:
            self._n_open -= 1
            if self._n_open == 0:
                self.busy_changed.emit(False)
            tell()
