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
def capture_native_stderr() -> Iterator[None]:
    """Collect what native code writes to stderr inside the block and pass it to the log.

    MediaPipe's C++ log offers no level to set, and every line it prints on a good run comes while
    a task is created; its failures come back as exceptions. So only the creation is wrapped. What
    was written is logged: errors as warnings, the rest at DEBUG.
    """
    with _redirection, tempfile.TemporaryFile() as captured:
        try:
            saved_fd = os.dup(_STDERR_FD)
        except (
            OSError
        ):  # No stderr at all, e.g. a windowed program on Windows: nothing to keep off.
            yield
            return
        try:
            os.dup2(captured.fileno(), _STDERR_FD)
            yield
        finally:
            os.dup2(saved_fd, _STDERR_FD)
            os.close(saved_fd)
            captured.seek(0)
            _log_lines(captured.read().decode("utf-8", "replace"))


def _log_lines(text: str) -> None:
    for line in text.splitlines():
        # Google's log format: the first letter is the level (I, W, E, F), then month and day.
        is_error = line[:1] in ("E", "F") and line[1:5].isdigit()
        logger.log(logging.WARNING if is_error else logging.DEBUG, "MediaPipe: %s", line)
