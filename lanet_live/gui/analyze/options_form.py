"""The fields of an item's options."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from lanet_live.analysis.options import MAX_EVERY_N, MAX_FACES, AnalysisOptions
from lanet_live.analysis.result_folder import BESIDE_SOURCE
from lanet_live.config import COLUMN_SETS, EXPORT_FORMATS, PriorConfig
from lanet_live.gui.widgets.prior_box import PriorBox

_FORMAT_TEXTS: Final = {
    "csv": "Table (CSV)",
    "jsonl": "Table (JSON lines)",
    "parquet": "Table (Parquet)",
    "video": "Annotated video (MP4)",
    "plot": "Timeline (PNG)",
}
_COLUMN_TEXTS: Final = {"basic": "Basic", "full": "Full"}
_MAX_TIME_S: Final = 1_000_000.0

OptionsChange = Callable[[AnalysisOptions], AnalysisOptions]


class OptionsForm(QWidget):
    """Shows options and reports what the user changed, and only that."""

    edited = Signal(object)  # OptionsChange
    failed = Signal(str)  # a sentence: a choice is not usable

    def __init__(self) -> None:
        super().__init__()
        self._out_dir: Path | None = None
        self.start = self._time_box("beginning", "From this time of the source on.")
        self.end = self._time_box("end", "Up to this time of the source.")
        self.every = QSpinBox()
        self.every.setRange(1, MAX_EVERY_N)
        self.every.setToolTip("1 analyses every frame, 5 the first and every fifth after it.")
        self.faces = QSpinBox()
        self.faces.setRange(1, MAX_FACES)
        self.faces.setToolTip("Faces looked for in a frame; more cost time on every frame.")
        self.columns = QComboBox()
        for name in COLUMN_SETS:
            self.columns.addItem(_COLUMN_TEXTS[name], name)
        self.columns.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.columns.setMinimumContentsLength(12)
        self.columns.setToolTip("Full adds 52 blendshapes and 478 landmarks to the tables.")
        self.prior = PriorBox()
        self.formats = {name: QCheckBox(_FORMAT_TEXTS[name]) for name in EXPORT_FORMATS}
        self.folder = QLineEdit()
        self.folder.setReadOnly(True)
        self.folder.setPlaceholderText("Beside the source")
        self.folder.setToolTip(
            f"Each item gets a new folder in here. Without one: “{BESIDE_SOURCE}” beside the "
            "source, or inside its session."
        )
        self.browse = QPushButton("Choose…")
        self.browse.setToolTip("Choose where results go.")
        self.beside = QPushButton("Reset")
        self.beside.setToolTip("Put results beside the source again.")
        self._lay_out()
        self._connect()

    def show_options(self, options: AnalysisOptions, *, has_time: bool) -> None:
        """Show options without telling that anything was edited.

        Args:
            options: To show.
            has_time: Time runs in what they belong to, so that a part of it can be chosen.
        """
        blockers = [QSignalBlocker(widget) for widget in self.findChildren(QWidget)]
        self.start.setValue(options.start_s or 0.0)
        self.end.setValue(options.end_s or 0.0)
        self.every.setValue(options.every_n)
        self.faces.setValue(options.max_faces)
        self.columns.setCurrentIndex(self.columns.findData(options.columns))
        self.prior.show_prior(options.prior)
        for name, box in self.formats.items():
            box.setChecked(name in options.formats)
        self._out_dir = options.out_dir
        self.folder.setText("" if options.out_dir is None else str(options.out_dir))
        for blocker in blockers:
            blocker.unblock()
        for widget in (self.start, self.end, self.formats["plot"]):
            # What is switched on stays reachable, so that it can be switched off.
            widget.setEnabled(has_time or _is_set(widget))
        self.beside.setEnabled(options.out_dir is not None)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(7)
        form.setHorizontalSpacing(10)
        for text, widget in (
            ("From", self.start),
            ("To", self.end),
            ("Every n-th frame", self.every),
            ("Faces at most", self.faces),
            ("Columns", self.columns),
            ("Class shares", self.prior),
        ):
            form.addRow(text, widget)
            widget.setMinimumHeight(self.fontMetrics().height() + 10)
            widget.setAccessibleName(text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(7)
        column.addLayout(form)
        column.addSpacing(6)
        column.addWidget(_heading("Files to write"))
        for box in self.formats.values():
            column.addWidget(box)
        column.addSpacing(6)
        column.addWidget(_heading("Results go to"))
        self.folder.setAccessibleName("Folder for results")
        column.addWidget(self.folder)
        row = QHBoxLayout()
        row.addWidget(self.browse)
        row.addWidget(self.beside)
        row.addStretch(1)
        column.addLayout(row)

    def _connect(self) -> None:
        self.start.valueChanged.connect(self._on_start)
        self.end.valueChanged.connect(self._on_end)
        self.every.valueChanged.connect(self._on_every)
        self.faces.valueChanged.connect(self._on_faces)
        self.columns.currentIndexChanged.connect(self._on_columns)
        self.prior.chosen.connect(self._on_prior)
        self.prior.failed.connect(self.failed)
        for box in self.formats.values():
            box.toggled.connect(self._on_formats)
        self.browse.clicked.connect(self._on_browse)
        self.beside.clicked.connect(self._on_beside)

    def _on_start(self, value: float) -> None:
        self.edited.emit(partial(replace, start_s=value or None))

    def _on_end(self, value: float) -> None:
        self.edited.emit(partial(replace, end_s=value or None))

    def _on_every(self, value: int) -> None:
        self.edited.emit(partial(replace, every_n=value))

    def _on_faces(self, value: int) -> None:
        self.edited.emit(partial(replace, max_faces=value))

    def _on_columns(self) -> None:
        self.edited.emit(partial(replace, columns=self.columns.currentData()))

    def _on_prior(self, prior: PriorConfig) -> None:
        self.edited.emit(partial(replace, prior=prior))

    def _on_formats(self) -> None:
        chosen = tuple(name for name, box in self.formats.items() if box.isChecked())
        self.edited.emit(partial(replace, formats=chosen))

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for results", self.folder.text())
        if folder:
            self.edited.emit(partial(replace, out_dir=Path(folder)))

    def _on_beside(self) -> None:
        self.edited.emit(partial(replace, out_dir=None))

    @staticmethod
    def _time_box(text_for_none: str, tooltip: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0.0, _MAX_TIME_S)
        box.setDecimals(2)
        box.setSuffix(" s")
        box.setSpecialValueText(text_for_none)
        box.setKeyboardTracking(False)
        box.setToolTip(f"{tooltip} 0 stands for the {text_for_none}.")
        return box


def _is_set(widget: QWidget) -> bool:
    if isinstance(widget, QCheckBox):
        return widget.isChecked()
    return isinstance(widget, QDoubleSpinBox) and widget.value() > 0


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("heading", True)
    return label
