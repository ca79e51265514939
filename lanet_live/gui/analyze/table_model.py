"""The queue as Qt's tables see it."""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QIcon

from lanet_live.analysis.item import AnalysisItem
from lanet_live.gui.analyze.wording import (
    KIND_ICONS,
    KIND_TEXTS,
    STATE_ICONS,
    STATE_TEXTS,
    progress_text,
    result_text,
    share_of,
    time_left_text,
)
from lanet_live.gui.icons import icon

_Index = QModelIndex | QPersistentModelIndex
_Role = Qt.ItemDataRole

SHARE_ROLE: Final = int(_Role.UserRole)


class Column(IntEnum):
    """Places of the columns."""

    NAME = 0
    STATE = 1
    PROGRESS = 2
    TIME_LEFT = 3
    RESULT = 4


_TITLES: Final = ("Name", "State", "Progress", "Time left", "Result")
_TEXTS: Final[dict[int, Callable[[AnalysisItem], str]]] = {
    Column.NAME: lambda item: item.name,
    Column.STATE: lambda item: STATE_TEXTS[item.state],
    Column.PROGRESS: progress_text,
    Column.TIME_LEFT: time_left_text,
    Column.RESULT: result_text,
}


class QueueModel(QAbstractTableModel):
    """One row per item; `show` notifies Qt only of what changed."""

    def __init__(self) -> None:
        super().__init__()
        self._items: tuple[AnalysisItem, ...] = ()

    @property
    def items(self) -> tuple[AnalysisItem, ...]:
        """The items on show, in the order of the rows."""
        return self._items

    def show(self, items: tuple[AnalysisItem, ...]) -> None:
        """Take over a new state of the queue."""
        for row in reversed(range(len(self._items))):
            if self._items[row].item_id not in {item.item_id for item in items}:
                self.beginRemoveRows(QModelIndex(), row, row)
                self._items = (*self._items[:row], *self._items[row + 1 :])
                self.endRemoveRows()
        before, n_before = self._items, len(self._items)
        # The queue keeps its order and appends, so what is left stands at its beginning.
        if len(items) > n_before:
            self.beginInsertRows(QModelIndex(), n_before, len(items) - 1)
            self._items = items
            self.endInsertRows()
        self._items = items
        for row in range(n_before):
            if before[row] != items[row]:
                self.dataChanged.emit(self.index(row, 0), self.index(row, Column.RESULT))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Count the items."""
        return 0 if parent.isValid() else len(self._items)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Count the columns."""
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _Role.DisplayRole
    ) -> str | None:
        """Name the columns."""
        if orientation == Qt.Orientation.Horizontal and role == _Role.DisplayRole:
            return _TITLES[section]
        return None

    def data(self, index: _Index, role: int = _Role.DisplayRole) -> str | float | QIcon | None:
        """Return one role of one cell."""
        item = self._items[index.row()]
        column = index.column()
        if role == _Role.DisplayRole:
            return _TEXTS[column](item)
        if role == _Role.ToolTipRole:
            return str(item.path) if column == Column.NAME else _TEXTS[column](item)
        if role == _Role.AccessibleTextRole:
            return f"{_TITLES[column]}: {_TEXTS[column](item) or 'nothing yet'}"
        if role == _Role.AccessibleDescriptionRole and column == Column.NAME:
            return f"{KIND_TEXTS[item.kind]}, {item.path}"
        if role == _Role.DecorationRole:
            return _icon_of(item, column)
        if role == SHARE_ROLE and column == Column.PROGRESS:
            return share_of(item)
        return None


def _icon_of(item: AnalysisItem, column: int) -> QIcon | None:
    if column == Column.NAME:
        return icon(KIND_ICONS[item.kind])
    if column == Column.STATE:
        return icon(STATE_ICONS[item.state])
    return None
