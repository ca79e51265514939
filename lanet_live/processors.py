"""How the processors of the machine are shared between the networks that run at the same time."""

import os
from typing import Final

# So small a network as the tracker's gains nothing from more.
_MOST_TRACKER_THREADS: Final = 4


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_threads(n_processors: int) -> tuple[int, int]:
    """Split processors between the tracker and the expression model, which work side by side.

    Each has its own, at least one: two runtimes that both take all processors make each other wait,
    and on two processors cost a third more of their time.

    Returns:
        Threads of the tracker, threads of the expression model.
    """
    tracker = max(1, min(n_processors // 2, _MOST_TRACKER_THREADS))
    return tracker, max(1, n_processors - tracker)
