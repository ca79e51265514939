"""Who is who from frame to frame. Plain arrays; knows no MediaPipe.

A face keeps its number while its pixels change gradually. When they change at once, or when a face
was gone for a moment, the faces at hand are assigned to the people missed (Hungarian method),
within gates on looks, place and size. A face that matches no known person gets a new number; no
number is reused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.appearance import chip_similarity
from lanet_live.face.matching import is_same_face

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

# A face that was gone for at most this long is taken for the same on fair likeness; up to the
# second limit on strong likeness; after that it counts as a new person.
SHORT_GAP_S: Final = 0.5
_LONG_GAP_S: Final = 2.0
# Least correlation of the chips (see `lanet_live.face.appearance`): from one frame to the next
# while the face was followed; after a short gap; across a cut or after a long gap.
_CONTINUOUS_SIMILARITY: Final = 0.4
_FAIR_SIMILARITY: Final = 0.6
_STRONG_SIMILARITY: Final = 0.75
# Below this something happens to a face: it turns quickly, a hand comes up, it is another one.
_STEADY_SIMILARITY: Final = 0.8
# Where somebody has just been, only a face as clear as this is taken for somebody new: half a face
# beside a hand matches no known face.
_CLEAR_CONFIDENCE: Final = 0.8
# And even a clear face must have been there this long: half a face coming out from behind something
# can be clear.
_PROBATION_S: Final = 0.2
# Earlier looks kept of a person, so that the last one before an occlusion is not the only one.
_GALLERY_SIZE: Final = 3
_GALLERY_INTERVAL_S: Final = 1.0
# How far a face may have gone, in face widths: at once (a shaken camera) and per second of absence.
_JUMP_WIDTHS: Final = 0.75
_SPEED_WIDTHS_PER_S: Final = 3.0
# How much its size may have changed, either way.
_MAX_SCALE_CHANGE: Final = 1.6
_FORBIDDEN_COST: Final = 1e6


@dataclass(frozen=True, slots=True)
class Sighting:
    """One face seen in one frame.

    Attributes:
        box_xyxy_px: Bounding box of the landmarks, (4,) float32.
        chip: `lanet_live.face.appearance.face_chip`; None when it shows nothing.
        followed_id: The number of the face that was followed to here; None for a new face.
        confidence: Of the landmarks in this very frame, 0 to 1; None when it was not looked at.
    """

    box_xyxy_px: F32Array
    chip: F32Array | None
    followed_id: int | None
    confidence: float | None = None


@dataclass(slots=True)
class _Person:
    box_xyxy_px: F32Array
    chip: F32Array | None
    last_seen_s: float
    gallery: tuple[tuple[float, F32Array], ...] = ()  # (time, chip), oldest first
    has_cut_since: bool = False


class IdentityBook:
    """Gives each sighting its face number."""

    def __init__(self) -> None:
        self._people: dict[int, _Person] = {}
        self._next_id = 0
        self._last_frame_s = float("-inf")
        # Where a face waits for a number, and since when.
        self._waiting: list[tuple[F32Array, float]] = []

    def identify(
        self, sightings: Sequence[Sighting], now_s: float, *, is_cut: bool
    ) -> list[int | None]:
        """Return the face number of each sighting of one frame, all different.

        None stands for a face where somebody has just vanished, who it may yet prove to be; it is
        decided within a fraction of a second.

        Args:
            sightings: The faces of this frame, no face twice.
            now_s: Source time; never goes backwards.
            is_cut: The frame starts a new shot.
        """
        self._forget(now_s)
        for person in self._people.values():
            person.has_cut_since |= is_cut
        sightings = list(sightings)
        ids = self._continued(sightings, now_s)
        open_places = [i for i, face_id in enumerate(ids) if face_id is None]
        missing = [face_id for face_id in self._people if face_id not in ids]
        for place, missed_id in self._assigned(sightings, open_places, missing, now_s).items():
            ids[place] = missed_id
        self._number_newcomers(sightings, ids, now_s)
        for face_id, sighting in zip(ids, sightings, strict=True):
            if face_id is not None:
                self._remember(face_id, sighting, now_s)
        self._last_frame_s = now_s
        return ids

    def is_steady(self, sighting: Sighting, now_s: float, *, is_cut: bool) -> bool:
        """Return whether a face that was followed looks as it did; if not, a closer look pays."""
        person = self._followed_person(sighting, now_s)
        if person is None:
            return False
        similarity = _similarity(person, sighting)
        return not is_cut if similarity is None else similarity >= _STEADY_SIMILARITY

    def _continued(self, sightings: list[Sighting], now_s: float) -> list[int | None]:
        """Return the number of each face that was followed and is the same still, else None."""
        ids: list[int | None] = []
        for place, sighting in enumerate(sightings):
            person = self._followed_person(sighting, now_s)
            if person is None or sighting.followed_id in ids:
                ids.append(None)
            elif _looks_alike(person, sighting, has_cut=person.has_cut_since):
                ids.append(sighting.followed_id)
            elif not person.has_cut_since and not _is_clear(sighting):
                # Followed without a break, but blurred, covered or dark all at once: the benefit
                # of the doubt, and these looks are not remembered.
                sightings[place] = replace(sighting, chip=None)
                ids.append(sighting.followed_id)
            else:
                ids.append(None)
        return ids

    def _followed_person(self, sighting: Sighting, now_s: float) -> _Person | None:
        person = None if sighting.followed_id is None else self._people.get(sighting.followed_id)
        return person if person is not None and _is_within_reach(person, sighting, now_s) else None

    def _assigned(
        self,
        sightings: Sequence[Sighting],
        places: list[int],
        missing: list[int],
        now_s: float,
    ) -> dict[int, int]:
        """Assign the open places to people missed; returns place -> number for the pairs found."""
        if not places or not missing:
            return {}
        from scipy.optimize import linear_sum_assignment

        cost: F64Array = np.array(
            [[_cost(self._people[p], sightings[i], now_s) for p in missing] for i in places]
        )
        rows, columns = linear_sum_assignment(cost)
        return {
            places[row]: missing[column]
            for row, column in zip(rows, columns, strict=True)
            if cost[row, column] < _FORBIDDEN_COST
        }

    def _number_newcomers(
        self, sightings: list[Sighting], ids: list[int | None], now_s: float
    ) -> None:
        """Number those without a number, unless they may yet prove to be somebody missed."""
        taken = set(ids)
        waiting = []
        for place, sighting in enumerate(sightings):
            if ids[place] is not None:
                continue
            since_s = min(
                (since for box, since in self._waiting if is_same_face(box, sighting.box_xyxy_px)),
                default=now_s,
            )
            if self._may_be_missed_person(sighting, now_s, since_s, taken):
                waiting.append((sighting.box_xyxy_px, since_s))
            else:
                ids[place] = self._new_id()
        self._waiting = waiting

    def _may_be_missed_person(
        self, sighting: Sighting, now_s: float, since_s: float, taken: set[int | None]
    ) -> bool:
        """Return whether somebody was here a moment ago, in this shot, and this may be them."""
        if _is_clear(sighting) and now_s - since_s >= _PROBATION_S:
            return False
        limit_s = _LONG_GAP_S if _is_clear(sighting) else SHORT_GAP_S
        return any(
            face_id not in taken
            and not person.has_cut_since
            and now_s - person.last_seen_s <= limit_s
            and is_same_face(person.box_xyxy_px, sighting.box_xyxy_px)
            for face_id, person in self._people.items()
        )

    def _remember(self, face_id: int, sighting: Sighting, now_s: float) -> None:
        known = self._people.get(face_id)
        gallery = known.gallery if known is not None else ()
        is_due = not gallery or now_s - gallery[-1][0] >= _GALLERY_INTERVAL_S
        if sighting.chip is not None and is_due and _is_clear(sighting):
            gallery = (*gallery, (now_s, sighting.chip))[-_GALLERY_SIZE:]
        chip = sighting.chip
        if chip is None and known is not None:
            chip = known.chip
        self._people[face_id] = _Person(sighting.box_xyxy_px, chip, now_s, gallery)

    def _forget(self, now_s: float) -> None:
        self._people = {
            face_id: person
            for face_id, person in self._people.items()
            # The frame before always counts, however slow the source is.
            if now_s - person.last_seen_s <= _LONG_GAP_S or person.last_seen_s >= self._last_frame_s
        }

    def _new_id(self) -> int:
        face_id, self._next_id = self._next_id, self._next_id + 1
        return face_id


def _is_clear(sighting: Sighting) -> bool:
    return (sighting.confidence or 0.0) >= _CLEAR_CONFIDENCE


def _similarity(person: _Person, sighting: Sighting) -> float | None:
    """Return the likeness to the person's last or earlier looks; None if it cannot be computed."""
    known = [
        similarity
        for chip in (person.chip, *(chip for _, chip in person.gallery))
        if (similarity := chip_similarity(chip, sighting.chip)) is not None
    ]
    return max(known, default=None)


def _looks_alike(person: _Person, sighting: Sighting, *, has_cut: bool) -> bool:
    similarity = _similarity(person, sighting)
    if (
        similarity is None
    ):  # Too dark or flat to compare, and after a cut there is no other evidence.
        return not has_cut
    least = _STRONG_SIMILARITY if has_cut else _CONTINUOUS_SIMILARITY
    return similarity >= least


def _is_within_reach(person: _Person, sighting: Sighting, now_s: float) -> bool:
    distance, scale_change = _displacement(person.box_xyxy_px, sighting.box_xyxy_px)
    reach = _JUMP_WIDTHS + _SPEED_WIDTHS_PER_S * (now_s - person.last_seen_s)
    return distance <= reach and scale_change <= _MAX_SCALE_CHANGE


def _cost(person: _Person, sighting: Sighting, now_s: float) -> float:
    """Return how badly a sighting fits a person missed: unlikeness plus distance."""
    if not _is_within_reach(person, sighting, now_s):
        return _FORBIDDEN_COST
    distance, scale_change = _displacement(person.box_xyxy_px, sighting.box_xyxy_px)
    is_recent = now_s - person.last_seen_s <= SHORT_GAP_S and not person.has_cut_since
    similarity = _similarity(person, sighting)
    if similarity is None:
        if not (is_recent and is_same_face(person.box_xyxy_px, sighting.box_xyxy_px)):
            return _FORBIDDEN_COST
        similarity = 0.0
    elif similarity < (_FAIR_SIMILARITY if is_recent else _STRONG_SIMILARITY):
        return _FORBIDDEN_COST
    return (1.0 - similarity) + 0.5 * distance + float(np.log(scale_change))


def _displacement(a_xyxy: F32Array, b_xyxy: F32Array) -> tuple[float, float]:
    """Return the distance of two boxes' centres in widths and their ratio of size, at least 1."""
    size_a, size_b = _size(a_xyxy), _size(b_xyxy)
    offset = (a_xyxy[:2] + a_xyxy[2:] - b_xyxy[:2] - b_xyxy[2:]) / 2
    distance = float(np.linalg.norm(offset)) / max(size_a, size_b)
    return distance, max(size_a, size_b) / min(size_a, size_b)


def _size(box_xyxy: F32Array) -> float:
    return max(1.0, float((box_xyxy[2:] - box_xyxy[:2]).max()))
