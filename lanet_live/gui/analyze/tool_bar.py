"""The row above the queue."""

from collections.abc import Mapping
from typing import Final

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from lanet_live.gui.icons import icon
from lanet_live.gui.widgets.divider import divider
from lanet_live.gui.widgets.tool_button import action_button

_GROUPS: Final = (
    ("add_files", "add_folder"),
    ("start_pause",),
    ("cancel", "retry", "remove"),
    ("open_results", "review"),
)


class AnalyzeToolBar(QWidget):
    """Buttons of the Analyze workspace; their actions belong to the workspace."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._start = actions["start_pause"]
        self.buttons: dict[str, QToolButton] = {}
        self.summary = QLabel()
        self.summary.setProperty("secondary", True)
        self.summary.setAccessibleName("Queue summary")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        for place, keys in enumerate(_GROUPS):
            if place:
                row.addWidget(divider())
            for key in keys:
                row.addWidget(self._make(key, actions[key]))
        row.addStretch(1)
        row.addWidget(self.summary)
        self._keep_width_for_both()

    def show_going(self, *, is_going: bool) -> None:
        """Let the button say what pressing it does now."""
        self._start.setIconText("Pause" if is_going else "Start")
        self._start.setIcon(icon("pause" if is_going else "play"))
        self.buttons["start_pause"].setAccessibleName(f"{self._start.iconText()} the queue")

    def _make(self, key: str, action: QAction) -> QToolButton:
        button = action_button(action)
        button.setAccessibleName(action.text())
        self.buttons[key] = button
        return button

    def _keep_width_for_both(self) -> None:
        """Make room for either caption, so that nothing moves when it changes."""
        widths = []
        for is_going in (True, False):
            self.show_going(is_going=is_going)
            widths.append(self.buttons["start_pause"].sizeHint().width())
        self.buttons["start_pause"].setMinimumWidth(max(widths))
