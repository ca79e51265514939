"""`session.json`: what was recorded, how, and whether it is whole.

It says "recording" from the first moment and "complete" or "partial" at the end; one that says
"recording" with no program behind it was interrupted.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lanet_live.config import LiveConfig
from lanet_live.errors import ConfigError
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.records import SharesEstimate
from lanet_live.sessions.layout import SESSION_FILE
from lanet_live.sinks.metadata import (
    RunSettings,
    RunSetup,
    describe_analysis,
    describe_estimate,
    describe_software,
    describe_source,
)
from lanet_live.sinks.output_file import published

SCHEMA_VERSION: Final = 1
RECORDING: Final = "recording"
COMPLETE: Final = "complete"
PARTIAL: Final = "partial"
VIDEO_CHOICES: Final = ("none", "blurred", "clear")
_MAX_CHARS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """What to record, and how its values are made.

    Attributes:
        setup: Source, model and limits.
        settings: As in the metadata of an export.
        video: One of `VIDEO_CHOICES`; "none" never stores a picture.
    """

    setup: RunSetup
    settings: RunSettings
    video: str = "none"


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """How much was recorded.

    Attributes:
        n_frames: Frames in the table.
        n_with_face: Of these, with at least one face.
        n_dropped: Frames the source lost meanwhile.
        n_video_frames: Frames in the video.
        n_video_dropped: Frames in the table, but not in the video.
        first_s: First moment in the table; None when it is empty.
        last_s: Last moment.
    """

    n_frames: int = 0
    n_with_face: int = 0
    n_dropped: int = 0
    n_video_frames: int = 0
    n_video_dropped: int = 0
    first_s: float | None = None
    last_s: float | None = None


class SessionFile:
    """Keeps `session.json` up to date while recording.

    Args:
        folder: Of the session.
        plan: What is recorded.

    Raises:
        SinkError: It cannot be written.
    """

    def __init__(self, folder: Path, plan: RecordingPlan) -> None:
        self._path = folder / SESSION_FILE
        self._document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "status": RECORDING,
            "partial_reason": None,
            "began_at": _now(),
            "ended_at": None,
            **describe_source(plan.settings, plan.setup.facts),
            **describe_analysis(plan.settings, plan.setup),
            "privacy": {
                "stores_pictures": plan.video != "none",
                "faces_are_blurred": plan.video == "blurred",
            },
            "baselines": {},
            "frames": None,
            "software": describe_software(),
        }
        self._write()

    def note_baseline(self, face_id: int, profile: BaselineProfile, from_s: float) -> None:
        """Note from when on a face is corrected by which profile.

        Raises:
            SinkError: It cannot be written.
        """
        used = self._document["baselines"].setdefault(str(face_id), [])
        used.append({"from_timestamp": from_s, **asdict(profile)})
        self._write()

    def finish(
        self,
        counts: RecordingCounts,
        partial_reason: str | None,
        shares: SharesEstimate | None = None,
    ) -> None:
        """Write how the recording ended, and how frequent the classes seem to have been.

        Raises:
            SinkError: It cannot be written.
        """
        self._document |= {
            "status": COMPLETE if partial_reason is None else PARTIAL,
            "partial_reason": partial_reason,
            "ended_at": _now(),
            "frames": asdict(counts),
            "prior": {**self._document["prior"], "estimate": describe_estimate(shares)},
        }
        self._write()

    def _write(self) -> None:
        text = json.dumps(self._document, indent=2, ensure_ascii=False) + "\n"
        with published(self._path, overwrite=True) as part:
            part.write_text(text, encoding="utf-8")


def read_session_document(folder: Path) -> dict[str, Any]:
    """Read `session.json` as it is.

    Raises:
        ConfigError: The folder is no session, or of a version this program does not know.
    """
    path = folder / SESSION_FILE
    try:
        with path.open(encoding="utf-8") as file:
            document = json.loads(file.read(_MAX_CHARS))
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} is no session: it holds no {SESSION_FILE}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
        raise ConfigError(f"{path} was written by another version of LA-Net Live.")
    return document


def live_settings(config: LiveConfig, *, source: str, model_file: str) -> RunSettings:
    """Describe a live run in the terms of an export's metadata.

    Args:
        config: Of the application.
        source: The source as the user chose it.
        model_file: Name of the model file.
    """
    return RunSettings(
        source=source,
        command=config.command,
        files={},
        part={"start_s": None, "end_s": None, "every_n": None},
        columns="basic",
        model_file=model_file,
        max_faces=config.max_faces,
        with_disagreement=config.pipeline.estimator.with_disagreement,
        smoothing_s=config.pipeline.smoothing_s,
    )


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
