"""Small questions of the Review workspace."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.widgets.lane import format_time
from lanet_live.sessions.events import SessionEvent


class EventDialog(QDialog):
    """Name and note of an event whose time is already fixed."""

    def __init__(self, begin_s: float, end_s: float | None, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add an event")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._begin_s, self._end_s = begin_s, end_s
        span = format_time(begin_s, n_decimals=2)
        if end_s is not None:
            span += f" to {format_time(end_s, n_decimals=2)}"
        self.name = QLineEdit()
        self.name.setMaxLength(60)
        self.name.setAccessibleName("Name of the event")
        self.note = QLineEdit()
        self.note.setMaxLength(500)
        self.note.setAccessibleName("Note")
        form = QFormLayout()
        form.addRow("Time", QLabel(span))
        form.addRow("Name", self.name)
        form.addRow("Note", self.note)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(_buttons(self))
        self.setMinimumWidth(360)

    @property
    def new_event(self) -> SessionEvent:
        """What was typed."""
        return SessionEvent(
            self._begin_s,
            kind="marker" if self._end_s is None else "range",
            name=self.name.text().strip(),
            note=self.note.text().strip(),
            end_timestamp_s=self._end_s,
        )


class MergeDialog(QDialog):
    """Which face is really which other one."""

    def __init__(self, names: dict[int, str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Merge two faces")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._face, self._into = QComboBox(), QComboBox()
        for box, accessible in ((self._face, "This face"), (self._into, "is really")):
            box.setAccessibleName(accessible)
            for face_id, name in names.items():
                box.addItem(name, face_id)
        if len(names) > 1:
            self._face.setCurrentIndex(1)
        hint = QLabel("Its frames are counted to the other one. The recording stays as it is.")
        hint.setProperty("secondary", True)
        hint.setWordWrap(True)
        form = QFormLayout()
        form.addRow("This face", self._face)
        form.addRow("is really", self._into)
        column = QVBoxLayout(self)
        column.addWidget(hint)
        column.addLayout(form)
        column.addWidget(_buttons(self))
        self.setMinimumWidth(320)

    @property
    def chosen(self) -> tuple[int, int]:
        """The face, and who it really is."""
        return self._face.currentData(), self._into.currentData()


def _buttons(dialog: QDialog) -> QDialogButtonBox:
    standard = QDialogButtonBox.StandardButton
    buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    return buttons
