"""What the shell asks of a workspace. The main window knows no more of one than this."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from lanet_live.gui.actions import ActionInfo, build_actions, connect_actions
from lanet_live.gui.settings import Settings


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """What the status bar shows. Empty or None where there is nothing to show.

    Attributes:
        state: One word: "Running", "Paused", "Ready", ...
        source: Name and size of the picture.
        engine: Runtime and device.
        precision: Of the model.
        fps: Results a second.
        latency_ms: Capture to paint, median.
        n_dropped: Frames of the source lost since the start.
        is_alert: The state needs attention.
    """

    state: str = "Ready"
    source: str = ""
    engine: str = ""
    precision: str = ""
    fps: float | None = None
    latency_ms: float | None = None
    n_dropped: int | None = None
    is_alert: bool = False


class Workspace(QWidget):
    """One of the window's rooms.

    A subclass sets the class attributes, builds itself, then calls `connect_actions`, and overrides
    what it needs of the methods below. It reports changes with the signals.
    """

    key: ClassVar[str] = ""
    title: ClassVar[str] = ""
    icon_name: ClassVar[str] = ""
    tooltip: ClassVar[str] = ""
    action_infos: ClassVar[tuple[ActionInfo, ...]] = ()

    message_raised = Signal(object)  # messages.Message
    status_changed = Signal(object)  # StatusFacts
    handed_over = Signal(str, object)  # key of the workspace that should open it, Path

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.actions_by_key: dict[str, QAction] = build_actions(self.action_infos, self)

    def connect_actions(self) -> None:
        """Connect every action to its handler; called once all of them exist."""
        connect_actions(self.action_infos, self.actions_by_key, self)

    def activate(self) -> None:
        """Come to the front."""

    def deactivate(self) -> None:
        """Go behind another workspace; work under way goes on."""

    def accepts(self, path: Path) -> bool:
        """Whether a dropped file or folder can be opened here."""
        return False

    def open_path(self, path: Path) -> None:
        """Open a file or folder this workspace accepts."""

    def take_drop(self, paths: Sequence[Path]) -> None:
        """Open what was dropped, all of which this workspace accepts."""
        for path in paths:
            self.open_path(path)

    def restore(self, settings: Settings) -> None:
        """Take up what was remembered."""

    def remember(self, settings: Settings) -> None:
        """Put into the settings what the next run should know."""

    def shut_down(self) -> None:
        """Stop all work and wait for it; called once, when the window closes."""
