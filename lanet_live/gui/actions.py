"""What the user can do, as data. Menus, tool bars, shortcuts and their list are made from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from lanet_live.gui.icons import icon


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """One thing the user can do.

    Attributes:
        key: Unique name.
        text: As in the menu.
        tooltip: One sentence: what it does.
        shortcut: As Qt writes it; every action has one.
        handler: The method called, seen from the owner, e.g. "close" or "timeline.follow"; a
            checkable action passes its state.
        menu: Title of the menu it stands in.
        icon_name: File in ``assets/icons``, or empty.
        is_checkable: It stays on or off.
        begins_group: A separator stands before it.
        caption: Shorter text for a button; empty for the menu's.
    """

    key: str
    text: str
    tooltip: str
    shortcut: str
    handler: str
    menu: str
    icon_name: str = ""
    is_checkable: bool = False
    begins_group: bool = False
    caption: str = ""


SHELL_ACTIONS: Final = (
    ActionInfo(
        "appearance_system",
        "Look: follow the system",
        "Light or dark as the system is set.",
        "Ctrl+Alt+1",
        "use_system_appearance",
        "View",
    ),
    ActionInfo(
        "appearance_light",
        "Look: light",
        "Always light.",
        "Ctrl+Alt+2",
        "use_light_appearance",
        "View",
    ),
    ActionInfo(
        "appearance_dark",
        "Look: dark",
        "Always dark.",
        "Ctrl+Alt+3",
        "use_dark_appearance",
        "View",
    ),
    ActionInfo(
        "full_screen",
        "Full screen",
        "Use the whole screen, or go back.",
        "F11",
        "toggle_full_screen",
        "View",
        begins_group=True,
    ),
    ActionInfo(
        "shortcuts",
        "Keyboard shortcuts",
        "List everything that can be done and its key.",
        "?",
        "show_shortcuts",
        "Help",
        icon_name="help",
    ),
    ActionInfo(
        "about",
        "What this tool can and cannot tell",
        "Meaning of the values, privacy and legal limits.",
        "F1",
        "show_about",
        "Help",
        icon_name="info",
    ),
    ActionInfo(
        "dismiss_message",
        "Dismiss the message",
        "Close the message at the top of the window.",
        "Esc",
        "dismiss_message",
        "Help",
    ),
    ActionInfo("quit", "Quit", "Stop everything and close the window.", "Ctrl+Q", "close", "File"),
)


def build_actions(infos: Iterable[ActionInfo], parent: QObject) -> dict[str, QAction]:
    """Make Qt's actions, connected to nothing yet."""
    actions = {}
    for info in infos:
        action = QAction(info.text, parent)
        action.setObjectName(info.key)
        action.setIconText(info.caption or info.text)
        action.setToolTip(f"{info.tooltip} ({info.shortcut})")
        action.setStatusTip(info.tooltip)
        action.setShortcut(QKeySequence(info.shortcut))
        action.setCheckable(info.is_checkable)
        if info.icon_name:
            action.setIcon(icon(info.icon_name))
        actions[info.key] = action
    return actions


def connect_actions(
    infos: Iterable[ActionInfo], actions: Mapping[str, QAction], owner: QObject
) -> None:
    """Connect each action to its handler.

    Raises:
        AttributeError: The owner has no such method.
    """
    for info in infos:
        action = actions[info.key]
        signal = action.toggled if info.is_checkable else action.triggered
        signal.connect(attrgetter(info.handler)(owner))


def fill_menu(
    menu: QMenu, infos: Iterable[ActionInfo], actions: Mapping[str, QAction], title: str
) -> None:
    """Put the actions that belong into the menu of this title, in order."""
    for info in infos:
        if info.menu == title:
            if info.begins_group and not menu.isEmpty():
                menu.addSeparator()
            menu.addAction(actions[info.key])
