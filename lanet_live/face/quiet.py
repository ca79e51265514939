"""Keep MediaPipe's start-up chatter off the user's terminal without losing it."""

import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

_STDERR_FD = 2
# File descriptor 2 belongs to the whole process: one redirection at a time.
_redirection = threading.Lock()


@contextmanager
def capture_native_stderr() -> Iterator[list[str]]:
    """Collect what native code writes to stderr inside the block and pass it to the log.

    MediaPipe's C++ log offers no level to set; its failures come back as exceptions. The calls that
    chatter on a good run are wrapped: creating and closing a task, and a detector's first pictures.
    What was written is logged: errors as warnings, the rest at DEBUG.

    Yields:
        A list that holds the lines once the block has ended.
    """
    lines: list[str] = []
    with _redirection, tempfile.TemporaryFile() as captured:
        try:
            saved_fd = os.dup(_STDERR_FD)
        except OSError:
            # No stderr at all, e.g. a windowed program on Windows: nothing to keep off.
            yield lines
            return
        try:
            os.dup2(captured.fileno(), _STDERR_FD)
            yield lines
        finally:
            os.dup2(saved_fd, _STDERR_FD)
            os.close(saved_fd)
            captured.seek(0)
            lines += captured.read().decode("utf-8", "replace").splitlines()
            _log(lines)


def _log(lines: list[str]) -> None:
    for line in lines:
        # Google's log format: the first letter is the level (I, W, E, F), then month and day.
        is_error = line[:1] in ("E", "F") and line[1:5].isdigit()
        logger.log(logging.WARNING if is_error else logging.DEBUG, "MediaPipe: %s", line)
