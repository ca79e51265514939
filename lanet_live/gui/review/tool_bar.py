"""The row above the picture: open, play, select, edit, export."""

from collections.abc import Mapping
from typing import Final

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from lanet_live.gui.icons import icon
from lanet_live.gui.review.player import SPEEDS, Player
from lanet_live.gui.widgets.divider import divider
from lanet_live.gui.widgets.lane import format_time
from lanet_live.gui.widgets.tool_button import action_button, style_button

_OPEN: Final = (
    *("review_open", "review_open_table", "review_video"),
    *("compare", "compare_table"),
)
_TABLES: Final = ("export_table", "export_selection")
_EXPORTS: Final = (*_TABLES, "export_plot", "export_video", "export_report")


class ReviewToolBar(QWidget):
    """Buttons of the Review workspace; their actions belong to the workspace."""

    def __init__(self, actions: Mapping[str, QAction], player: Player) -> None:
        super().__init__()
        self._actions = actions
        self._player = player
        self.speed = QComboBox()
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g} ×", speed)
        self.speed.setCurrentIndex(SPEEDS.index(player.speed))
        self.speed.setAccessibleName("Speed")
        self.speed.setToolTip("How fast it plays ([ and ]).")
        self._time = QLabel()
        self._time.setAccessibleName("Moment")
        self._time.setToolTip("Moment of the frame on show, and of the last one.")
        self._time.setMinimumWidth(self.fontMetrics().horizontalAdvance("00:00.00 of 00:00.00  "))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        row.addWidget(self._menu_button("Open", "folder", _OPEN, "Open a session or a table."))
        row.addWidget(divider())
        row.addWidget(self._button("frame_back"))
        row.addWidget(self._button("play", has_text=True))
        row.addWidget(self._button("frame_ahead"))
        row.addWidget(self.speed)
        row.addWidget(self._time)
        row.addWidget(divider())
        for key in ("mark_in", "mark_out", "exclude", "add_event"):
            row.addWidget(self._button(key, has_text=True))
        row.addWidget(divider())
        row.addWidget(self._button("undo"))
        row.addWidget(self._button("redo"))
        row.addStretch(1)
        row.addWidget(QLabel("Show"))
        for key in ("review_box", "review_label"):
            row.addWidget(self._button(key))
        row.addWidget(self._menu_button("Export", "export", _EXPORTS, "Write what you see."))
        self.speed.activated.connect(self._on_speed_picked)
        player.changed.connect(self.show_player)

    def show_moment(self, time_s: float, last_s: float) -> None:
        """Write where the playhead is."""
        now, end = (format_time(value, n_decimals=2) for value in (time_s, last_s))
        self._time.setText(f"{now} of {end}")

    def show_player(self) -> None:
        """Let the buttons say what pressing them does now."""
        is_playing = self._player.is_playing
        self._actions["play"].setIcon(icon("pause" if is_playing else "play"))
        self._actions["play"].setIconText("Hold" if is_playing else "Play")
        self.speed.setCurrentIndex(SPEEDS.index(self._player.speed))

    def _on_speed_picked(self, _row: int) -> None:
        self._player.set_speed(self.speed.currentData())

    def _button(self, key: str, *, has_text: bool = False) -> QToolButton:
        button = action_button(self._actions[key], has_text=has_text)
        button.setAccessibleName(self._actions[key].text())
        return button

    def _menu_button(
        self, text: str, icon_name: str, keys: tuple[str, ...], tooltip: str
    ) -> QToolButton:
        menu = QMenu(self)
        for key in keys:
            menu.addAction(self._actions[key])
        button = QToolButton()
        button.setText(text)
        button.setIcon(icon(icon_name))
        button.setToolTip(tooltip)
        button.setAccessibleName(text)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(menu)
        return style_button(button, has_text=True)
