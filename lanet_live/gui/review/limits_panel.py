"""Two sliders for the limits of reliability, and the share of frames they leave."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QSlider, QWidget

from lanet_live.gui.review.document import ReviewDocument
from lanet_live.review.edits import Limits


class LimitsPanel(QFrame):
    """Moving a slider judges every frame anew, at once."""

    changed = Signal(object)  # Limits

    def __init__(self, document: ReviewDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._document = document
        self._values = (QLabel(), QLabel())
        self.max_uncertainty = self._make_slider(
            "Largest uncertainty", "Estimates with a higher uncertainty are not relied on."
        )
        self.min_quality = self._make_slider(
            "Least quality", "Estimates on a face of lower quality are not relied on."
        )
        self.share = QLabel("–")
        self.share.setProperty("heading", True)
        self.share.setAccessibleName("Reliable share")
        self._reset = QPushButton("As recorded")
        self._reset.setProperty("flat_link", True)
        self._reset.setToolTip("Use the limits of the recording again.")
        self._reset.clicked.connect(self._on_reset)
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 7, 10, 7)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.share, 0, 0, 1, 2)
        grid.addWidget(self._reset, 0, 2, alignment=Qt.AlignmentFlag.AlignRight)
        rows = (("Uncertainty up to", self.max_uncertainty), ("Quality from", self.min_quality))
        for row, ((text, slider), value) in enumerate(zip(rows, self._values, strict=True), 1):
            label = QLabel(text)
            label.setBuddy(slider)
            value.setMinimumWidth(value.fontMetrics().horizontalAdvance("0.000"))
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(label, row, 0)
            grid.addWidget(slider, row, 1)
            grid.addWidget(value, row, 2)
        self.setEnabled(False)

    def show_limits(self) -> None:
        """Show what is in force and what it does."""
        recording, reviewed = self._document.recording, self._document.reviewed
        self.setEnabled(recording is not None)
        if recording is None or reviewed is None:
            return
        limits = self._document.edits.limits
        pairs = (
            (self.max_uncertainty, limits.max_uncertainty),
            (self.min_quality, limits.min_quality),
        )
        for (slider, limit), value in zip(pairs, self._values, strict=True):
            if not slider.isSliderDown():
                blocked = slider.blockSignals(True)
                slider.setValue(round(limit * 100))
                slider.blockSignals(blocked)
            value.setText(f"{limit:.3g}")
        self._reset.setVisible(limits != recording.limits)
        share = reviewed.reliable_share()
        self.share.setText("No frame counts" if share != share else f"{share * 100:.1f} % reliable")

    def _make_slider(self, name: str, tooltip: str) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, 100)
        slider.setPageStep(5)
        slider.setAccessibleName(name)
        slider.setToolTip(tooltip)
        slider.valueChanged.connect(self._on_moved)
        return slider

    def _on_moved(self, _value: int) -> None:
        """Change the limit that was moved; the other keeps its digits."""
        limits = self._document.edits.limits
        is_first = self.sender() is self.max_uncertainty
        value = (self.max_uncertainty if is_first else self.min_quality).value() / 100
        self.changed.emit(
            Limits(value, limits.min_quality) if is_first else Limits(limits.max_uncertainty, value)
        )

    def _on_reset(self) -> None:
        if self._document.recording is not None:
            self.changed.emit(self._document.recording.limits)
