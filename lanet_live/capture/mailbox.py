"""Hand values from one thread to another: the newest only, or every one in order."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class MailboxClosed(Exception):
    """The box is closed: no more values arrive, or none are read."""


class Mailbox(Generic[T]):
    """What both kinds of box share: the reading side, waking and closing."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._content: deque[T] = deque()
        self._is_closed = False
        self._is_woken = False
        self._n_dropped_since_take = 0

    def take(self, timeout_s: float | None = None) -> T | None:
        """Wait for the oldest value and remove it; None on timeout or when `wake` was called.

        Raises:
            MailboxClosed: The box is closed and empty.
        """
        taken = self.take_counted(timeout_s)
        return None if taken is None else taken[0]

    def take_counted(self, timeout_s: float | None = None) -> tuple[T, int] | None:
        """Take a value together with the number dropped since the one taken before it.

        Raises:
            MailboxClosed: The box is closed and empty.
        """
        with self._changed:
            if not self._wait_for_value(timeout_s):
                return None
            n_dropped, self._n_dropped_since_take = self._n_dropped_since_take, 0
            return self._content.popleft(), n_dropped

    def __iter__(self) -> Iterator[T]:
        """Take values, waiting for each, until the box is closed and empty."""
        while True:
            try:
                value = self.take()
            except MailboxClosed:
                return
            if value is not None:
                yield value

    def wake(self) -> None:
        """Let the reader that waits now, or the next one to wait, return without a value."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def close(self, *, discard: bool = False) -> None:
        """Accept no more values and release every waiting thread. May be called twice.

        Args:
            discard: Also forget the values inside; otherwise they can still be taken.
        """
        with self._changed:
            self._is_closed = True
            if discard:
                self._content.clear()
            self._changed.notify_all()

    def _wait_for_value(self, timeout_s: float | None) -> bool:
        """Wait with the lock held; whether there is a value and the sender may be released."""
        self._changed.wait_for(
            lambda: bool(self._content) or self._is_closed or self._is_woken, timeout_s
        )
        self._is_woken = False
        if self._content:
            self._changed.notify_all()
            return True
        if self._is_closed:
            raise MailboxClosed
        return False


class LatestValue(Mailbox[T]):
    """A mailbox for one value: a new value replaces an unread one, and the loss is counted.

    Every value put is taken, dropped, or still inside.
    """

    def __init__(self) -> None:
        super().__init__()
        self._n_dropped = 0

    @property
    def n_dropped(self) -> int:
        """Values replaced before anybody took them."""
        with self._changed:
            return self._n_dropped

    def put(self, value: T) -> bool:
        """Store a value; True if the box was empty, so that its reader needs one wake-up.

        A closed box ignores the value and returns False.
        """
        with self._changed:
            if self._is_closed:
                return False
            was_empty = not self._content
            if not was_empty:
                self._n_dropped += 1
                self._n_dropped_since_take += 1
            self._content.clear()
            self._content.append(value)
            self._changed.notify_all()
            return was_empty


class BoundedQueue(Mailbox[T]):
    """A queue that loses nothing: the sender waits while it is full.

    Args:
        size: Values it holds at most.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a queue holds at least one value, not {size}")
        super().__init__()
        self._size = size

    def put(self, value: T) -> None:
        """Append a value, waiting while the queue is full.

        Raises:
            MailboxClosed: The queue is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._content) < self._size or self._is_closed)
            if self._is_closed:
                raise MailboxClosed
            self._content.append(value)
            self._changed.notify_all()
