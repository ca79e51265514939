"""The card of one face: who, how it looks, what is estimated and how far it can be trusted."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lanet_live.drawing.palette import face_color
from lanet_live.gui.icons import icon
from lanet_live.gui.readings import FaceReading, readable
from lanet_live.gui.widgets.bars import DistributionBars, Meter

_METERS = ("Uncertainty", "Quality")


class FaceCard(QFrame):
    """Created once per face and updated; says when the face was last seen."""

    renamed = Signal(int, str)
    follow_toggled = Signal(int, bool)

    def __init__(self, face_id: int, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.face_id = face_id
        self.thumbnail = Thumbnail(QColor(*face_color(face_id)))
        self._name = QLineEdit(name)
        self._name.setMaxLength(60)
        self._name.setToolTip("Name of this face; it is kept with the recording.")
        self._name.setAccessibleName(f"Name of face {face_id}")
        self._name.editingFinished.connect(self._on_renamed)
        # Out of the field, so that keys are keys again, and on to what comes next.
        self._name.returnPressed.connect(self.focusNextChild)
        self._summary = QLabel("…")
        self._detail = QLabel()
        self._detail.setProperty("secondary", True)
        self._follow = QToolButton()
        self._follow.setCheckable(True)
        self._follow.setIcon(icon("lines"))
        self._follow.setIconSize(QSize(18, 18))
        self._follow.setToolTip("Follow this face: its bars here, its lane on the timeline.")
        self._follow.setAccessibleName(f"Follow face {face_id}")
        self._follow.toggled.connect(self._on_follow_toggled)
        self._body = QWidget()
        self._bars = DistributionBars()
        self._uncertainty = Meter(_METERS[0], is_high_good=False)
        self._quality = Meter(_METERS[1], is_high_good=True)
        self._lay_out()

    def show_reading(
        self,
        reading: FaceReading,
        *,
        limits: tuple[float, float] | None,
        seen: str = "",
    ) -> None:
        """Show a face's values.

        Args:
            reading: What to show.
            limits: Largest uncertainty and least quality relied on; None when unknown.
            seen: When the face was last seen; empty while it is in the picture.
        """
        estimate = reading.estimate
        if not self._name.hasFocus() and self._name.text() != reading.name:
            self._name.setText(reading.name)
        _set_text(self._summary, reading.answer, _explain(reading))
        _set_text(self._detail, seen or _describe(reading))
        is_faint = bool(seen) or not estimate.is_reliable
        self._bars.show_values(
            estimate.labels,
            reading.shown,
            estimate.probabilities,
            is_faint=is_faint,
            members=() if reading.is_corrected else estimate.prediction_set,
        )
        max_uncertainty, min_quality = limits if limits else (None, None)
        self._uncertainty.align_with(estimate.labels + _METERS)
        self._quality.align_with(estimate.labels + _METERS)
        self._uncertainty.show_value(estimate.uncertainty, max_uncertainty)
        self._quality.show_value(estimate.quality.value, min_quality)
        reasons = ", ".join(readable(reason) for reason in estimate.quality.reasons)
        self._quality.setToolTip(f"What lowers it: {reasons}." if reasons else "Nothing lowers it.")

    def set_followed(self, is_on: bool) -> None:
        """Show whether the face is followed, without telling so."""
        blocked = self._follow.blockSignals(True)
        self._follow.setChecked(is_on)
        self._follow.blockSignals(blocked)
        self._mark(is_on)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(1)
        for widget in (self._name, self._summary, self._detail):
            words.addWidget(widget)
        for label in (self._summary, self._detail):
            label.setIndent(4)
            # A long text is cut off before it makes the card wider than its column.
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.thumbnail, alignment=Qt.AlignmentFlag.AlignTop)
        head.addLayout(words, stretch=1)
        head.addWidget(self._follow, alignment=Qt.AlignmentFlag.AlignTop)
        self._uncertainty.setToolTip(
            "How ambiguous the expression is: 0 is one clear class, 1 is all alike. "
            "Beyond the tick it is not relied on."
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(7)
        column.addLayout(head)
        column.addWidget(self._body)
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(7)
        body.addWidget(self._bars)
        meters = QVBoxLayout()
        meters.setSpacing(0)
        meters.addWidget(self._uncertainty)
        meters.addWidget(self._quality)
        body.addLayout(meters)

    def _on_renamed(self) -> None:
        self.renamed.emit(self.face_id, self._name.text().strip())

    def _on_follow_toggled(self, is_on: bool) -> None:
        self._mark(is_on)
        self.follow_toggled.emit(self.face_id, is_on)

    def _mark(self, is_selected: bool) -> None:
        self._body.setVisible(is_selected)
        self.setProperty("selected", is_selected)
        self.style().unpolish(self)
        self.style().polish(self)


class Thumbnail(QWidget):
    """A small picture of the face in a ring of the face's colour."""

    def __init__(self, color: QColor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._color = color
        self._image: QImage | None = None
        self.setFixedSize(54, 54)
        self.setAccessibleName("Picture of the face")

    def show_image(self, image: QImage) -> None:
        """Show a square picture."""
        self._image = image
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the picture with rounded corners."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        shape = QPainterPath()
        shape.addRoundedRect(frame, 7, 7)
        painter.fillPath(shape, self.palette().color(QPalette.ColorRole.AlternateBase))
        if self._image is not None:
            painter.setClipPath(shape)
            painter.drawImage(frame, self._image)
            painter.setClipping(False)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 3))
        painter.drawPath(shape)
        painter.setPen(QPen(self._color, 2))
        painter.drawPath(shape)
        painter.end()


def _describe(reading: FaceReading) -> str:
    if reading.why_unreliable:
        return f"Not reliable: {reading.why_unreliable}"
    return f"Reliable, {reading.note}" if reading.note else "Reliable"


def _explain(reading: FaceReading) -> str:
    """Say what stands behind the answer, for pointing at it."""
    rest = reading.estimate.prediction_set
    if len(rest) < 2 or reading.is_corrected:
        return reading.answer
    return f"One class is not enough here; these remain possible: {', '.join(rest)}."


def _set_text(label: QLabel, text: str, tooltip: str = "") -> None:
    if label.text() != text:
        label.setText(text)
    if label.toolTip() != (tooltip or text):
        label.setToolTip(tooltip or text)
