"""The page that stands where nothing is to be seen yet: what to do, and buttons that do it."""

from collections.abc import Collection, Mapping, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from lanet_live.gui.icons import icon
from lanet_live.gui.widgets.tool_button import action_button


class EmptyPage(QWidget):
    """A symbol, a sentence, a hint and buttons, in the middle of a panel."""

    def __init__(
        self, symbol_name: str, actions: Mapping[str, QAction], keys: Sequence[str]
    ) -> None:
        super().__init__()
        self._title, self._hint = QLabel(), QLabel()
        self._title.setProperty("heading", True)
        self._hint.setProperty("secondary", True)
        self._hint.setWordWrap(True)
        symbol = QLabel()
        symbol.setPixmap(icon(symbol_name).pixmap(QSize(44, 44)))
        self._buttons = {key: action_button(actions[key]) for key in keys}
        row = QHBoxLayout()
        row.addStretch(1)
        for button in self._buttons.values():
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(40, 20, 40, 20)
        column.setSpacing(10)
        column.addStretch(1)
        for label in (symbol, self._title, self._hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addLayout(row)
        column.addStretch(1)

    def say(self, title: str, hint: str = "", *, keys: Collection[str] = ()) -> None:
        """Show these words and the buttons of these actions."""
        self._title.setText(title)
        self._hint.setText(hint)
        for key, button in self._buttons.items():
            button.setVisible(key in keys)
