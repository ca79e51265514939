"""The picture, letterboxed and sharp on every screen, with the overlays of that very frame."""

import time
from collections import deque
from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lanet_live.gui.readings import FaceReading
from lanet_live.gui.widgets.overlay import Overlays, Placement, draw_overlays
from lanet_live.records import FrameResult, U8Array

_GROUND: Final = QColor("#0d0f12")


class VideoView(QWidget):
    """Paints the newest result; draws on the screen only, never into the frame."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 135)
        self.setAccessibleName("Picture")
        self._result: FrameResult | None = None
        self._readings: Mapping[int, FaceReading] = {}
        self._overlays = Overlays()
        self._picture: QImage | None = None  # scaled to the screen's pixels
        self._pixels: U8Array = np.empty((0, 0, 4), dtype=np.uint8)
        self._is_paint_due = False
        self.latency_ms: deque[float] = deque(maxlen=300)
        self.n_painted = 0

    @property
    def result(self) -> FrameResult | None:
        """What is on show."""
        return self._result

    def sizeHint(self) -> QSize:
        """Ask for a common video size."""
        return QSize(640, 360)

    def show_result(self, result: FrameResult | None, readings: Mapping[int, FaceReading]) -> None:
        """Show a result; None clears the view."""
        self._result = result
        self._readings = readings
        self._picture = None
        self._is_paint_due = result is not None
        self.setAccessibleDescription(", ".join(r.name for r in readings.values()) or "no face")
        self.update()

    def set_overlays(self, overlays: Overlays) -> None:
        """Choose what is drawn on the picture."""
        self._overlays = overlays
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the picture and its overlays."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), _GROUND)
        if self._result is not None:
            self._paint_result(painter, self._result)
        painter.end()
        self._note_latency()

    def _paint_result(self, painter: QPainter, result: FrameResult) -> None:
        image = result.frame.image_bgr
        target = self._target_rect(image)
        ratio = self.devicePixelRatioF()
        wanted = QSize(
            max(1, round(target.width() * ratio)), max(1, round(target.height() * ratio))
        )
        if self._picture is None or self._picture.size() != wanted:
            # The image does not own its pixels: they are kept beside it.
            self._pixels = _scale_to_bgra(image, wanted)
            self._picture = QImage(
                self._pixels.data, wanted.width(), wanted.height(), QImage.Format.Format_RGB32
            )
        painter.drawImage(target, self._picture)
        scale = target.width() / image.shape[1]
        placement = Placement(scale, target.left(), target.top())
        draw_overlays(painter, placement, result, readings=self._readings, overlays=self._overlays)

    def _target_rect(self, image: U8Array) -> QRectF:
        """Return the largest centred rectangle of the picture's shape, on whole pixels."""
        height, width = image.shape[:2]
        scale = min(self.width() / width, self.height() / height)
        shown_w, shown_h = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (self.width() - shown_w) // 2, (self.height() - shown_h) // 2
        return QRectF(left, top, shown_w, shown_h)

    def _note_latency(self) -> None:
        """Measure capture to paint, once per result and not on repaints."""
        if self._is_paint_due and self._result is not None:
            self._is_paint_due = False
            self.n_painted += 1
            age_s = time.perf_counter() - self._result.frame.captured_at_s
            self.latency_ms.append(age_s * 1000)


def _scale_to_bgra(image_bgr: U8Array, size: QSize) -> U8Array:
    """Scale a picture to the screen's pixels, in the layout Qt paints fastest."""
    way = cv2.INTER_AREA if size.width() < image_bgr.shape[1] else cv2.INTER_LINEAR
    scaled = cv2.resize(image_bgr, (size.width(), size.height()), interpolation=way)
    bgra: U8Array = cv2.cvtColor(scaled, cv2.COLOR_BGR2BGRA)
    return bgra
