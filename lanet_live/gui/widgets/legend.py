"""The classes and their colours; pressing one makes it stand back on the timeline."""

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from lanet_live.drawing.palette import Rgb, class_colors

SWATCH_PX = 11


class Legend(QWidget):
    """One button per class; all stand out at first."""

    faint_changed = Signal(frozenset)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._buttons: dict[str, QToolButton] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes listed."""
        return tuple(self._buttons)

    def set_labels(self, labels: tuple[str, ...]) -> None:
        """List these classes."""
        if labels == self.labels:
            return
        for button in self._buttons.values():
            self._row.removeWidget(button)
            button.deleteLater()
        self._buttons = {}
        for label, color in zip(labels, class_colors(labels), strict=True):
            self._buttons[label] = self._make_button(label, color)
            self._row.addWidget(self._buttons[label])

    def _make_button(self, label: str, color: Rgb) -> QToolButton:
        button = QToolButton()
        button.setObjectName("legend")
        button.setCheckable(True)
        button.setChecked(True)
        button.setText(label)
        button.setIcon(_button_icon(color))
        button.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        button.setToolButtonStyle(button.toolButtonStyle().ToolButtonTextBesideIcon)
        button.setToolTip(f"Let {label} stand out or back on the timeline.")
        button.toggled.connect(self._on_toggled)
        return button

    def _on_toggled(self, _is_on: bool) -> None:
        self.faint_changed.emit(
            frozenset(label for label, button in self._buttons.items() if not button.isChecked())
        )


def swatch(color: Rgb, *, opacity: float = 1.0) -> QPixmap:
    """Return a class's colour as a small square."""
    pixmap = QPixmap(4 * SWATCH_PX, 4 * SWATCH_PX)
    pixmap.fill(QColor(0, 0, 0, 0))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(opacity)
    painter.setPen(QColor(0, 0, 0, 0))
    painter.setBrush(QColor(*color))
    painter.drawRoundedRect(pixmap.rect(), 10, 10)
    painter.end()
    return pixmap


def _button_icon(color: Rgb) -> QIcon:
    """Return a swatch that is pale while its button is off."""
    icon = QIcon()
    for state, opacity in ((QIcon.State.On, 1.0), (QIcon.State.Off, 0.3)):
        icon.addPixmap(swatch(color, opacity=opacity), QIcon.Mode.Normal, state)
    return icon
