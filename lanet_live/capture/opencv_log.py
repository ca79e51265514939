"""Keep OpenCV's own messages off the user's terminal."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Silence OpenCV's log inside the block; what failed shows in what its calls return.

    The level belongs to the whole process: other threads are silenced for that moment too.
    """
    from cv2.utils import logging as cv_logging

    level = cv_logging.getLogLevel()
    cv_logging.setLogLevel(cv_logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv_logging.setLogLevel(level)
