"""Markers of the run, and the names of the keys that set them."""

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.live.actions import N_MARKERS
from lanet_live.gui.widgets.dialog_buttons import dialog_buttons
from lanet_live.gui.widgets.lane import format_time
from lanet_live.sessions.events import SessionEvent

_MAX_NAME_CHARS: Final = 40
_EXAMPLES: Final = ("stimulus on", "stimulus off", "speaks")


class MarkerBook:
    """The markers of the run in the order they were set, and the keys' names."""

    def __init__(self) -> None:
        self._names = [""] * N_MARKERS
        self.events: list[SessionEvent] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the keys 1 to 9; empty for none."""
        return tuple(self._names)

    def set_names(self, names: tuple[str, ...]) -> None:
        """Give the keys their names, from 1 on."""
        padded = (*names, *[""] * N_MARKERS)[:N_MARKERS]
        self._names = [name.strip()[:_MAX_NAME_CHARS] for name in padded]

    def set_marker(self, number: int | None, time_s: float, *, note: str = "") -> SessionEvent:
        """Set a marker at a moment and return it.

        Args:
            number: Of the key; None for a note without one.
            time_s: In the source's time.
            note: Free text.
        """
        name = "" if number is None else self._names[number - 1]
        event = SessionEvent(time_s, name=name, number=number, note=note)
        self.events.append(event)
        return event


class MarkerControl(QObject):
    """Sets markers by key or with a note. Lives in the GUI thread."""

    added = Signal(object)  # SessionEvent

    def __init__(self, now_s: Callable[[], float | None], window: QWidget) -> None:
        """Start without markers.

        Args:
            now_s: Returns the newest moment of the run; None while there is none.
            window: Dialogs open over it.
        """
        super().__init__(window)
        self.book = MarkerBook()
        self._now_s = now_s
        self._window = window
        self._note: NoteDialog | None = None
        self._names: MarkerNamesDialog | None = None

    def set_by_key(self) -> None:
        """Set the marker of the action that called."""
        action, now_s = self.sender(), self._now_s()
        if isinstance(action, QAction) and now_s is not None:
            number = int(action.objectName().removeprefix("marker_"))
            self.added.emit(self.book.set_marker(number, now_s))

    def set_note(self) -> None:
        """Fix the moment and ask what happened."""
        now_s = self._now_s()
        if now_s is not None:
            self._note = NoteDialog(now_s, self._window)
            self._note.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self._note.accepted.connect(self._on_note_accepted)
            self._note.open()

    def edit_names(self) -> None:
        """Ask for the names of the keys."""
        self._names = MarkerNamesDialog(self.book.names, self._window)
        self._names.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._names.accepted.connect(self._on_names_accepted)
        self._names.open()

    def _on_note_accepted(self) -> None:
        if self._note is not None:
            event = self.book.set_marker(None, self._note.time_s, note=self._note.note)
            self.added.emit(event)

    def _on_names_accepted(self) -> None:
        if self._names is not None:
            self.book.set_names(self._names.names)


class MarkerNamesDialog(QDialog):
    """Nine names, one per key."""

    def __init__(self, names: tuple[str, ...], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Names of the markers")
        form = QFormLayout()
        self._fields = []
        for number, name in enumerate(names, start=1):
            field = QLineEdit(name)
            field.setMaxLength(_MAX_NAME_CHARS)
            if number <= len(_EXAMPLES):
                field.setPlaceholderText(f"e.g. {_EXAMPLES[number - 1]}")
            field.setAccessibleName(f"Name of marker {number}")
            form.addRow(f"Key {number}", field)
            self._fields.append(field)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(dialog_buttons(self))
        self.setMinimumWidth(340)

    @property
    def names(self) -> tuple[str, ...]:
        """What was typed."""
        return tuple(field.text() for field in self._fields)


class NoteDialog(QDialog):
    """One line of text for a moment that is already fixed."""

    def __init__(self, time_s: float, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Marker with a note")
        self.time_s = time_s
        hint = QLabel(f"At {format_time(time_s, n_decimals=1)}. Capture goes on meanwhile.")
        hint.setProperty("secondary", True)
        self._field = QLineEdit()
        self._field.setMaxLength(500)
        self._field.setPlaceholderText("What happened?")
        self._field.setAccessibleName("Note")
        column = QVBoxLayout(self)
        column.addWidget(hint)
        column.addWidget(self._field)
        column.addWidget(dialog_buttons(self))
        self.setMinimumWidth(380)

    @property
    def note(self) -> str:
        """What was typed."""
        return self._field.text().strip()
