"""The table of events and excluded ranges: shown, renamed, moved, removed."""

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.icons import icon
from lanet_live.gui.review.document import ReviewDocument
from lanet_live.gui.widgets.lane import format_time
from lanet_live.sessions.events import EXCLUDED, SessionEvent

_COLUMNS: Final = ("Begin", "End", "Kind", "Name", "Note")
_BEGIN, _END, _KIND, _NAME, _NOTE = range(len(_COLUMNS))


class EventsPanel(QWidget):
    """A row per event by ascending time; every change goes through the document."""

    sought = Signal(float)
    refused = Signal(str)

    def __init__(self, document: ReviewDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.table = _EventTable()
        self.table.setColumnCount(len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        self.table.setAccessibleName("Events and excluded ranges")
        self.table.setToolTip("Double-click or F2 edits a cell, Delete removes the row.")
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(_NOTE, QHeaderView.ResizeMode.Stretch)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        hint = QLabel("Times as m:ss.ss or seconds. Nothing is deleted from the recording.")
        hint.setProperty("secondary", True)
        hint.setWordWrap(True)
        self._remove = QToolButton()
        self._remove.setText("Remove")
        self._remove.setIcon(icon("close"))
        self._remove.setIconSize(QSize(14, 14))
        self._remove.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._remove.setProperty("outlined", True)
        self._remove.setToolTip("Remove the event of the chosen row (Delete).")
        self._remove.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        foot = QHBoxLayout()
        foot.addWidget(hint, stretch=1)
        foot.addWidget(self._remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(self.table, stretch=1)
        column.addLayout(foot)
        self.table.itemChanged.connect(self._on_changed)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.table.delete_pressed.connect(self.remove_chosen)
        self._remove.clicked.connect(self.remove_chosen)

    def rebuild(self) -> None:
        """Show the events there are now."""
        events = self._document.edits.events
        blocked = self.table.blockSignals(True)
        self.table.setRowCount(len(events))
        for row, event in enumerate(events):
            for column, text in enumerate(_texts(event)):
                item = QTableWidgetItem(text)
                if column == _KIND:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, column, item)
        self.table.blockSignals(blocked)
        self._remove.setEnabled(bool(events))

    def remove_chosen(self) -> None:
        """Remove the event of the chosen row."""
        row = self.table.currentRow()
        if 0 <= row < len(self._document.edits.events):
            self._document.change("remove an event", lambda edits: edits.without_event(row))

    def _on_selected(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self._document.edits.events):
            self.sought.emit(self._document.edits.events[row].timestamp_s)

    def _on_changed(self, item: QTableWidgetItem) -> None:
        row, events = item.row(), self._document.edits.events
        try:
            event = _changed(events[row], item.column(), item.text().strip())
        except ValueError as error:
            self.refused.emit(str(error))
            self.rebuild()
            return
        self._document.change("change an event", lambda e: e.with_event_changed(row, event))
        self.rebuild()


class _EventTable(QTableWidget):
    delete_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Remove the row with Delete."""
        if event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)


def _texts(event: SessionEvent) -> tuple[str, ...]:
    end_s = event.end_timestamp_s
    number = "" if event.number is None else f"{event.number} "
    return (
        format_time(event.timestamp_s, n_decimals=2),
        "" if end_s is None else format_time(end_s, n_decimals=2),
        "excluded" if event.kind == EXCLUDED else f"{event.kind} {number}".strip(),
        event.name,
        event.note,
    )


def _changed(event: SessionEvent, column: int, text: str) -> SessionEvent:
    """Return an event with one cell changed.

    Raises:
        ValueError: The text is no time, or the range would end before it begins.
    """
    if column == _NAME:
        return replace(event, name=text)
    if column == _NOTE:
        return replace(event, note=text)
    if column == _END and not text and event.kind != EXCLUDED:
        return replace(event, end_timestamp_s=None)
    time_s = parse_time(text)
    if column == _END:
        changed = replace(event, end_timestamp_s=time_s)
    else:
        changed = replace(event, timestamp_s=time_s)
    if changed.end_timestamp_s is not None and changed.end_timestamp_s < changed.timestamp_s:
        raise ValueError("A range cannot end before it begins.")
    return changed


def parse_time(text: str) -> float:
    """Read ``h:mm:ss``, ``m:ss.ss`` or plain seconds.

    Raises:
        ValueError: It is none of these.
    """
    sign, parts = (-1, text[1:]) if text[:1] in ("-", "−") else (1, text)
    try:
        numbers = [float(part) for part in parts.replace(",", ".").split(":")]
    except ValueError as error:
        raise ValueError(f"“{text}” is no time; write it like 1:23.45.") from error
    if len(numbers) > 3 or not all(0 <= number < 1e9 for number in numbers):
        raise ValueError(f"“{text}” is no time; write it like 1:23.45.")
    total_s = 0.0
    for number in numbers:
        total_s = total_s * 60 + number
    return sign * total_s
