"""What a reviewer changes: events, excluded ranges, names, merged faces, limits; with undo."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from lanet_live.sessions.events import EXCLUDED, SessionEvent

_MAX_STEPS: Final = 500
_MAX_NAME_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond which an estimate is not relied on.

    Attributes:
        max_uncertainty: 0 to 1.
        min_quality: 0 to 1.
    """

    max_uncertainty: float = 1.0
    min_quality: float = 0.0


@dataclass(frozen=True, slots=True)
class Edits:
    """The state of a review. Every change makes a new one.

    Attributes:
        events: Markers, notes and excluded ranges, by ascending time.
        names: Of the faces, by id; a face that is not in it has its default name.
        merged_into: For a face that is really another one: that one's id.
        limits: In force.
    """

    events: tuple[SessionEvent, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    merged_into: Mapping[int, int] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    @property
    def excluded_s(self) -> tuple[tuple[float, float], ...]:
        """Begin and end of the excluded ranges, overlapping ones joined, ascending."""
        ranges: list[tuple[float, float]] = []
        for event in self.events:
            if event.kind == EXCLUDED and event.end_timestamp_s is not None:
                begin_s, end_s = event.timestamp_s, event.end_timestamp_s
                if ranges and begin_s <= ranges[-1][1]:
                    ranges[-1] = (ranges[-1][0], max(end_s, ranges[-1][1]))
                else:
                    ranges.append((begin_s, end_s))
        return tuple(ranges)

    def face_of(self, face_id: int) -> int:
        """Return who a face of the table really is."""
        while face_id in self.merged_into:
            face_id = self.merged_into[face_id]
        return face_id

    def name_of(self, face_id: int) -> str:
        """Return the name of a face."""
        return self.names.get(face_id) or f"Face {face_id}"

    # Changes ----------------------------------------------------------------------------------

    def with_event(self, event: SessionEvent) -> "Edits":
        """Add an event."""
        return self._with_events((*self.events, event))

    def without_event(self, place: int) -> "Edits":
        """Remove the event at a place of `events`."""
        return self._with_events(self.events[:place] + self.events[place + 1 :])

    def with_event_changed(self, place: int, event: SessionEvent) -> "Edits":
        """Put another event in the place of one: moved, renamed, with a note."""
        return self._with_events((*self.events[:place], event, *self.events[place + 1 :]))

    def with_excluded(self, begin_s: float, end_s: float, *, note: str = "") -> "Edits":
        """Exclude a range; the ends may come in either order."""
        first_s, last_s = sorted((begin_s, end_s))
        return self.with_event(
            SessionEvent(first_s, kind=EXCLUDED, note=note, end_timestamp_s=last_s)
        )

    def with_name(self, face_id: int, name: str) -> "Edits":
        """Name a face; an empty name gives it its default name back."""
        names = {i: old for i, old in self.names.items() if i != face_id}
        if tidy := " ".join(name.split())[:_MAX_NAME_CHARS]:
            names[face_id] = tidy
        return replace(self, names=names)

    def with_faces_merged(self, face_id: int, into: int) -> "Edits":
        """Say that a face is really another one.

        Raises:
            ValueError: Both are the same already.
        """
        face_id, into = self.face_of(face_id), self.face_of(into)
        if face_id == into:
            raise ValueError("these are one face already")
        return replace(self, merged_into={**self.merged_into, face_id: into})

    def with_limits(self, limits: Limits) -> "Edits":
        """Rely on other estimates."""
        return replace(self, limits=limits)

    def _with_events(self, events: tuple[SessionEvent, ...]) -> "Edits":
        return replace(self, events=tuple(sorted(events, key=lambda e: e.timestamp_s)))


@dataclass(frozen=True, slots=True)
class Step:
    """One change: what it is called, and the state before and after it."""

    caption: str
    before: Edits
    after: Edits


class EditHistory:
    """The edits in force, and the way back and forth.

    Args:
        edits: As opened.
        on_change: Called with the new state after every change.
    """

    def __init__(self, edits: Edits, on_change: Callable[[Edits], None]) -> None:
        self._edits = edits
        self._on_change = on_change
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def edits(self) -> Edits:
        """The state in force."""
        return self._edits

    @property
    def undo_caption(self) -> str:
        """What `undo` would take back; empty for nothing."""
        return self._done[-1].caption if self._done else ""

    @property
    def redo_caption(self) -> str:
        """What `redo` would do again; empty for nothing."""
        return self._undone[-1].caption if self._undone else ""

    def change(self, caption: str, edits: Edits, *, joins_last: bool = False) -> None:
        """Put a new state in force.

        Args:
            caption: What was done, e.g. "exclude a range".
            edits: The new state.
            joins_last: It continues the step before if that has the same caption, as while a
                slider is dragged.
        """
        if edits == self._edits:
            return
        step = Step(caption, self._edits, edits)
        if joins_last and self._done and self._done[-1].caption == caption and not self._undone:
            step = replace(step, before=self._done.pop().before)
        self._done = [*self._done, step][-_MAX_STEPS:]
        self._undone = []
        self._put(edits)

    def undo(self) -> None:
        """Take the last step back."""
        if self._done:
            self._undone.append(self._done.pop())
            self._put(self._undone[-1].before)

    def redo(self) -> None:
        """Do the step taken back last again."""
        if self._undone:
            self._done.append(self._undone.pop())
            self._put(self._done[-1].after)

    def _put(self, edits: Edits) -> None:
        self._edits = edits
        self._on_change(edits)
