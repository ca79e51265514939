"""The options of what is selected, and the presets."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lanet_live.analysis.item import AnalysisItem, ItemState
from lanet_live.analysis.options import AnalysisOptions
from lanet_live.analysis.presets import PresetBook, apply_preset
from lanet_live.analysis.queue import is_editable
from lanet_live.errors import LanetLiveError
from lanet_live.gui.analyze.options_form import OptionsForm
from lanet_live.gui.messages import Message

_NARROW: Final = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
_OWN_CHOICE: Final = "Own choice"


class OptionsPanel(QFrame):
    """Shows the options of the selected items, or those new items will get."""

    edited = Signal(object)  # options_form.OptionsChange
    message_raised = Signal(object)  # messages.Message

    def __init__(self, presets: PresetBook, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._presets = presets
        self._actions = actions
        self._options = AnalysisOptions()
        self.heading = QLabel()
        self.heading.setProperty("heading", True)
        self.hint = QLabel()
        self.hint.setProperty("secondary", True)
        self.hint.setWordWrap(True)
        # A long file name must not widen the panel.
        self.hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.preset = QComboBox()
        self.preset.setAccessibleName("Preset")
        self.preset.setSizeAdjustPolicy(_NARROW)
        self.preset.setMinimumContentsLength(12)
        self.preset.setToolTip("Use saved options; start, end and folder stay as they are.")
        self.preset.textActivated.connect(self._on_preset)
        self.form = OptionsForm()
        self.form.edited.connect(self.edited)
        self.form.failed.connect(self._on_failed)
        self._lay_out()

    def show_items(self, items: tuple[AnalysisItem, ...], for_new: AnalysisOptions) -> None:
        """Show the options of items, or without any those for new ones."""
        editable = [item for item in items if is_editable(item)]
        shown = (editable or list(items))[:1]
        self._options = shown[0].options if shown else for_new
        self.heading.setText(_heading_for(items))
        self.hint.setText(_hint_for(items, editable))
        self.hint.setVisible(bool(self.hint.text()))
        has_time = not items or any(item.kind != "images" for item in items)
        self.form.show_options(self._options, has_time=has_time)
        self._show_presets()
        for widget in (self.form, self.preset):
            widget.setEnabled(not items or bool(editable))

    def ask_preset_name(self) -> None:
        """Ask for a name and keep the options on show."""
        name, is_given = QInputDialog.getText(self, "Save as preset", "Name of the preset")
        if is_given:
            self.save_preset(name)

    def save_preset(self, name: str) -> None:
        """Keep the options on show under a name."""
        try:
            self._presets.save(name, self._options)
        except LanetLiveError as error:
            self.message_raised.emit(Message("error", f"The preset is not saved. {error}"))
        self._show_presets()

    def delete_preset(self) -> None:
        """Forget the chosen preset, if it is the user's own."""
        try:
            self._presets.delete(self.preset.currentText())
        except LanetLiveError as error:
            self.message_raised.emit(Message("error", f"The preset is not deleted. {error}"))
        self._show_presets()

    def _on_failed(self, sentence: str) -> None:
        self.message_raised.emit(Message("error", sentence))

    def _show_presets(self) -> None:
        """List the presets, with that in front which the options on show are made of."""
        blocker = QSignalBlocker(self.preset)
        self.preset.clear()
        presets = self._presets.presets
        self.preset.addItems([*presets, _OWN_CHOICE])
        fitting = (
            name
            for name, preset in reversed(presets.items())
            if apply_preset(preset, self._options) == self._options
        )
        name = next(fitting, _OWN_CHOICE)
        self.preset.setCurrentText(name)
        self._actions["delete_preset"].setEnabled(self._presets.is_own(name))
        blocker.unblock()

    def _on_preset(self, name: str) -> None:
        preset = self._presets.presets.get(name)
        if preset is not None:
            self.edited.emit(partial(apply_preset, preset))
        else:
            self._show_presets()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.preset, stretch=1)
        for key in ("save_preset", "delete_preset"):
            button = QToolButton()
            button.setDefaultAction(self._actions[key])
            button.setIconSize(QSize(18, 18))
            button.setAccessibleName(self._actions[key].text())
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            row.addWidget(button)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(7)
        column.addWidget(self.heading)
        column.addWidget(self.hint)
        column.addWidget(QLabel("Preset"))
        column.addLayout(row)
        column.addSpacing(4)
        column.addWidget(self.form)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setMinimumWidth(
            content.minimumSizeHint().width() + area.verticalScrollBar().sizeHint().width()
        )
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The panel's surface shows through.
        area.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(1, 1, 1, 1)
        whole.addWidget(area)


def _heading_for(items: tuple[AnalysisItem, ...]) -> str:
    if not items:
        return "Options for new items"
    return "Options" if len(items) == 1 else f"Options of {len(items)} items"


def _hint_for(items: tuple[AnalysisItem, ...], editable: list[AnalysisItem]) -> str:
    if not items:
        return ""
    if len(items) == 1 and items[0].state is ItemState.FAILED:
        return f"Failed: {items[0].reason}"
    if not editable:
        return "These were used. To change them, analyse the item again while the queue is paused."
    if len(editable) < len(items):
        return f"Changes go to the {len(editable)} that are not under way or done."
    return items[0].name if len(items) == 1 else "A change goes to all of them."
