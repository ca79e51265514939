"""The list of everything that can be done and its key, all on one page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.actions import ActionInfo
from lanet_live.gui.widgets.dialog_buttons import dialog_buttons

_N_COLUMNS: Final = 3
# Of the window behind, so that it stays in sight around the list.
_MOST_OF_PARENT: Final = 0.94


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list.

    Attributes:
        key: As written on the keyboard.
        text: What it does, in few words.
        tooltip: What it does, in a sentence.
    """

    key: str
    text: str
    tooltip: str


class ShortcutsDialog(QDialog):
    """Shows the actions by workspace with their keys; pointing at one shows more."""

    def __init__(
        self, sections: Iterable[tuple[str, Iterable[ActionInfo]]], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet = QWidget()
        columns = QHBoxLayout(sheet)
        columns.setContentsMargins(8, 4, 8, 8)
        columns.setSpacing(28)
        for blocks in arrange([(title, rows_of(infos)) for title, infos in sections]):
            column = QVBoxLayout()
            column.setSpacing(14)
            keys = [row.key for _, rows in blocks for row in rows]
            key_px = max(self.fontMetrics().horizontalAdvance(key) for key in keys) + 16
            for title, rows in blocks:
                column.addLayout(_block(title, rows, key_px=key_px))
            column.addStretch(1)
            columns.addLayout(column, stretch=1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(sheet)
        area.setAccessibleName("Keyboard shortcuts")
        hint = QLabel("Point at a line to read more.")
        hint.setProperty("secondary", True)
        foot = QHBoxLayout()
        foot.addWidget(hint, stretch=1)
        foot.addWidget(dialog_buttons(self, QDialogButtonBox.StandardButton.Close))
        whole = QVBoxLayout(self)
        whole.addWidget(area)
        whole.addLayout(foot)
        wanted = sheet.sizeHint() + area.verticalScrollBar().sizeHint()
        self.resize(
            min(wanted.width() + 24, round(_MOST_OF_PARENT * parent.width())),
            min(wanted.height() + 64, round(_MOST_OF_PARENT * parent.height())),
        )


def rows_of(infos: Iterable[ActionInfo]) -> list[Row]:
    """Return a line per action; those that differ by a digit only share one."""
    rows = []
    for _, group in groupby(infos, key=_family):
        members = list(group)
        first, last = members[0], members[-1]
        key, text = _native(first.shortcut), first.text
        if len(members) > 1:
            key, text = f"{key} … {_native(last.shortcut)}", f"{text} to {last.text.split()[-1]}"
        rows.append(Row(key, text, first.tooltip))
    return rows


def arrange(blocks: Sequence[tuple[str, list[Row]]]) -> list[list[tuple[str, list[Row]]]]:
    """Put blocks into columns of about the same height, each block whole."""
    columns: list[list[int]] = [[] for _ in range(_N_COLUMNS)]

    def height(column: list[int]) -> int:
        return sum(len(blocks[place][1]) + 2 for place in column)

    for place in sorted(range(len(blocks)), key=lambda place: -len(blocks[place][1])):
        min(columns, key=height).append(place)
    filled = sorted(sorted(column) for column in columns if column)
    return [[blocks[place] for place in column] for column in filled]


def _family(info: ActionInfo) -> str:
    return info.text.rstrip("123456789") if info.shortcut.isdigit() else info.key


def _native(shortcut: str) -> str:
    return QKeySequence(shortcut).toString(QKeySequence.SequenceFormat.NativeText)


def _block(title: str, rows: Iterable[Row], *, key_px: int) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(2)
    grid.setColumnStretch(1, 1)
    heading = QLabel(title)
    heading.setProperty("heading", True)
    grid.addWidget(heading, 0, 0, 1, 2)
    for place, row in enumerate(rows, start=1):
        key, text = QLabel(row.key), QLabel(row.text)
        key.setObjectName("key")
        key.setMinimumWidth(key_px)
        key.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for label in (key, text):
            label.setToolTip(row.tooltip)
            label.setAccessibleDescription(row.tooltip)
        grid.addWidget(key, place, 0)
        grid.addWidget(text, place, 1)
    return grid
