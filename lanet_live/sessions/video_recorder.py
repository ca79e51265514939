"""Stores the pictures of a session in a thread of its own, so that encoding delays no result."""

import queue
import threading
from pathlib import Path
from typing import Final

from lanet_live.errors import LanetLiveError, SinkError
from lanet_live.records import FrameResult, U8Array
from lanet_live.sessions.blur import FaceBlur
from lanet_live.sinks.mp4 import Mp4Writer

# Half a second of pictures; more would only be memory.
_MAX_WAITING: Final = 15
_CLOSE_TIMEOUT_S: Final = 20.0
_PUT_TIMEOUT_S: Final = 10.0


class VideoRecorder:
    """Encodes the frames of results; a camera's frames are left out and counted when it is late.

    Args:
        path: The MP4.
        is_blurred: Make faces unrecognisable first.
        may_wait: A file waits for the encoder; a camera does not.
    """

    def __init__(self, path: Path, *, is_blurred: bool, may_wait: bool) -> None:
        self._path = path
        self._blur = FaceBlur() if is_blurred else None
        self._may_wait = may_wait
        self._waiting: queue.Queue[FrameResult | None] = queue.Queue(_MAX_WAITING)
        self._error: LanetLiveError | None = None
        self.n_written = 0
        self.n_dropped = 0
        self._thread = threading.Thread(target=self._work, name="lanet-recorder", daemon=True)
        self._thread.start()

    def write(self, result: FrameResult) -> None:
        """Hand over one frame.

        Raises:
            SinkError: An earlier frame could not be stored.
        """
        if self._error is not None:
            raise SinkError(str(self._error)) from self._error
        try:
            self._waiting.put(result, block=self._may_wait, timeout=_PUT_TIMEOUT_S)
        except queue.Full:
            self.n_dropped += 1

    def close(self) -> None:
        """Store what waits and finish the file. May be called twice.

        Raises:
            SinkError: A frame could not be stored; those before it are kept.
        """
        if self._thread.is_alive():
            self._waiting.put(None, timeout=_CLOSE_TIMEOUT_S)
            self._thread.join(_CLOSE_TIMEOUT_S)
        if self._error is not None:
            raise SinkError(str(self._error)) from self._error

    def _work(self) -> None:
        """Run in the thread until the end mark; after an error, only empty the queue."""
        writer: Mp4Writer | None = None
        try:
            while (result := self._waiting.get()) is not None:
                if self._error is None:
                    writer = self._store(writer, result)
        finally:
            if writer is not None:
                self._finish(writer)

    def _store(self, writer: Mp4Writer | None, result: FrameResult) -> Mp4Writer | None:
        picture: U8Array = self._blur.apply(result) if self._blur else result.frame.image_bgr
        try:
            if writer is None:
                writer = Mp4Writer(self._path, picture.shape, overwrite=False)
            writer.append(picture, result.frame.timestamp_s)
            self.n_written += 1
        except LanetLiveError as error:
            self._error = error
        return writer

    def _finish(self, writer: Mp4Writer) -> None:
        try:
            writer.close()
        except LanetLiveError as error:
            self._error = self._error or error
