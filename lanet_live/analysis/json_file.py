"""A small JSON file that is whole at every moment; a damaged one is set aside, not deleted."""

import json
import logging
from pathlib import Path
from typing import Any, Final

from lanet_live.errors import ConfigError
from lanet_live.sinks.output_file import published

logger = logging.getLogger(__name__)

_MAX_CHARS: Final = 20_000_000


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Replace the file.

    Raises:
        ConfigError: Its folder cannot be made.
        SinkError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path.parent} cannot be made: {error.strerror}.") from error
    with published(path, overwrite=True) as part:
        part.write_text(json.dumps(document, indent=1), encoding="utf-8")


def read_document(path: Path) -> tuple[dict[str, Any], str]:
    """Read the file.

    Returns:
        The document, empty if there is none, and one sentence if it was broken and put aside.
    """
    problem = "it holds no table of values"
    try:
        with path.open(encoding="utf-8") as file:
            document = json.loads(file.read(_MAX_CHARS))
        if isinstance(document, dict):
            return document, ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, RecursionError) as error:
        problem = str(error)
    logger.warning("%s is not readable: %s", path, problem)
    return {}, f"{path.name} was not readable and starts afresh{_put_aside(path)}."


def _put_aside(path: Path) -> str:
    aside = path.with_name(f"{path.name}.broken")
    try:
        path.replace(aside)
    except OSError:
        return ""
    return f"; the old one is kept as {aside}"
