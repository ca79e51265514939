"""The list of the queue, or what to do while it is empty."""

from collections.abc import Mapping

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
)

from lanet_live.analysis.item import AnalysisItem
from lanet_live.gui.analyze.progress_delegate import ProgressDelegate
from lanet_live.gui.analyze.table_model import Column, QueueModel
from lanet_live.gui.widgets.empty_page import EmptyPage

# Icons and words keep their colours on it, in either look.
_QUIET_SELECTION = (
    "QTableView, QTableView:focus { border: none; "
    "selection-background-color: palette(alternate-base); selection-color: palette(text); }"
)
_SOURCES = ("add_files", "add_folder")
_CONTEXT_ACTIONS = ("cancel", "retry", "remove", "open_results", "review")


class QueuePanel(QFrame):
    """The table of the items, and a page that invites when there is none."""

    selection_changed = Signal()

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.model = QueueModel()
        self.table = QTableView()
        self._delegate = ProgressDelegate(self.table)
        self._set_up_table(actions)
        self._stack = QStackedWidget()
        self._stack.addWidget(_invitation(actions))
        self._stack.addWidget(self.table)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.addWidget(self._stack)

    @property
    def selected(self) -> tuple[AnalysisItem, ...]:
        """The selected items, in the order of the queue."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        return tuple(self.model.items[row] for row in rows)

    @property
    def is_inviting(self) -> bool:
        """Whether the page for the empty queue is on show."""
        return self._stack.currentIndex() == 0

    def show_items(self, items: tuple[AnalysisItem, ...]) -> None:
        """Show the queue as it is now."""
        self.model.show(items)
        self._stack.setCurrentIndex(int(bool(items)))

    def select(self, item_ids: set[str]) -> None:
        """Select these items and no other."""
        selection = QItemSelection()
        for row, item in enumerate(self.model.items):
            if item.item_id in item_ids:
                index = self.model.index(row, 0)
                selection.select(index, index)
        flags = QItemSelectionModel.SelectionFlag
        self.table.selectionModel().select(selection, flags.ClearAndSelect | flags.Rows)

    def _set_up_table(self, actions: Mapping[str, QAction]) -> None:
        table = self.table
        table.setModel(self.model)
        table.setAccessibleName("Queue")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)  # Tab leaves the table, for those without a mouse.
        table.setWordWrap(False)
        table.setIconSize(QSize(16, 16))
        table.setStyleSheet(_QUIET_SELECTION)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 16)
        table.setItemDelegateForColumn(Column.PROGRESS, self._delegate)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        char_px = table.fontMetrics().averageCharWidth()
        for place, n_chars in (
            (Column.NAME, 37),
            (Column.STATE, 16),
            (Column.PROGRESS, 21),
            (Column.TIME_LEFT, 12),
        ):
            table.setColumnWidth(place, n_chars * char_px)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        table.addActions([actions[key] for key in _CONTEXT_ACTIONS])
        table.selectionModel().selectionChanged.connect(self.selection_changed)


def _invitation(actions: Mapping[str, QAction]) -> EmptyPage:
    page = EmptyPage("analyze", actions, _SOURCES)
    page.say(
        "Drop videos, folders of pictures or sessions here",
        "They are analysed one after the other, every frame, into tables, videos and timelines. "
        "Choose the options at the right, add files, then start.",
        keys=_SOURCES,
    )
    return page
