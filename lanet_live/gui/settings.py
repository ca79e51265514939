"""What the window remembers between runs. A broken file never keeps the window from opening.

Not QSettings: its INI files turn numbers and flags into text, so that a value of the wrong type
cannot be recognised, and on Windows it writes to the registry.
"""

import json
import logging
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

logger = logging.getLogger(__name__)

_MAX_CHARS = 1_000_000
_LARGEST = 1e12  # also keeps out NaN and infinity, which JSON's dialects allow


def default_settings_path() -> Path:
    """Return where the settings of this user are kept."""
    return user_config_path("lanet-live", appauthor=False) / "settings.json"


class Settings:
    """Named values in one JSON file; a value of the wrong type counts as absent."""

    def __init__(self, path: Path) -> None:
        """Read the file; a missing or broken one gives empty settings."""
        self._path = path
        self._values = _read(path)

    def text(self, key: str, default: str = "") -> str:
        """Return a text value."""
        value = self._values.get(key)
        return value if isinstance(value, str) else default

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a yes-or-no value."""
        value = self._values.get(key)
        return value if isinstance(value, bool) else default

    def number(self, key: str, default: float) -> float:
        """Return a finite number."""
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return default
        return float(value) if abs(value) < _LARGEST else default

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._values.get(key)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        return default

    def set(self, key: str, value: str | bool | float | tuple[str, ...]) -> None:
        """Remember a value; `save` writes it."""
        self._values[key] = list(value) if isinstance(value, tuple) else value

    def save(self) -> None:
        """Write the file whole or not at all; failing is logged, never raised."""
        draft = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(self._values, indent=1), encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            logger.warning("the settings could not be written to %s: %s", self._path, error)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            values = json.loads(file.read(_MAX_CHARS))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("the settings in %s are not readable and start afresh: %s", path, error)
        return {}
    return values if isinstance(values, dict) else {}
