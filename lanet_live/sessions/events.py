"""What happened when: markers, notes and excluded ranges of a session, as CSV."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanet_live.errors import ConfigError
from lanet_live.sinks.output_file import AppendFile, published

COLUMNS: Final = ("timestamp", "end_timestamp", "kind", "number", "name", "note")
MARKER: Final = "marker"
EXCLUDED: Final = "excluded"
_MAX_BYTES: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """One event.

    Attributes:
        timestamp_s: Its moment or begin, in the source's time as in the frames' table.
        kind: "marker", "excluded" or another word.
        name: Short, shown on the timeline.
        number: Of the key that set a marker; None for none.
        note: Free text.
        end_timestamp_s: Of a range; None for a moment.
    """

    timestamp_s: float
    kind: str = MARKER
    name: str = ""
    number: int | None = None
    note: str = ""
    end_timestamp_s: float | None = None

    @property
    def time_s(self) -> float:
        """Its moment or begin."""
        return self.timestamp_s

    @property
    def caption(self) -> str:
        """Number and name, as shown on the timeline."""
        number = "" if self.number is None else str(self.number)
        text = self.name or self.note
        return " ".join(
            part for part in (number, text if len(text) < 24 else text[:22] + "…") if part
        )


class EventLog:
    """Appends events as they happen; every one is in the file at once.

    Args:
        path: The file.

    Raises:
        SinkError: It is there already or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path, overwrite=False)
        self._file.append(_as_csv([COLUMNS]))

    def append(self, event: SessionEvent) -> None:
        """Write an event.

        Raises:
            SinkError: It cannot be written; those before it are kept.
        """
        self._file.append(_as_csv([_row(event)]))

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()


def write_events(path: Path, events: Iterable[SessionEvent]) -> None:
    """Write all events anew, the whole file or nothing.

    Raises:
        SinkError: It cannot be written; the old file is kept.
    """
    ordered = sorted(events, key=lambda event: event.timestamp_s)
    with published(path, overwrite=True) as part:
        part.write_bytes(_as_csv([COLUMNS, *map(_row, ordered)]))


def read_events(path: Path) -> tuple[SessionEvent, ...]:
    """Read the events of a session by ascending time; a line cut off by a crash is left out.

    Raises:
        ConfigError: It is no table of events.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is too large to be a table of events.")
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    if rows and not set(COLUMNS[:3]) <= set(rows[0]):
        raise ConfigError(f"{path} is no table of events: it lacks {', '.join(COLUMNS[:3])}.")
    events = [_event(row) for row in rows]
    return tuple(sorted((e for e in events if e), key=lambda event: event.timestamp_s))


def _row(event: SessionEvent) -> list[str]:
    end = event.end_timestamp_s
    return [
        f"{event.timestamp_s:.6f}",
        "" if end is None else f"{end:.6f}",
        event.kind,
        "" if event.number is None else str(event.number),
        event.name,
        event.note,
    ]


def _event(row: dict[str, str | None]) -> SessionEvent | None:
    try:
        timestamp_s = float(row["timestamp"] or "")
        end = row["end_timestamp"]
        number = row.get("number")
        event = SessionEvent(
            timestamp_s=timestamp_s,
            kind=row["kind"] or MARKER,
            name=row.get("name") or "",
            number=int(number) if number else None,
            note=row.get("note") or "",
            end_timestamp_s=float(end) if end else None,
        )
    except ValueError:
        return None
    ends = (timestamp_s, timestamp_s if event.end_timestamp_s is None else event.end_timestamp_s)
    return event if all(map(math.isfinite, ends)) else None


def _as_csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
