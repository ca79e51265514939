"""The menus of the window: those of the workspace in front, with the shell's own at their ends."""

from collections.abc import Mapping
from typing import Final

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenuBar

from lanet_live.gui.actions import SHELL_ACTIONS, fill_menu
from lanet_live.gui.workspace import Workspace

_ORDER: Final = ("File", "Live", "Markers", "Analyze", "Review", "Edit", "View", "Help")


class WindowMenus:
    """Fills the menu bar for one workspace at a time.

    An action that stands in no visible menu or button has no key either, so that the same key can
    mean something else in another workspace.

    Args:
        bar: The window's menu bar.
        shell_actions: Of `SHELL_ACTIONS`, by key; they are always there.
    """

    def __init__(self, bar: QMenuBar, shell_actions: Mapping[str, QAction]) -> None:
        self._bar = bar
        self._shell_actions = shell_actions
        self._menus = {title: bar.addMenu(title) for title in _ORDER}

    def show_for(self, workspace: Workspace) -> None:
        """Show the menus of a workspace.

        Raises:
            ValueError: One of its actions names a menu that does not exist.
        """
        unknown = {info.menu for info in workspace.action_infos} - set(_ORDER)
        if unknown:
            raise ValueError(f"there is no menu {', '.join(sorted(unknown))}; there are {_ORDER}")
        for title, menu in self._menus.items():
            menu.clear()
            fill_menu(menu, workspace.action_infos, workspace.actions_by_key, title)
            if not menu.isEmpty():
                menu.addSeparator()
            fill_menu(menu, SHELL_ACTIONS, self._shell_actions, title)
            menu.menuAction().setVisible(any(not a.isSeparator() for a in menu.actions()))
