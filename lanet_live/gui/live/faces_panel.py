"""The cards of the faces, those in the picture first."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from lanet_live.gui.live.face_book import Face
from lanet_live.gui.widgets.face_card import FaceCard
from lanet_live.gui.widgets.lane import format_time
from lanet_live.gui.widgets.timeline import MAX_LANES
from lanet_live.records import FaceTrack, FrameResult, U8Array

# A face away for longer than this loses its card; its past stays on the timeline.
_KEPT_S: Final = 20.0
# Lanes of more faces than these are shown on demand: low lanes are hard to read.
_AUTO_LANES: Final = 2
THUMBNAIL_PX: Final = 108
_THUMBNAIL_EVERY: Final = 6  # updates of the cards


class FacesPanel(QScrollArea):
    """Creates a card when a face comes, updates it, and removes it some time after it left."""

    renamed = Signal(int, str)
    lanes_chosen = Signal(tuple)  # face ids on the timeline

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Faces")
        self._sheet = QWidget()
        self._column = QVBoxLayout(self._sheet)
        self._column.setContentsMargins(0, 0, 4, 0)
        self._column.setSpacing(8)
        self._empty = QLabel()
        self._empty.setProperty("secondary", True)
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setMargin(16)
        self._column.addWidget(self._empty)
        self._column.addStretch(1)
        self.setWidget(self._sheet)
        self._cards: dict[int, FaceCard] = {}
        self._chosen: list[int] = []
        self._n_updates = 0
        self.say_why_empty("Faces found in the picture appear here.")

    @property
    def cards(self) -> Mapping[int, FaceCard]:
        """The cards by face id."""
        return self._cards

    @property
    def chosen(self) -> tuple[int, ...]:
        """The faces on the timeline, by id."""
        return tuple(sorted(self._chosen))

    def say_why_empty(self, text: str) -> None:
        """Show why there is no card."""
        self._empty.setText(text)

    def clear(self) -> None:
        """Forget all faces."""
        for face_id in list(self._cards):
            self._remove(face_id)
        self._chosen = []
        self._empty.setVisible(True)

    def show_faces(
        self,
        faces: Mapping[int, Face],
        now_s: float,
        *,
        result: FrameResult | None,
        limits: tuple[float, float] | None,
    ) -> None:
        """Bring the cards up to date.

        Args:
            faces: All faces of the run.
            now_s: Newest moment of the source.
            result: The newest result, for the thumbnails.
            limits: Largest uncertainty and least quality relied on.
        """
        shown = {i: face for i, face in faces.items() if now_s - face.last_seen_s <= _KEPT_S}
        for face_id in [i for i in self._cards if i not in shown]:
            self._remove(face_id)
        new = [shown[i] for i in sorted(shown) if i not in self._cards]
        for face in new:
            self._add(face)
        self._empty.setVisible(not shown)
        for face_id, face in shown.items():
            is_here = face.last_seen_s >= now_s
            seen = "" if is_here else f"Last seen at {format_time(face.last_seen_s)}"
            self._cards[face_id].show_reading(face.reading, limits=limits, seen=seen)
        if result is not None and (new or self._n_updates % _THUMBNAIL_EVERY == 0):
            self._show_thumbnails(result)
        self._n_updates += 1

    def _add(self, face: Face) -> None:
        card = FaceCard(face.face_id, face.name)
        card.renamed.connect(self.renamed)
        card.follow_toggled.connect(self._on_follow_toggled)
        self._cards[face.face_id] = card
        self._column.insertWidget(sorted(self._cards).index(face.face_id) + 1, card)
        is_chosen = len(self._chosen) < _AUTO_LANES
        card.set_followed(is_chosen)
        if is_chosen:
            self._chosen.append(face.face_id)
            self.lanes_chosen.emit(self.chosen)

    def _remove(self, face_id: int) -> None:
        card = self._cards.pop(face_id)
        self._column.removeWidget(card)
        card.deleteLater()

    def _on_follow_toggled(self, face_id: int, is_on: bool) -> None:
        if not is_on:
            self._chosen = [i for i in self._chosen if i != face_id]
        elif face_id not in self._chosen:
            self._chosen.append(face_id)
            while len(self._chosen) > MAX_LANES:
                given_up = self._chosen.pop(0)
                if given_up in self._cards:
                    self._cards[given_up].set_followed(False)
        self.lanes_chosen.emit(self.chosen)

    def _show_thumbnails(self, result: FrameResult) -> None:
        for track in result.tracks:
            if track.face_id in self._cards:
                pixels = cut_thumbnail(result.frame.image_bgr, track)
                image = QImage(pixels.data, THUMBNAIL_PX, THUMBNAIL_PX, QImage.Format.Format_RGB32)
                # A copy owns its pixel buffer.
                self._cards[track.face_id].thumbnail.show_image(image.copy())


def cut_thumbnail(image_bgr: U8Array, track: FaceTrack) -> U8Array:
    """Cut a square a little larger than the face; outside the picture its border is repeated."""
    left, top, right, bottom = track.box_xyxy_px
    side = 1.25 * max(float(right - left), float(bottom - top), 1.0)
    scale = THUMBNAIL_PX / side
    center = np.array([(left + right) / 2, (top + bottom) / 2])
    offset = THUMBNAIL_PX / 2 - scale * center
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    cut = cv2.warpAffine(image_bgr, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    bgra: U8Array = cv2.cvtColor(cut, cv2.COLOR_BGR2BGRA)
    return bgra
