"""A choice of class shares: as the model was fitted, balanced, or from a file."""

from pathlib import Path
from typing import Final

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QWidget

from lanet_live.config import BALANCED, FITTED, PriorConfig
from lanet_live.errors import LanetLiveError
from lanet_live.expression.prior import read_prior_file

_FITTED: Final = "As fitted"
_BALANCED: Final = "Balanced"
_FROM_FILE: Final = "From a file…"
_FILTER: Final = "Class shares (*.csv *.json);;All files (*)"


class PriorBox(QComboBox):
    """Tells what the user chose; shows nothing by itself."""

    chosen = Signal(object)  # PriorConfig
    failed = Signal(str)  # a sentence: the file is not usable

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Class shares")
        self.setToolTip(
            "How frequent the classes are taken to be. Other shares than the model's give values "
            "of their own; the raw ones stay."
        )
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self._config = PriorConfig()
        self.show_prior(self._config)
        self.activated.connect(self._on_activated)

    def show_prior(self, config: PriorConfig) -> None:
        """Show a choice without telling that anything was chosen."""
        blocker = QSignalBlocker(self)
        self._config = config
        self.clear()
        self.addItem(_FITTED, PriorConfig(FITTED, FITTED))
        self.addItem(_BALANCED, PriorConfig(BALANCED, BALANCED))
        if config.kind not in (FITTED, BALANCED):
            self.addItem(config.name, config)
        self.addItem(_FROM_FILE, None)
        self.setCurrentIndex([FITTED, BALANCED, config.kind].index(config.kind))
        blocker.unblock()

    def take_file(self, path: Path) -> None:
        """Choose the shares of a file."""
        try:
            self.chosen.emit(read_prior_file(path))
        except LanetLiveError as error:
            self.failed.emit(str(error))

    def _on_activated(self, place: int) -> None:
        config = self.itemData(place)
        # Shown again only when whoever listens has taken it up.
        self.show_prior(self._config)
        if config is not None:
            self.chosen.emit(config)
            return
        path, _ = QFileDialog.getOpenFileName(self, "Class shares from a file", "", _FILTER)
        if path:
            self.take_file(Path(path))
