"""The workspaces to choose from, at the left edge."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout, QWidget

from lanet_live.gui.icons import icon
from lanet_live.gui.workspace import Workspace


class Rail(QWidget):
    """One button per workspace, with Ctrl+1, Ctrl+2, ..."""

    chosen = Signal(int)

    def __init__(self, workspaces: Sequence[Workspace], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 8, 6, 8)
        column.setSpacing(4)
        for place, workspace in enumerate(workspaces):
            button = QToolButton()
            button.setText(workspace.title)
            button.setIcon(icon(workspace.icon_name))
            button.setIconSize(QSize(24, 24))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setCheckable(True)
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance("Analyze") + 20)
            button.setShortcut(QKeySequence(shortcut_of(place)))
            button.setToolTip(f"{workspace.tooltip} ({shortcut_of(place)})")
            self._group.addButton(button, place)
            column.addWidget(button)
        column.addStretch(1)
        self._group.idClicked.connect(self.chosen)

    def mark(self, place: int) -> None:
        """Show which workspace is in front."""
        self._group.button(place).setChecked(True)


def shortcut_of(place: int) -> str:
    """Return the key that brings the workspace at a place of the rail to the front."""
    return f"Ctrl+{place + 1}"
