"""A lock between processes that the operating system releases when its holder dies.

Not the package filelock: it asks 20 times a second where the system can wake the waiting process.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, wait: bool) -> bool:
        while True:
            try:
                # LK_LOCK tries once a second for ten seconds, then raises.
                msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    return False
            else:
                return True
else:
    import fcntl

    def _lock(descriptor: int, *, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def hold_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock named by a file; the file stays behind, empty.

    Args:
        path: The lock file, in an existing folder.
        wait: Wait until the lock is free; otherwise give up at once.

    Yields:
        Whether the lock is held; always True when waiting.
    """
    descriptor, is_held = _open_and_lock(path, wait=wait)
    try:
        yield is_held
    finally:
        os.close(descriptor)


def _open_and_lock(path: Path, *, wait: bool) -> tuple[int, bool]:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            is_held = _lock(descriptor, wait=wait)
            if not is_held or _is_same_file(descriptor, path):
                return descriptor, is_held
        except BaseException:
            os.close(descriptor)
            raise
        # Someone cleared the cache while we waited: lock the file that is there now.
        os.close(descriptor)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
