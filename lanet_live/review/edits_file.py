"""The file of a review's edits, beside the recording. Read tolerantly in nothing: it is checked."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from lanet_live.errors import ConfigError
from lanet_live.review.edits import Edits, Limits
from lanet_live.sessions.events import SessionEvent
from lanet_live.sinks.output_file import published

SCHEMA_VERSION: Final = 1
_MAX_CHARS: Final = 50_000_000


def edits_path_of(table_path: Path, *, is_session: bool) -> Path:
    """Return where the edits of a recording are kept.

    Args:
        table_path: The recorded table.
        is_session: It lies in a session folder, which has one review.
    """
    name = "review.json" if is_session else f"{table_path.stem}.review.json"
    return table_path.with_name(name)


def write_edits(path: Path, edits: Edits) -> None:
    """Write the edits, the whole file or nothing.

    Raises:
        SinkError: It cannot be written; the old file is kept.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "events": [asdict(event) for event in edits.events],
        "names": {str(face_id): name for face_id, name in edits.names.items()},
        "merged_into": {str(face_id): into for face_id, into in edits.merged_into.items()},
        "limits": asdict(edits.limits),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    with published(path, overwrite=True) as part:
        part.write_text(text, encoding="utf-8")


def read_edits(path: Path) -> Edits | None:
    """Read edits; None when there are none yet.

    Raises:
        ConfigError: The file is there but not readable.
    """
    try:
        with path.open(encoding="utf-8") as file:
            document = json.loads(file.read(_MAX_CHARS))
        return _edits(document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"The edits in {path} cannot be read ({error}); move the file away to review afresh."
        ) from error


def _edits(document: dict[str, Any]) -> Edits:
    if document["schema_version"] != SCHEMA_VERSION:
        raise ValueError("written by another version of LA-Net Live")
    merged = {int(face_id): int(into) for face_id, into in document["merged_into"].items()}
    _check_no_circle(merged)
    limits = {name: float(value) for name, value in document["limits"].items()}
    if not all(0 <= value <= 1 for value in limits.values()):
        raise ValueError("a limit is not between 0 and 1")
    return Edits(
        events=tuple(_event(entry) for entry in document["events"]),
        names={int(face_id): str(name) for face_id, name in document["names"].items()},
        merged_into=merged,
        limits=Limits(**limits),
    )


def _event(entry: dict[str, Any]) -> SessionEvent:
    end_s, number = entry["end_timestamp_s"], entry["number"]
    event = SessionEvent(
        timestamp_s=float(entry["timestamp_s"]),
        kind=str(entry["kind"]),
        name=str(entry["name"]),
        number=None if number is None else int(number),
        note=str(entry["note"]),
        end_timestamp_s=None if end_s is None else float(end_s),
    )
    if not all(math.isfinite(t) for t in (event.timestamp_s, event.end_timestamp_s or 0.0)):
        raise ValueError("an event has no finite time")
    return event


def _check_no_circle(merged_into: dict[int, int]) -> None:
    for start in merged_into:
        seen, face_id = {start}, start
        while face_id in merged_into:
            face_id = merged_into[face_id]
            if face_id in seen:
                raise ValueError("faces are merged in a circle")
            seen.add(face_id)
