"""One entry of the queue, and how files and folders become entries."""

import os
import uuid
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from lanet_live.analysis.options import AnalysisOptions
from lanet_live.capture.image_folder import SUFFIXES as PICTURE_SUFFIXES
from lanet_live.config import SourceConfig
from lanet_live.errors import ConfigError
from lanet_live.run_summary import RunProgress
from lanet_live.sessions.layout import VIDEO_FILE, is_session_folder

ITEM_KINDS: Final = ("video", "images", "session")
VIDEO_SUFFIXES: Final = (
    ".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".3gp",
)  # fmt: skip


class ItemState(Enum):
    """How far an item is."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_under_way(self) -> bool:
        """It is being analysed, or held in the middle of it."""
        return self in (ItemState.RUNNING, ItemState.PAUSED)

    @property
    def is_over(self) -> bool:
        """It ended, well or not."""
        return self in (ItemState.DONE, ItemState.FAILED, ItemState.CANCELLED)


@dataclass(frozen=True, slots=True)
class AnalysisItem:
    """One thing to analyse.

    Attributes:
        kind: One of `ITEM_KINDS`.
        path: The video, picture, or folder.
        options: How it is analysed.
        item_id: Unique.
        state: How far it is.
        reason: Why it failed or was cancelled; what is to be noted about a good result.
        result_folder: Where its files are, once it was started.
        progress: Of the run; with the final counts when it is over. None before the first frame.
    """

    kind: str
    path: Path
    options: AnalysisOptions
    item_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: ItemState = ItemState.QUEUED
    reason: str = ""
    result_folder: Path | None = None
    progress: RunProgress | None = None

    @property
    def name(self) -> str:
        """What to call it: the file or folder name."""
        return self.path.name or str(self.path)

    def source(self) -> SourceConfig:
        """Return what the exporter reads.

        Raises:
            ConfigError: A session without a video.
        """
        if self.kind != "session":
            return SourceConfig(self.kind, path=self.path)
        video_path = self.path / VIDEO_FILE
        if not video_path.is_file():
            raise ConfigError(
                f"The session {self.path} holds no video, so there is nothing to analyse again; "
                "open it in Review to see its numbers."
            )
        return SourceConfig("video", path=video_path)


def find_sources(path: Path) -> tuple[tuple[str, Path], ...]:
    """Find out what a file or folder holds.

    Returns:
        Kind and path of each: a file, a session or a folder of pictures is one; a folder without
        pictures stands for the videos in it, by name.

    Raises:
        ConfigError: There is nothing to analyse.
    """
    if path.is_file():
        kind = "images" if path.suffix.lower() in PICTURE_SUFFIXES else "video"
        return ((kind, path),)
    if not path.is_dir():
        raise ConfigError(f"There is no file or folder {path}.")
    if is_session_folder(path):
        return (("session", path),)
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
    except OSError as error:
        raise ConfigError(f"The folder {path} cannot be read: {error.strerror}.") from error
    if any(Path(name).suffix.lower() in PICTURE_SUFFIXES for name in names):
        return (("images", path),)
    videos = [path / name for name in names if Path(name).suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise ConfigError(f"{path} holds neither pictures nor videos and is not a session.")
    return tuple(("video", video) for video in videos)
