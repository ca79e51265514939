"""The sinks of a live run: one that fails is switched off, the others go on."""

import logging
from collections.abc import Callable, Iterable

from lanet_live.errors import LanetLiveError
from lanet_live.records import FrameResult
from lanet_live.sinks.base import ResultSink

logger = logging.getLogger(__name__)


class SinkBoard:
    """Writes each result to every sink. Used by one thread.

    Args:
        sinks: At the start.
        on_failed: Called with one sentence when a sink was switched off.
    """

    def __init__(self, sinks: Iterable[ResultSink], on_failed: Callable[[str], None]) -> None:
        self._sinks = list(sinks)
        self._on_failed = on_failed

    def add(self, sink: ResultSink) -> None:
        """Write to this sink, too, from the next result on."""
        self._sinks.append(sink)

    def remove(self, sink: ResultSink) -> None:
        """Write to this sink no more and close it. One that is not here is left alone."""
        if sink in self._sinks:
            self._sinks.remove(sink)
            self._close(sink)

    def write(self, result: FrameResult) -> None:
        """Write a result to every sink."""
        for sink in tuple(self._sinks):
            try:
                sink.write(result)
            except Exception as error:  # noqa: BLE001 - one sink's failure must not end the run
                self._sinks.remove(sink)
                self._report(sink, error)
                self._close(sink)

    def close(self) -> None:
        """Close every sink and forget them."""
        sinks, self._sinks = self._sinks, []
        for sink in sinks:
            self._close(sink)

    def _close(self, sink: ResultSink) -> None:
        try:
            sink.close()
        except Exception as error:  # noqa: BLE001 - the other sinks must still be closed
            self._report(sink, error)

    def _report(self, sink: ResultSink, error: Exception) -> None:
        if isinstance(error, LanetLiveError):
            logger.warning("a sink was switched off: %s", error)
            self._on_failed(str(error))
            return
        name = type(sink).__name__
        logger.error("%s failed", name, exc_info=error)
        self._on_failed(f"{name} failed and was switched off ({type(error).__name__}: {error}).")
