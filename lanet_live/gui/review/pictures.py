"""Decodes the picture of a moment in a thread of its own; only the newest wish counts."""

import threading
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from lanet_live.capture.mailbox import LatestValue, MailboxClosed
from lanet_live.errors import LanetLiveError
from lanet_live.records import Frame
from lanet_live.review.seekable_video import SeekableVideo


@dataclass(frozen=True, slots=True)
class Picture:
    """What was found.

    Attributes:
        asked_s: The moment asked for, in the table's time.
        frame: On show at that moment; None if the video has none there.
        error: Why there is none; empty otherwise.
    """

    asked_s: float
    frame: Frame | None
    error: str = ""


class PictureLoader(QObject):
    """Opens one video and hands out its pictures. Lives in the GUI thread."""

    loaded = Signal(object)  # Picture
    _woken = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wishes: LatestValue[float] | None = None
        self._found: LatestValue[Picture] = LatestValue()
        self._thread: threading.Thread | None = None
        self._is_waiting = False
        self._asked_s = 0.0
        self._woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)

    @property
    def has_video(self) -> bool:
        """Whether there is a video to ask for."""
        return self._wishes is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a picture that was asked for has not come yet."""
        return self._is_waiting

    def open(self, path: Path, *, shift_s: float) -> None:
        """Use a video from now on.

        Args:
            path: The file.
            shift_s: Moment in the video less moment in the table.
        """
        self.close()
        wishes: LatestValue[float] = LatestValue()
        found: LatestValue[Picture] = LatestValue()
        self._wishes, self._found = wishes, found
        self._thread = threading.Thread(
            target=self._work,
            args=(path, shift_s, wishes, found),
            name="lanet-pictures",
            daemon=True,
        )
        self._thread.start()

    def ask(self, time_s: float) -> None:
        """Ask for the picture of a moment in the table's time; it comes with `loaded`."""
        if self._wishes is not None:
            self._is_waiting, self._asked_s = True, time_s
            self._wishes.put(time_s)

    def close(self) -> None:
        """Stop using the video and wait for the thread."""
        wishes, self._wishes = self._wishes, None
        if wishes is not None and self._thread is not None:
            wishes.close(discard=True)
            self._thread.join()
        self._is_waiting = False
        self._found = LatestValue()

    def _work(
        self,
        path: Path,
        shift_s: float,
        wishes: LatestValue[float],
        found: LatestValue[Picture],
    ) -> None:
        video = SeekableVideo(path)
        try:
            error = ""
            try:
                video.open()
            except LanetLiveError as reason:
                error = str(reason)
            for asked_s in wishes:
                picture = Picture(asked_s, None, error) if error else _look(video, asked_s, shift_s)
                if found.put(picture):
                    self._woken.emit()
        except MailboxClosed:
            pass
        finally:
            video.close()

    def _on_woken(self) -> None:
        picture = self._found.take(timeout_s=0)
        if picture is not None and self._wishes is not None:
            self._is_waiting = picture.asked_s != self._asked_s
            self.loaded.emit(picture)


def _look(video: SeekableVideo, asked_s: float, shift_s: float) -> Picture:
    try:
        return Picture(asked_s, video.read_at(asked_s + shift_s))
    except LanetLiveError as error:
        return Picture(asked_s, None, str(error))
