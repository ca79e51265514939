"""The exports under way: one is written at a time, in a thread of its own, and can be stopped."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from lanet_live.gui.review.jobs import BackgroundJobs, Job
from lanet_live.review.export_watch import ExportWatch


@dataclass(frozen=True, slots=True)
class Export:
    """One file to write.

    Attributes:
        path: The file.
        work: Writes it; runs in the worker thread and touches no widget.
        watch: Between the two threads.
    """

    path: Path
    work: Callable[[ExportWatch], Any]
    watch: ExportWatch = field(default_factory=ExportWatch)

    def run(self) -> Any:
        """Write it, unless it was cancelled while it waited."""
        self.watch.check()
        return self.work(self.watch)


class ExportJobs(QObject):
    """Writes exports one after another, beside the saving of edits. Lives in the GUI thread."""

    changed = Signal()
    written = Signal(object, object)  # Path, what the work returned
    failed = Signal(object)  # BaseException

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs = BackgroundJobs(self, thread_name="lanet-export")
        self._open: list[Export] = []

    @property
    def current(self) -> Export | None:
        """What is being written; None for nothing."""
        return self._open[0] if self._open else None

    @property
    def n_waiting(self) -> int:
        """How many come after it."""
        return max(0, len(self._open) - 1)

    def submit(self, path: Path, work: Callable[[ExportWatch], Any]) -> None:
        """Write a file when those before it are written."""
        export = Export(path, work)
        self._open.append(export)
        done, failed = partial(self._on_done, export), partial(self._on_failed, export)
        # Every export is a job of its own, also one to the same path.
        self._jobs.submit(Job(f"export {id(export)}", export.run, done, failed))
        self.changed.emit()

    def cancel(self) -> None:
        """Stop what is being written."""
        if self.current is not None:
            self.current.watch.cancel()

    def close(self) -> None:
        """Stop everything and wait for the thread."""
        for export in self._open:
            export.watch.cancel()
        self._jobs.close()

    def _on_done(self, export: Export, outcome: Any) -> None:
        self._forget(export)
        self.written.emit(export.path, outcome)

    def _on_failed(self, export: Export, error: BaseException) -> None:
        self._forget(export)
        self.failed.emit(error)

    def _forget(self, export: Export) -> None:
        self._open.remove(export)
        self.changed.emit()
