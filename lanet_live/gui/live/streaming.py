"""The switch that offers estimates and markers over LSL. Off until the user switches it on."""

from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction

from lanet_live.errors import LanetLiveError
from lanet_live.gui.live.run import LiveRun
from lanet_live.gui.messages import Message
from lanet_live.sessions.events import SessionEvent
from lanet_live.sinks.lsl import STREAM_NAME, LslSink

_ON_TEXT: Final = (
    f"Estimates and markers are offered on the local network over LSL, as “{STREAM_NAME}”. "
    "No picture is sent."
)


class StreamingControl(QObject):
    """Opens the streams with every run while the switch is on. Lives in the GUI thread."""

    message_raised = Signal(object)  # messages.Message

    def __init__(self, run: LiveRun, switch: QAction, parent: QObject) -> None:
        """Send nothing yet.

        Args:
            run: Whose results are sent.
            switch: Unchecked again when sending is not possible.
            parent: The owner.
        """
        super().__init__(parent)
        self._run = run
        self._switch = switch
        self._sink: LslSink | None = None
        run.ended.connect(self._forget)

    @property
    def is_sending(self) -> bool:
        """Whether the streams are open."""
        return self._sink is not None

    def set_on(self, is_on: bool) -> None:
        """Send from now on, in this run and the next ones, or stop it."""
        if is_on:
            self.begin()
        elif self._sink is not None:
            if self._run.runner is not None:
                self._run.runner.remove_sink(self._sink)
            self._forget()

    def begin(self) -> None:
        """Open the streams if the switch is on and source and model are known."""
        runner, setup = self._run.runner, self._run.setup
        if not self._switch.isChecked() or self._sink is not None:
            return
        try:
            sink = LslSink()
            if runner is None or setup is None or not self._run.state.is_active:
                return
            sink.open(setup)
        except LanetLiveError as error:
            self._switch.setChecked(False)
            self.message_raised.emit(Message("error", str(error)))
            return
        self._sink = sink
        runner.add_sink(sink)
        self.message_raised.emit(Message("info", _ON_TEXT, timeout_s=10))

    def add_event(self, event: SessionEvent) -> None:
        """Send a marker, if the streams are open."""
        if self._sink is not None:
            number = "" if event.number is None else str(event.number)
            text = " ".join(part for part in (number, event.name, event.note) if part)
            self._sink.mark(text, event.timestamp_s)

    def _forget(self) -> None:
        """Take note that the run is over; the worker closes the streams."""
        self._sink = None
