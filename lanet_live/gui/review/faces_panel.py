"""A card per face of the recording, with its values in the playhead's frame."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from lanet_live.gui.live.faces_panel import THUMBNAIL_PX, cut_thumbnail
from lanet_live.gui.readings import FaceReading
from lanet_live.gui.review.document import ReviewDocument
from lanet_live.gui.widgets.face_card import FaceCard
from lanet_live.gui.widgets.lane import format_time
from lanet_live.gui.widgets.timeline import MAX_LANES
from lanet_live.records import FrameResult

# Those seen longest; a busy place gives many ids of passers-by.
_MAX_CARDS: Final = 16


class ReviewFaces(QScrollArea):
    """Names faces and chooses whose lanes are drawn."""

    renamed = Signal(int, str)
    lanes_chosen = Signal()

    def __init__(self, document: ReviewDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Faces of the recording")
        sheet = QWidget()
        self._column = QVBoxLayout(sheet)
        self._column.setContentsMargins(6, 6, 6, 6)
        self._column.setSpacing(8)
        self._more = QLabel("The faces of a recording appear here.")
        self._more.setProperty("secondary", True)
        self._more.setWordWrap(True)
        self._more.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._column.addWidget(self._more)
        self._column.addStretch(1)
        self.setWidget(sheet)
        self.cards: dict[int, FaceCard] = {}
        self._chosen: list[int] = []
        self._last: dict[int, FaceReading] = {}

    @property
    def chosen(self) -> tuple[int, ...]:
        """The faces on the timeline, by id."""
        return tuple(sorted(self._chosen))

    def rebuild(self) -> None:
        """Show the faces there are now."""
        wanted = self._document.faces_by_length[:_MAX_CARDS]
        for face_id in [i for i in self.cards if i not in wanted]:
            card = self.cards.pop(face_id)
            self._column.removeWidget(card)
            card.deleteLater()
        for face_id in sorted(wanted):
            if face_id not in self.cards:
                self._add(face_id)
        self._last = {i: reading for i, reading in self._last.items() if i in wanted}
        known = [i for i in self._chosen if i in wanted]
        self._choose(known or list(wanted[:MAX_LANES]))
        n_more = len(self._document.faces_by_length) - len(wanted)
        self._more.setText(f"{n_more} more faces were seen for a shorter time." if n_more else "")
        self._more.setVisible(bool(n_more) or not wanted)

    def forget(self) -> None:
        """Begin anew with another recording."""
        self._chosen, self._last = [], {}
        for card in self.cards.values():
            self._column.removeWidget(card)
            card.deleteLater()
        self.cards = {}

    def show_readings(self, readings: Mapping[int, tuple[int, FaceReading]]) -> None:
        """Show the values of the playhead's frame; others keep a note of when they are seen."""
        limits = self._document.edits.limits
        for face_id, card in self.cards.items():
            if face_id in readings:
                self._last[face_id] = readings[face_id][1]
            reading = self._last.get(face_id) or self._first_reading(face_id)
            reading = replace(reading, name=self._document.edits.name_of(face_id))
            card.show_reading(
                reading,
                limits=(limits.max_uncertainty, limits.min_quality),
                seen="" if face_id in readings else "Not in this frame",
            )

    def show_thumbnails(self, result: FrameResult) -> None:
        """Cut the faces out of a picture."""
        for track in result.tracks:
            card = self.cards.get(track.face_id)
            if card is not None and np.isfinite(track.box_xyxy_px).all():
                pixels = cut_thumbnail(result.frame.image_bgr, track)
                image = QImage(pixels.data, THUMBNAIL_PX, THUMBNAIL_PX, QImage.Format.Format_RGB32)
                # A copy owns its pixel buffer.
                card.thumbnail.show_image(image.copy())

    def _first_reading(self, face_id: int) -> FaceReading:
        return self._document.reading_of(face_id, self._document.first_row(face_id))

    def _add(self, face_id: int) -> None:
        card = FaceCard(face_id, self._document.edits.name_of(face_id))
        card.setToolTip(f"Face {face_id}, seen in {self._document.n_rows(face_id)} frames.")
        card.renamed.connect(self.renamed)
        card.follow_toggled.connect(self._on_toggled)
        self.cards[face_id] = card
        self._column.insertWidget(sorted(self.cards).index(face_id), card)

    def _on_toggled(self, face_id: int, is_on: bool) -> None:
        kept = [i for i in self._chosen if i != face_id]
        self._choose([*kept, face_id][-MAX_LANES:] if is_on else kept)

    def _choose(self, face_ids: list[int]) -> None:
        self._chosen = face_ids
        for face_id, card in self.cards.items():
            card.set_followed(face_id in face_ids)
        self.lanes_chosen.emit()


def moment_text(face_name: str, time_s: float, reading: FaceReading) -> str:
    """Write one face's values in a line."""
    best = np.argsort(reading.shown)[::-1][:3]
    labels = reading.estimate.labels
    classes = ", ".join(f"{labels[k]} {reading.shown[k] * 100:.0f} %" for k in best)
    verdict = "reliable" if reading.estimate.is_reliable else "not reliable"
    note = f", {reading.note}" if reading.note else ""
    return (
        f"{face_name} at {format_time(time_s, n_decimals=2)}  ·  {classes}  ·  "
        f"uncertainty {reading.estimate.uncertainty:.2f}, "
        f"quality {reading.estimate.quality.value:.2f}, {verdict}{note}"
    )
