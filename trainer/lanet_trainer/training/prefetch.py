"""Make items in a thread, a few ahead of their use."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Prefetcher(Generic[Item]):
    """Runs an iterator in a thread of its own and hands out what it yields, in order.

    Use it as a context manager: leaving the block ends the thread, also when it was left early.
    """

    def __init__(self, items: Iterator[Item], *, depth: int = 3) -> None:
        self._items = items
        self._depth = depth
        self._ready: deque[Item] = deque()
        self._changed = threading.Condition()
        self._is_over = False
        self._is_stopped = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="lanet-loader-0", daemon=True)

    def __enter__(self) -> "Prefetcher[Item]":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._is_over)
                if not self._ready:
                    break
                item = self._ready.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._is_stopped or len(self._ready) < self._depth
                    )
                    if self._is_stopped:
                        break
                    self._ready.append(item)
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - a thread's top: raised again by the reader
            self._error = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()
