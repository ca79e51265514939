"""How far an export is, and the wish to stop it; shared by who writes and who waits."""

import threading

from lanet_live.errors import LanetLiveError


class ExportCancelled(LanetLiveError):
    """The user stopped an export; nothing of it is left."""


class ExportWatch:
    """Receives the progress of an export, and says whether to go on. Used by two threads."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._share: float | None = None

    @property
    def share(self) -> float | None:
        """How much is done, 0 to 1; None while that is not known."""
        return self._share

    @property
    def is_cancelled(self) -> bool:
        """Whether the export is to be stopped."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Let the export stop at its next step."""
        self._cancelled.set()

    def step(self, n_done: int, n_total: int) -> None:
        """Report the progress.

        Raises:
            ExportCancelled: It is to be stopped.
        """
        self._share = n_done / n_total if n_total else None
        self.check()

    def finish(self) -> None:
        """Report that what remains, such as closing a file, cannot be measured.

        Raises:
            ExportCancelled: It is to be stopped.
        """
        self._share = None
        self.check()

    def check(self) -> None:
        """Go on, or not.

        Raises:
            ExportCancelled: It is to be stopped.
        """
        if self.is_cancelled:
            raise ExportCancelled("The export was cancelled; nothing of it was kept.")
