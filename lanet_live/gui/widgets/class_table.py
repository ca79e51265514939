"""A small table with a row per class, its colour before its name."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from lanet_live.drawing.palette import class_colors
from lanet_live.gui.widgets.legend import SWATCH_PX, swatch

# All rows and columns are to be seen at once, also in a small window.
_CLOSE_COLUMNS: Final = (
    "QTableView::item { padding: 0 1px; } QHeaderView::section { padding: 4px; }"
)


class ClassTable(QTableWidget):
    """For reading only.

    Args:
        columns: Titles; the first is that of the classes.
        tooltips: What the columns mean; empty for nothing to say.
        name: For screen readers.
    """

    def __init__(self, columns: Sequence[str], tooltips: Sequence[str], name: str) -> None:
        super().__init__(0, len(columns))
        for column, (text, tooltip) in enumerate(zip(columns, tooltips, strict=True)):
            item = QTableWidgetItem(text)
            item.setToolTip(tooltip)
            self.setHorizontalHeaderItem(column, item)
        self.setAccessibleName(name)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        self.setStyleSheet(_CLOSE_COLUMNS)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(1)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 2)
        head = self.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setStretchLastSection(True)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)

    def show_rows(self, labels: tuple[str, ...], rows: Sequence[Sequence[str]]) -> None:
        """Show these texts, a row per class; no rows empty the table."""
        colors = class_colors(labels)
        self.setRowCount(len(rows))
        for place, texts in enumerate(rows):
            items = [QTableWidgetItem(text) for text in texts]
            items[0].setIcon(QIcon(swatch(colors[place])))
            for column, item in enumerate(items):
                self.setItem(place, column, item)
