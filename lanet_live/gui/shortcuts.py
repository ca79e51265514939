"""The list of everything that can be done and its key."""

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lanet_live.gui.actions import ActionInfo
from lanet_live.gui.widgets.dialog_buttons import dialog_buttons


class ShortcutsDialog(QDialog):
    """Shows the actions by menu with their keys and what they do."""

    def __init__(
        self, sections: Iterable[tuple[str, Iterable[ActionInfo]]], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet = QWidget()
        grid = QGridLayout(sheet)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(2, 1)
        for title, infos in sections:
            self._add_section(grid, title, infos)
        grid.setRowStretch(grid.rowCount(), 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(sheet)
        buttons = dialog_buttons(self, QDialogButtonBox.StandardButton.Close)
        column = QVBoxLayout(self)
        column.addWidget(area)
        column.addWidget(buttons)
        self.resize(680, 560)

    @staticmethod
    def _add_section(grid: QGridLayout, title: str, infos: Iterable[ActionInfo]) -> None:
        heading = QLabel(title)
        heading.setProperty("heading", True)
        row = grid.rowCount() + 1
        grid.setRowMinimumHeight(row - 1, 8)
        grid.addWidget(heading, row, 0, 1, 3)
        for info in infos:
            row += 1
            key = QKeySequence(info.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
            what = QLabel(info.tooltip)
            what.setProperty("secondary", True)
            what.setWordWrap(True)
            grid.addWidget(QLabel(key), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(QLabel(info.text), row, 1, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(what, row, 2)
