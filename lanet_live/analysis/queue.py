"""The queue: one worker thread analyses its items one after the other."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from lanet_engines.errors import EngineError
from lanet_live.analysis.item import AnalysisItem, ItemState
from lanet_live.analysis.item_run import RunItem
from lanet_live.analysis.options import AnalysisOptions
from lanet_live.analysis.queue_file import QueueFile
from lanet_live.analysis.result_folder import create_result_folder
from lanet_live.analysis.run_control import RunControl
from lanet_live.errors import LanetLiveError
from lanet_live.run_summary import RunEnd, RunProgress, RunSummary

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The queue at one moment.

    Attributes:
        items: In order.
        is_going: It is being worked off.
        notice: One sentence if it could not be stored or read; empty otherwise.
    """

    items: tuple[AnalysisItem, ...]
    is_going: bool
    notice: str


class AnalysisQueue:
    """Processes items until paused. Its methods may be called from any thread.

    An item that fails says why and the next one begins. The queue is stored with every change, so
    that it goes on after a restart; what was under way then starts again, in the same folder.

    Args:
        store: Where the queue is kept; read at once.
        run_item: Analyses one item.
        on_change: Called after every change, from the thread that made it.
    """

    def __init__(
        self, store: QueueFile, run_item: RunItem, *, on_change: Callable[[], None]
    ) -> None:
        stored = store.load()
        self._store = store
        self._run_item = run_item
        self._on_change = on_change
        self._changed = threading.Condition()
        self._items = {item.item_id: item for item in stored.items}
        self._was_going = stored.is_going
        self._notice = stored.notice
        self._is_going = False
        self._is_closed = False
        self._current: tuple[str, RunControl] | None = None
        self._worker: threading.Thread | None = None

    def snapshot(self) -> QueueSnapshot:
        """Return the queue as it is now."""
        with self._changed:
            return QueueSnapshot(tuple(self._items.values()), self._is_going, self._notice)

    def resume_last(self) -> bool:
        """Go on if the queue was going when the program ended; returns whether it was."""
        if self._was_going:
            self.start()
        return self.snapshot().is_going

    def add(self, items: Iterable[AnalysisItem]) -> None:
        """Append items; they wait for `start`, or are next if the queue is going."""
        with self._changed:
            self._items.update({item.item_id: item for item in items})
            self._store_it()
        self._on_change()

    def start(self) -> None:
        """Process what is queued, or go on after `pause`."""
        with self._changed:
            if self._is_closed or not self._has_work():
                return
            self._is_going = True
            if self._current is not None:
                item_id, control = self._current
                control.release()
                self._update(item_id, state=ItemState.RUNNING)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="lanet-queue", daemon=True)
                self._worker.start()
            self._store_it()
        self._on_change()

    def pause(self) -> None:
        """Hold the item under way and begin no other."""
        with self._changed:
            self._is_going = False
            if self._current is not None:
                item_id, control = self._current
                control.hold()
                self._update(item_id, state=ItemState.PAUSED)
            self._store_it()
        self._on_change()

    def cancel(self, item_ids: Iterable[str]) -> None:
        """Do not analyse these; one under way ends cleanly and keeps what it wrote."""
        with self._changed:
            for item_id in item_ids:
                item = self._items.get(item_id)
                if item is not None and item.state is ItemState.QUEUED:
                    self._update(item_id, state=ItemState.CANCELLED, reason="Cancelled.")
                self._stop_if_current(item_id)
            self._store_it()
        self._on_change()

    def retry(self, item_ids: Iterable[str]) -> None:
        """Queue finished items again; a good result is kept, a broken one replaced."""
        with self._changed:
            for item_id in item_ids:
                item = self._items.get(item_id)
                if item is not None and item.state.is_over:
                    folder = None if item.state is ItemState.DONE else item.result_folder
                    self._update(
                        item_id,
                        state=ItemState.QUEUED,
                        reason="",
                        progress=None,
                        result_folder=folder,
                    )
            self._store_it()
        self._on_change()

    def remove(self, item_ids: Iterable[str]) -> None:
        """Forget items; their files stay. One under way is ended."""
        with self._changed:
            for item_id in item_ids:
                self._stop_if_current(item_id)
                self._items.pop(item_id, None)
            self._store_it()
        self._on_change()

    def set_options(self, options: dict[str, AnalysisOptions]) -> None:
        """Change the options of items by id; those under way or done keep theirs."""
        with self._changed:
            for item_id, changed in options.items():
                item = self._items.get(item_id)
                if item is not None and is_editable(item):
                    has_moved = changed.out_dir != item.options.out_dir
                    folder = None if has_moved else item.result_folder
                    self._update(item_id, options=changed, result_folder=folder)
            self._store_it()
        self._on_change()

    def close(self) -> None:
        """End the item under way and wait; it is analysed again next time. May be called twice."""
        with self._changed:
            self._is_closed = True
            if self._current is not None:
                self._current[1].stop()
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join()

    # The worker's side ------------------------------------------------------------------------

    def _work(self) -> None:
        while (begun := self._begin_next()) is not None:
            item, control = begun
            try:
                folder = self._folder_for(item)
                summary = self._run_item(item, folder, control, self._reporter(item.item_id))
            except (LanetLiveError, EngineError) as error:
                self._end(item.item_id, ItemState.FAILED, str(error), None)
            except Exception as error:  # top of a thread: the queue must go on
                logger.exception("the analysis of %s broke off", item.path)
                reason = (
                    f"Something went wrong in the program itself ({type(error).__name__}: "
                    f"{error}). The details are in the log."
                )
                self._end(item.item_id, ItemState.FAILED, reason, None)
            else:
                state, reason = _judge(summary)
                self._end(item.item_id, state, reason, summary)

    def _begin_next(self) -> tuple[AnalysisItem, RunControl] | None:
        """Wait for an item and mark it; None when the queue closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._next_queued() is not None)
            item = self._next_queued()
            if self._is_closed or item is None:
                return None
            control = RunControl()
            self._current = (item.item_id, control)
            self._update(item.item_id, state=ItemState.RUNNING, reason="", progress=None)
            self._store_it()
        self._on_change()
        return item, control

    def _folder_for(self, item: AnalysisItem) -> Path:
        folder = item.result_folder or create_result_folder(item)
        with self._changed:
            self._update(item.item_id, result_folder=folder)
            self._store_it()
        return folder

    def _reporter(self, item_id: str) -> Callable[[RunProgress], None]:
        def report(progress: RunProgress) -> None:
            with self._changed:
                self._update(item_id, progress=progress)
            self._on_change()

        return report

    def _end(self, item_id: str, state: ItemState, reason: str, summary: RunSummary | None) -> None:
        with self._changed:
            self._current = None
            if self._is_closed and state is ItemState.CANCELLED:
                state, reason = ItemState.QUEUED, ""
            self._update(item_id, state=state, reason=reason)
            if summary is not None:
                counts = RunProgress(
                    summary.n_analysed, summary.n_with_face, None, summary.elapsed_s
                )
                self._update(item_id, progress=counts)
            if not self._has_work():
                self._is_going = False
            self._store_it()
        self._on_change()

    # With the lock held -----------------------------------------------------------------------

    def _has_work(self) -> bool:
        is_queued = any(item.state is ItemState.QUEUED for item in self._items.values())
        return is_queued or self._current is not None

    def _next_queued(self) -> AnalysisItem | None:
        if not self._is_going:
            return None
        queued = (item for item in self._items.values() if item.state is ItemState.QUEUED)
        return next(queued, None)

    def _stop_if_current(self, item_id: str) -> None:
        if self._current is not None and self._current[0] == item_id:
            self._current[1].stop()

    def _update(self, item_id: str, **changes: object) -> None:
        # An item that was removed meanwhile needs no news.
        if item_id in self._items:
            self._items[item_id] = replace(self._items[item_id], **changes)  # type: ignore[arg-type]

    def _store_it(self) -> None:
        try:
            self._store.save(tuple(self._items.values()), is_going=self._is_going)
            self._notice = ""
        except LanetLiveError as error:
            self._notice = f"The queue will not survive a restart. {error}"
            logger.warning("the queue could not be stored: %s", error)
        self._changed.notify_all()


def is_editable(item: AnalysisItem) -> bool:
    """Whether its options may still change: it is not under way and has no good result."""
    return not item.state.is_under_way and item.state is not ItemState.DONE


def _judge(summary: RunSummary) -> tuple[ItemState, str]:
    if summary.end is RunEnd.COMPLETED:
        return ItemState.DONE, " ".join(summary.warnings)
    kept = "The files hold what was analysed."
    if summary.end is RunEnd.SOURCE_LOST:
        return ItemState.FAILED, f"{summary.partial_reason} {kept}"
    return ItemState.CANCELLED, f"Cancelled. {kept}"
