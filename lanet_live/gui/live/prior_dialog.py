"""Say how frequent the classes are taken to be, beside what the model assumes and EM estimates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lanet_live.config import PriorConfig
from lanet_live.expression.prior import write_prior_file
from lanet_live.expression.shares import MIN_EFFECTIVE
from lanet_live.gui.widgets.class_table import ClassTable
from lanet_live.gui.widgets.prior_box import PriorBox
from lanet_live.records import SharesEstimate

_INTRODUCTION: Final = (
    "The probabilities hold where the classes are as frequent as where the model was calibrated. "
    "Where they are not, choose other shares: what is shown is corrected to them, and a recording "
    "gets columns for it. Raw values, sets and what is reliable stay as they are."
)
_COLUMNS: Final = ("Class", "Model", "In force", "This run")
_TOOLTIPS: Final = (
    "",
    "As frequent as where the model was calibrated.",
    "What is shown is corrected to these.",
    "As frequent as it seems in this run so far. A suggestion; it is never applied by itself.",
)
_NO_SHARES: Final = "This model does not say which class shares it was calibrated for."
_TOO_LITTLE: Final = (
    f"Too little to estimate from: at least {MIN_EFFECTIVE:.0f} independent frames are needed, and "
    "frames of one held expression count as one."
)


@dataclass(frozen=True, slots=True)
class PriorContext:
    """What the dialog needs to know.

    Attributes:
        config: The choice in force.
        labels: Class names, (C,); empty while no model is open.
        class_shares: As the model says, (C,); None if it does not.
        shares: In force, (C,); None: the model's.
        is_recording: A recording is under way; its shares cannot change.
    """

    config: PriorConfig
    labels: tuple[str, ...] = ()
    class_shares: tuple[float, ...] | None = None
    shares: tuple[float, ...] | None = None
    is_recording: bool = False


class PriorDialog(QDialog):
    """Stays open beside the picture; one for the window's life."""

    chosen = Signal(object)  # PriorConfig
    estimate_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Tool)
        self.setWindowTitle("Class shares")
        self._context = PriorContext(PriorConfig())
        self._estimate: SharesEstimate | None = None
        self.box = PriorBox()
        self.table = ClassTable(_COLUMNS, _TOOLTIPS, "Class shares by class")
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._words.setMinimumHeight(3 * self.fontMetrics().height())
        self._words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.ask = QPushButton("Estimate from this run")
        self.ask.setToolTip("Ask how frequent the classes seem to be; nothing is changed by it.")
        self.save = QPushButton("Save the estimate…")
        self.save.setToolTip("Write it as a file that can be chosen here or with --prior.")
        self._lay_out()
        self.box.chosen.connect(self.chosen)
        self.box.failed.connect(self._words.setText)
        self.ask.clicked.connect(self.estimate_asked)
        self.save.clicked.connect(self._on_save)
        self._show()

    @property
    def text(self) -> str:
        """The words below the table."""
        return self._words.text()

    def set_context(self, context: PriorContext) -> None:
        """Take up model and choice of the moment."""
        if context == self._context:
            return
        if context.labels != self._context.labels:
            self._estimate = None
        self._context = context
        self._words.setText("")
        self._show()

    def show_estimate(self, estimate: SharesEstimate | None) -> None:
        """Show what was asked for; None when there is too little to tell."""
        self._estimate = estimate
        self._words.setText(
            _TOO_LITTLE
            if estimate is None
            else f"This run: from {estimate.n_frames} frames, worth about "
            f"{estimate.n_effective:.0f} independent ones. A suggestion; save it and choose the "
            "file to use it."
        )
        self._show()

    def save_estimate(self, path: Path) -> None:
        """Write the estimate as a file that can be chosen."""
        if self._estimate is None:
            return
        pairs = zip(self._estimate.labels, self._estimate.shares, strict=True)
        try:
            # A share of 0 could never be corrected away.
            write_prior_file(path, {label: max(share, 1e-6) for label, share in pairs})
        except OSError as error:
            self._words.setText(f"{path} cannot be written: {error.strerror}.")
        else:
            self._words.setText(f"Written to {path}.")

    def event(self, event: QEvent) -> bool:
        """Keep Esc for itself: a tool window hands keys to the actions of the window behind it."""
        is_override = event.type() == QEvent.Type.ShortcutOverride
        if is_override and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def _show(self) -> None:
        context = self._context
        has_shares = context.class_shares is not None
        self.box.show_prior(context.config)
        self.box.setEnabled(has_shares and not context.is_recording)
        self.ask.setEnabled(has_shares)
        self.save.setEnabled(self._estimate is not None)
        if context.is_recording:
            self._words.setText("A recording is under way; finish it to choose other shares.")
        elif context.labels and not has_shares:
            self._words.setText(_NO_SHARES)
        model = context.class_shares or ()
        estimate = self._estimate.shares if self._estimate else ()
        columns = (model, context.shares or model, estimate)
        self.table.show_rows(
            context.labels,
            [
                (label, *(f"{column[k] * 100:.1f} %" if column else "–" for column in columns))
                for k, label in enumerate(context.labels)
            ],
        )

    def _lay_out(self) -> None:
        introduction = QLabel(_INTRODUCTION)
        introduction.setWordWrap(True)
        introduction.setProperty("secondary", True)
        form = QFormLayout()
        form.addRow("&Class shares", self.box)
        row = QHBoxLayout()
        row.addWidget(self.ask)
        row.addWidget(self.save)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(10)
        column.addWidget(introduction)
        column.addLayout(form)
        column.addWidget(self.table)
        column.addLayout(row)
        column.addWidget(self._words)
        self.table.setMinimumHeight(10 * (self.fontMetrics().height() + 4))
        self.setMinimumWidth(64 * self.fontMetrics().averageCharWidth())

    def _on_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the estimate", "class-shares.csv", "Class shares (*.csv)"
        )
        if path:
            self.save_estimate(Path(path))
