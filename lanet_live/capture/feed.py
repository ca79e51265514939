"""The capture thread of a live run."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from lanet_live.capture.base import FrameSource, SourceFacts, SourceReport
from lanet_live.capture.mailbox import BoundedQueue, LatestValue, MailboxClosed
from lanet_live.records import Frame

FrameBox = LatestValue[Frame] | BoundedQueue[Frame]
_THREAD_NAME: Final = "lanet-capture"


class CaptureFeed:
    """Reads a source in its own thread and hands the frames over.

    A live source drops what is not taken in time, the oldest first. Any other waits. The gate is
    shut at first: nothing is read before a reader is ready. Shut later, a file stands
    still, while the frames of a live source are read and thrown away, uncounted.

    Args:
        make_source: Makes the source; called in the thread. It gets the stop flag, so that its
            waits end when the feed is stopped.

    Attributes:
        opened: The facts and the box of frames, once the source is open, or why it is not.
        report: What the source reports after reading.
        error: What ended the reading, if it was no normal end. Set before the box is closed.
    """

    def __init__(self, make_source: Callable[[threading.Event], FrameSource]) -> None:
        self.opened: Future[tuple[SourceFacts, FrameBox]] = Future()
        self.report = SourceReport(n_decoded=0)
        self.error: Exception | None = None
        self._make_source = make_source
        self._stop = threading.Event()
        self._gate = threading.Event()
        self._lock = threading.Lock()
        self._frames: FrameBox | None = None
        self._thread = threading.Thread(target=self._run, name=_THREAD_NAME, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def open_gate(self) -> None:
        """Let frames through."""
        self._gate.set()

    def shut_gate(self) -> None:
        """Let no more frames through."""
        self._gate.clear()

    def wake_reader(self) -> None:
        """Let who waits for a frame look up."""
        with self._lock:
            if self._frames is not None:
                self._frames.wake()

    def stop(self) -> None:
        """End the reading and release who waits for a frame. Returns at once."""
        with self._lock:
            self._stop.set()
            if self._frames is not None:
                self._frames.close(discard=True)
        self._gate.set()

    def join(self) -> None:
        """Wait until the source is closed."""
        self._thread.join()

    def _run(self) -> None:
        try:
            source = self._make_source(self._stop)
            try:
                self._read(source)
            finally:
                self.report = source.report()
                source.close()
        except MailboxClosed:
            pass  # Stopped while it handed a frame over.
        except Exception as error:  # noqa: BLE001 - top of a thread; the reader reports it
            self.error = error
            if not self.opened.done():
                self.opened.set_exception(error)
        finally:
            if self._frames is not None:
                self._frames.close()

    def _read(self, source: FrameSource) -> None:
        facts = source.open()
        frames: FrameBox = LatestValue() if facts.is_live else BoundedQueue(1)
        with self._lock:
            self._frames = frames
            if self._stop.is_set():
                frames.close()
        self.opened.set_result((facts, frames))
        self._gate.wait()
        while not self._stop.is_set():
            frame = source.read()
            if frame is None:
                return
            if not facts.is_live:
                self._gate.wait()  # Holding this frame: it must not get lost.
            if self._gate.is_set():
                frames.put(frame)
