"""Names of a session's files, and a fresh folder for a new one."""

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from lanet_live.errors import SinkError
from lanet_live.sinks.output_file import sink_error

SESSION_FILE: Final = "session.json"
FRAMES_FILE: Final = "frames.csv"
CORRECTED_FILE: Final = "corrected.csv"
EVENTS_FILE: Final = "events.csv"
FACES_FILE: Final = "faces.csv"
VIDEO_FILE: Final = "video.mp4"

_MAX_TITLE_CHARS: Final = 40
_MAX_ATTEMPTS: Final = 100


def create_session_folder(root: Path, title: str, now: datetime) -> Path:
    """Make a new folder named after the moment and the source.

    Args:
        root: Where sessions are kept; made if missing.
        title: Of the source; characters no file system likes are replaced.
        now: Local time.

    Raises:
        SinkError: It cannot be made.
    """
    tidy = re.sub(r"[^\w.-]+", "-", title).strip("-.")[:_MAX_TITLE_CHARS]
    stem = f"{now:%Y-%m-%d_%H-%M-%S}" + (f"_{tidy}" if tidy else "")
    for attempt in range(_MAX_ATTEMPTS):
        folder = root / (stem if attempt == 0 else f"{stem}_{attempt + 1}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise sink_error(folder, error) from error
        return folder
    raise SinkError(f"{root / stem} is already there, and so are {_MAX_ATTEMPTS} more like it.")


def is_session_folder(path: Path) -> bool:
    """Whether a folder looks like a session."""
    return (path / SESSION_FILE).is_file()
