"""Holds the choice of class shares, puts it to use, and gathers what an estimate of them needs."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lanet_live.config import PriorConfig
from lanet_live.errors import ConfigError
from lanet_live.expression.prior import Prior, resolve_prior
from lanet_live.expression.shares import SharesCollector
from lanet_live.gui.bridge import Moment
from lanet_live.gui.live.prior_dialog import PriorContext, PriorDialog
from lanet_live.gui.live.run import LiveRun
from lanet_live.gui.messages import Message
from lanet_live.sinks.metadata import RunSetup


class PriorControl(QObject):
    """Lives in the GUI thread. The choice stays from run to run, until the window closes."""

    changed = Signal(object)  # Prior or None
    message_raised = Signal(object)  # messages.Message

    def __init__(self, run: LiveRun, config: PriorConfig, window: QWidget) -> None:
        """Begin with a choice.

        Args:
            run: What is corrected.
            config: The choice of the command line.
            window: The dialog opens beside it.
        """
        super().__init__(window)
        self._run = run
        self._config = config
        self._is_recording = False
        self._collector: SharesCollector | None = None
        self.dialog = PriorDialog(window)
        self.dialog.chosen.connect(self.choose)
        self.dialog.estimate_asked.connect(self._on_estimate_asked)

    @property
    def config(self) -> PriorConfig:
        """The choice in force."""
        return self._config

    def begin(self, setup: RunSetup) -> None:
        """Take up a run whose model is known now."""
        self._collector = SharesCollector(
            setup.spec.labels,
            setup.spec.class_shares,
            min_quality=setup.min_quality,
            is_independent=setup.facts.has_independent_frames,
        )
        self.choose(self._config)

    def take(self, moment: Moment) -> None:
        """Take in one frame."""
        if self._collector is not None:
            self._collector.add(moment.estimates)

    def choose(self, config: PriorConfig) -> None:
        """Correct to these shares from the next frame on; what does not fit the model is told."""
        setup = self._run.setup
        if setup is not None:
            try:
                prior = resolve_prior(config, setup.spec)
            except ConfigError as error:
                self.message_raised.emit(Message("error", str(error)))
                self._inform()
                return
            self._apply(prior)
        self._config = config
        self._inform()

    def show(self) -> None:
        """Open the dialog beside the picture."""
        self._inform()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def set_recording(self, is_on: bool) -> None:
        """Lock the choice while a recording is under way: its columns are given by then."""
        self._is_recording = is_on
        self._inform()

    def _apply(self, prior: Prior | None) -> None:
        self._run.set_prior(prior)
        self.changed.emit(prior)

    def _inform(self) -> None:
        setup = self._run.setup
        self.dialog.set_context(
            PriorContext(
                config=self._config,
                labels=setup.spec.labels if setup else (),
                class_shares=setup.spec.class_shares if setup else None,
                shares=setup.prior_shares if setup else None,
                is_recording=self._is_recording,
            )
        )

    def _on_estimate_asked(self) -> None:
        self.dialog.show_estimate(self._collector.estimate() if self._collector else None)
