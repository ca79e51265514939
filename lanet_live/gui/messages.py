"""Messages of the window, and how unhandled exceptions are shown."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from PySide6.QtCore import QObject, Qt, Signal

from lanet_engines.errors import EngineError
from lanet_live.errors import LanetLiveError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence for the user.

    Attributes:
        level: "info", "warning" or "error".
        text: What happened, and what to do.
        action_text: Caption of a button beside it; empty for none.
        on_action: Called when that button is pressed.
        timeout_s: Goes away by itself after this long; None stays until dismissed.
    """

    level: str
    text: str
    action_text: str = ""
    on_action: Callable[[], None] | None = None
    timeout_s: float | None = None


class UncaughtErrors(QObject):
    """Shows unhandled exceptions in the window instead of ending the program."""

    caught = Signal(str)

    def install(self) -> None:
        """Become `sys.excepthook`."""
        sys.excepthook = self._on_error

    def _on_error(
        self,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        logger.error("uncaught error", exc_info=(kind, error, trace))
        self.caught.emit(describe_error(error))

    def connect_to(self, slot: Callable[[str], None]) -> None:
        """Deliver the sentence to a slot in the GUI thread, from whatever thread it came."""
        self.caught.connect(slot, Qt.ConnectionType.QueuedConnection)


def describe_error(error: BaseException) -> str:
    """Return a sentence: the project's own errors speak for themselves, others are a bug."""
    if isinstance(error, LanetLiveError | EngineError):
        return str(error)
    return (
        f"Something went wrong in the program itself ({type(error).__name__}: {error}). "
        "What is recorded so far is kept; the details are in the log."
    )
