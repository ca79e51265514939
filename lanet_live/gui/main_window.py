"""The shell: assembles workspaces, menus, messages and the status line; has no other function."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, QSize, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from lanet_live.gui.actions import (
    SHELL_ACTIONS,
    ActionInfo,
    build_actions,
    connect_actions,
)
from lanet_live.gui.icons import icon
from lanet_live.gui.menus import WindowMenus
from lanet_live.gui.messages import Message
from lanet_live.gui.rail import Rail, shortcut_of
from lanet_live.gui.settings import Settings
from lanet_live.gui.shortcuts import ShortcutsDialog
from lanet_live.gui.theme import ThemeController
from lanet_live.gui.welcome import WelcomePage
from lanet_live.gui.widgets.banner import Banner
from lanet_live.gui.widgets.status_bar import StatusLine
from lanet_live.gui.workspace import StatusFacts, Workspace


class MainWindow(QMainWindow):
    """One window, its workspaces, one status line."""

    def __init__(
        self, workspaces: Sequence[Workspace], settings: Settings, theme: ThemeController
    ) -> None:
        """Assemble the window.

        Args:
            workspaces: In the order of the rail; the first is in front at the first start.
            settings: Remembered between runs.
            theme: Light or dark.
        """
        super().__init__()
        self.setWindowTitle("LA-Net Live")
        self.setWindowIcon(icon("app"))
        self.setAcceptDrops(True)
        self._workspaces = tuple(workspaces)
        self._settings = settings
        self._theme = theme
        self._facts: dict[Workspace, StatusFacts] = {}
        self._actions = build_actions(SHELL_ACTIONS, self)
        connect_actions(SHELL_ACTIONS, self._actions, self)
        self._rail = Rail(self._workspaces)
        self._rail.setVisible(len(self._workspaces) > 1)
        self._rail.chosen.connect(self.show_workspace)
        self._banner = Banner()
        self._stack = QStackedWidget()
        self._status = StatusLine()
        self._welcome = WelcomePage()
        self._welcome.accepted.connect(self._on_welcome_accepted)
        for workspace in self._workspaces:
            self._stack.addWidget(workspace)
            workspace.message_raised.connect(self.show_message)
            workspace.status_changed.connect(self._on_status_changed)
            workspace.handed_over.connect(self._on_handed_over)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._build_shell())
        self._pages.addWidget(self._welcome)
        self.setCentralWidget(self._pages)
        self._menus = WindowMenus(self.menuBar(), self._actions)
        self._restore()

    @property
    def active(self) -> Workspace:
        """The workspace in front."""
        workspace = self._stack.currentWidget()
        assert isinstance(workspace, Workspace)
        return workspace

    @property
    def banner(self) -> Banner:
        """Where messages appear."""
        return self._banner

    @property
    def status(self) -> StatusLine:
        """The line at the bottom."""
        return self._status

    def show_workspace(self, place: int) -> None:
        """Bring a workspace to the front."""
        if self.active is not self._workspaces[place]:
            self.active.deactivate()
        self._stack.setCurrentIndex(place)
        self._rail.mark(place)
        self._menus.show_for(self.active)
        self._status.show_facts(self._facts.get(self.active, StatusFacts()))
        if self._pages.currentWidget() is not self._welcome:
            self.active.activate()

    def show_message(self, message: Message) -> None:
        """Show a message to the user."""
        self._banner.show_message(message)

    def show_uncaught(self, sentence: str) -> None:
        """Show an unhandled exception."""
        self.show_message(Message("error", sentence))

    # Actions of the shell, named in actions.SHELL_ACTIONS ------------------------------------

    def use_system_appearance(self) -> None:
        """Follow the system's look."""
        self._theme.set_appearance("system")

    def use_light_appearance(self) -> None:
        """Always look light."""
        self._theme.set_appearance("light")

    def use_dark_appearance(self) -> None:
        """Always look dark."""
        self._theme.set_appearance("dark")

    def toggle_full_screen(self) -> None:
        """Use the whole screen, or go back."""
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def show_shortcuts(self) -> None:
        """List what can be done."""
        rooms = tuple(
            ActionInfo(w.key, w.title, f"{w.tooltip}.", shortcut_of(place), "", "")
            for place, w in enumerate(self._workspaces)
        )
        sections: list[tuple[str, tuple[ActionInfo, ...]]] = [
            ("The window", (*rooms, *SHELL_ACTIONS))
        ]
        sections += [(w.title, w.action_infos) for w in self._workspaces]
        ShortcutsDialog(sections, self).open()

    def show_about(self) -> None:
        """Show the first-run page again."""
        self._pages.setCurrentWidget(self._welcome)
        self._welcome.button.setFocus()
        self.menuBar().setEnabled(False)

    def dismiss_message(self) -> None:
        """Put the message away."""
        self._banner.dismiss()

    # Qt ---------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept what a workspace can open."""
        if self._taker_of(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped, in front of all in the workspace on show."""
        taker = self._taker_of(event)
        if taker is not None:
            event.acceptProposedAction()
            self.show_workspace(self._workspaces.index(taker))
            taker.take_drop(_paths_of(event))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop all work, remember the window, and go."""
        self.hide()
        self._settings.set("geometry", bytes(self.saveGeometry().toBase64().data()).decode())
        self._settings.set("workspace", self.active.key)
        self._settings.set("appearance", self._theme.appearance)
        for workspace in self._workspaces:
            workspace.remember(self._settings)
            workspace.shut_down()
        self._settings.save()
        event.accept()

    # Assembly -------------------------------------------------------------------------------

    def _build_shell(self) -> QWidget:
        middle = QVBoxLayout()
        middle.setContentsMargins(8, 8, 8, 8)
        middle.setSpacing(8)
        middle.addWidget(self._banner)
        middle.addWidget(self._stack, stretch=1)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._rail)
        row.addLayout(middle, stretch=1)
        shell = QWidget()
        column = QVBoxLayout(shell)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row, stretch=1)
        column.addWidget(self._status)
        return shell

    def _restore(self) -> None:
        # What lies below the edge of a small or scaled screen cannot be reached.
        self.resize(QSize(1280, 800).boundedTo(self.screen().availableSize()))
        geometry = self._settings.text("geometry")
        if geometry:
            self.restoreGeometry(QByteArray.fromBase64(QByteArray(geometry.encode())))
        for workspace in self._workspaces:
            workspace.restore(self._settings)
        if not self._settings.flag("is_welcomed", default=False):
            self.show_about()
        keys = [workspace.key for workspace in self._workspaces]
        key = self._settings.text("workspace")
        self.show_workspace(keys.index(key) if key in keys else 0)

    def _on_welcome_accepted(self) -> None:
        self._settings.set("is_welcomed", True)
        self._settings.save()
        self._pages.setCurrentIndex(0)
        self.menuBar().setEnabled(True)
        self.active.activate()

    def _on_handed_over(self, key: str, path: Path) -> None:
        """Let another workspace open something; without that one, show the folder."""
        for place, workspace in enumerate(self._workspaces):
            if workspace.key == key:
                self.show_workspace(place)
                workspace.open_path(path)
                return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _on_status_changed(self, facts: StatusFacts) -> None:
        workspace = self.sender()
        if isinstance(workspace, Workspace):
            self._facts[workspace] = facts
            if workspace is self.active:
                self._status.show_facts(facts)

    def _taker_of(self, event: QDropEvent) -> Workspace | None:
        """Return the workspace that takes all that is dragged, the one in front first."""
        paths = _paths_of(event)
        in_order = [self.active, *self._workspaces]
        takers = [w for w in in_order if paths and all(w.accepts(path) for path in paths)]
        return takers[0] if takers else None


def _paths_of(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
