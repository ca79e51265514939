"""The playhead: where it is, and how it moves by itself."""

import time
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from lanet_live.gui.review.document import ReviewDocument
from lanet_live.gui.review.pictures import PictureLoader

SPEEDS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
_TICK_MS: Final = 16


class Player(QObject):
    """Moves the playhead from frame to frame, never ahead of the picture."""

    moved = Signal(float)
    changed = Signal()  # playing or speed

    def __init__(self, document: ReviewDocument, pictures: PictureLoader, parent: QObject) -> None:
        super().__init__(parent)
        self._document = document
        self._pictures = pictures
        self._time_s = 0.0
        self._speed = 1.0
        self._began_s = 0.0  # of the clock
        self._began_at_s = 0.0  # of the recording
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._on_tick)

    @property
    def time_s(self) -> float:
        """Moment of the frame on show."""
        return self._time_s

    @property
    def is_playing(self) -> bool:
        """Whether it moves by itself."""
        return self._timer.isActive()

    @property
    def speed(self) -> float:
        """1 is the recording's own."""
        return self._speed

    def seek(self, time_s: float) -> None:
        """Go to the frame closest to a moment."""
        self._go(self._document.frame_near(time_s))
        self._restart_clock()

    def step(self, n_frames: int) -> None:
        """Go some frames ahead, or back."""
        self.hold()
        self._go(self._document.frame_beside(self._time_s, n_frames))

    def toggle(self) -> None:
        """Play, or hold; at the end, play from the beginning."""
        if self.is_playing:
            self.hold()
        elif self._document.recording is not None:
            if self._time_s >= self._document.span_s[1]:
                self._go(self._document.span_s[0])
            self._restart_clock()
            self._timer.start()
            self.changed.emit()

    def hold(self) -> None:
        """Stop moving."""
        if self.is_playing:
            self._timer.stop()
            self.changed.emit()

    def set_speed(self, speed: float) -> None:
        """Play at one of `SPEEDS`."""
        if speed != self._speed:
            self._speed = speed
            self._restart_clock()
            self.changed.emit()

    def slower(self) -> None:
        """Take the next lower speed."""
        self.set_speed(SPEEDS[max(0, SPEEDS.index(self._speed) - 1)])

    def faster(self) -> None:
        """Take the next higher speed."""
        self.set_speed(SPEEDS[min(len(SPEEDS) - 1, SPEEDS.index(self._speed) + 1)])

    def _on_tick(self) -> None:
        if self._pictures.is_waiting:
            return
        now_s = self._began_at_s + (time.perf_counter() - self._began_s) * self._speed
        last_s = self._document.span_s[1]
        self._go(self._document.frame_at_or_before(min(now_s, last_s)))
        if now_s >= last_s:
            self.hold()

    def _go(self, time_s: float) -> None:
        if time_s != self._time_s:
            self._time_s = time_s
            self.moved.emit(time_s)

    def _restart_clock(self) -> None:
        self._began_s, self._began_at_s = time.perf_counter(), self._time_s
