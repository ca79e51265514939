"""Light and dark looks, following the system unless the user chose one.

Widgets take their colours from `QWidget.palette()`; a change of theme reaches them as an ordinary
palette change. The roles used: Window, Base (surfaces), AlternateBase (quiet fills), Mid (lines),
Text, PlaceholderText (secondary text), Highlight (the one accent).
"""

from dataclasses import asdict, dataclass
from string import Template
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from lanet_live.resources import asset_path

APPEARANCES: Final = ("system", "light", "dark")


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of one look, as ``#rrggbb``."""

    window: str
    surface: str
    quiet: str
    line: str
    text: str
    secondary_text: str
    accent: str
    accent_text: str
    danger: str
    good: str
    warning_ground: str
    warning_text: str
    error_ground: str
    error_text: str
    info_ground: str
    info_text: str


LIGHT: Final = Theme(
    window="#f3f5f7",
    surface="#ffffff",
    quiet="#e9edf1",
    line="#d3d9e0",
    text="#1b2027",
    secondary_text="#56616d",
    accent="#1f66ad",
    accent_text="#ffffff",
    danger="#b92c28",
    good="#1d7a4b",
    warning_ground="#fdf1d6",
    warning_text="#5f4400",
    error_ground="#fbe4e2",
    error_text="#7c1713",
    info_ground="#e2eefa",
    info_text="#173f68",
)
DARK: Final = Theme(
    window="#15181d",
    surface="#1c2026",
    quiet="#282e36",
    line="#363e48",
    text="#e6e9ed",
    secondary_text="#a0abb7",
    accent="#6fb1f0",
    accent_text="#0d1722",
    danger="#f0716b",
    good="#5cc792",
    warning_ground="#3d3216",
    warning_text="#f6d98a",
    error_ground="#46201f",
    error_text="#ffc4c0",
    info_ground="#1c3349",
    info_text="#bfddfa",
)


class ThemeController(QObject):
    """Applies the chosen look to the application and follows the system when asked to."""

    def __init__(self, app: QApplication, appearance: str = "system") -> None:
        super().__init__(app)
        self._app = app
        self._appearance = appearance if appearance in APPEARANCES else "system"
        app.setStyle("Fusion")
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_scheme_changed)
        self._apply()

    theme_changed = Signal()

    @property
    def appearance(self) -> str:
        """What the user chose, one of `APPEARANCES`."""
        return self._appearance

    @property
    def theme(self) -> Theme:
        """The look in force."""
        if self._appearance != "system":
            return DARK if self._appearance == "dark" else LIGHT
        is_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return DARK if is_dark else LIGHT

    def set_appearance(self, appearance: str) -> None:
        """Switch to one of `APPEARANCES`."""
        if appearance != self._appearance:
            self._appearance = appearance
            self._apply()

    def _on_scheme_changed(self, _scheme: Qt.ColorScheme) -> None:
        if self._appearance == "system":
            self._apply()

    def _apply(self) -> None:
        theme = self.theme
        self._app.setPalette(build_palette(theme))
        template = Template(asset_path("style.qss").read_text(encoding="utf-8"))
        # The few symbols the style sheet draws itself.
        name = "dark" if theme is DARK else "light"
        look = asset_path(f"icons/{name}/tick.svg").parent.as_posix()
        self._app.setStyleSheet(template.substitute(asdict(theme), look=look))
        self.theme_changed.emit()


def build_palette(theme: Theme) -> QPalette:
    """Put a theme into Qt's roles."""
    role = QPalette.ColorRole
    palette = QPalette()
    for color_role, color in (
        (role.Window, theme.window),
        (role.WindowText, theme.text),
        (role.Base, theme.surface),
        (role.AlternateBase, theme.quiet),
        (role.Text, theme.text),
        (role.PlaceholderText, theme.secondary_text),
        (role.Button, theme.surface),
        (role.ButtonText, theme.text),
        (role.BrightText, theme.danger),
        (role.Highlight, theme.accent),
        (role.HighlightedText, theme.accent_text),
        (role.Link, theme.accent),
        (role.LinkVisited, theme.accent),
        (role.ToolTipBase, theme.surface),
        (role.ToolTipText, theme.text),
        (role.Light, theme.surface),
        (role.Midlight, theme.quiet),
        (role.Mid, theme.line),
        (role.Dark, theme.line),
        (role.Shadow, theme.line),
        (role.Accent, theme.accent),
    ):
        palette.setColor(color_role, QColor(color))
    faint = QColor(theme.secondary_text)
    faint.setAlphaF(0.55)
    for color_role in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, color_role, faint)
    return palette
