import numpy as np
import pytest

from lanet_live.face.identity import IdentityBook, Sighting

SIZE = 100.0


def chip(name: int, likeness: float = 1.0) -> np.ndarray:
    """Looks of a person, or looks that correlate with them to a given degree."""
    own, other = np.random.default_rng(name).normal(size=(2, 576))
    own /= np.linalg.norm(own)
    other -= (other @ own) * own
    other /= np.linalg.norm(other)
    return (likeness * own + np.sqrt(1 - likeness**2) * other).astype(np.float32)


def sight(name: int, x: float, *, followed=None, likeness=1.0, confidence=0.95, size=SIZE):
    box = np.array([x - size / 2, 0, x + size / 2, size], np.float32)
    return Sighting(
        box_xyxy_px=box,
        chip=chip(name, likeness),
        followed_id=followed,
        confidence=confidence,
    )


def settle(book: IdentityBook, sighting: Sighting, start_s: float) -> list[int | None]:
    """Show one face for a quarter of a second; returns its numbers on the way."""
    return [
        book.identify([sighting], start_s + step / 30, is_cut=False)[0] for step in range(8)
    ]  # fmt: skip


@pytest.fixture
def book() -> IdentityBook:
    return IdentityBook()


def test_newcomers_are_numbered_in_order(book) -> None:
    assert book.identify([sight(0, 0), sight(1, 300)], 0.0, is_cut=False) == [0, 1]
    assert book.identify(
        [sight(0, 0, followed=0), sight(2, 600), sight(1, 300, followed=1)], 0.03, is_cut=False
    ) == [0, 2, 1]


def test_a_followed_face_keeps_its_number_while_its_looks_drift(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    assert book.identify([sight(0, 0, followed=0, likeness=0.6)], 0.03, is_cut=False) == [0]


def test_a_face_that_is_clearly_somebody_else_gets_a_new_number_after_a_probation(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    assert book.identify([sight(1, 0, followed=0)], 0.03, is_cut=False) == [None]
    assert settle(book, sight(1, 0), 0.06) == [None] * 6 + [1] * 2


def test_somebody_who_comes_out_from_behind_something_keeps_the_number(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    for step in range(5):  # half a face, clear but unlike
        half = sight(0, 0, likeness=0.3)
        assert book.identify([half], 0.7 + step / 30, is_cut=False) == [None]
    assert book.identify([sight(0, 0, likeness=0.9)], 0.9, is_cut=False) == [0]


def test_a_followed_face_that_is_unclear_has_the_benefit_of_the_doubt(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    blurred = sight(1, 0, followed=0, confidence=0.4)
    assert book.identify([blurred], 0.03, is_cut=False) == [0]
    # Those looks are not remembered: the person is still known by their own.
    assert book.identify([sight(0, 0, followed=0)], 0.06, is_cut=False) == [0]
    assert settle(book, sight(1, 0), 0.09)[-1] == 1


def test_across_a_cut_the_doubt_is_not_given(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    unclear = sight(0, 0, followed=0, likeness=0.6, confidence=0.4)
    assert book.identify([unclear], 0.03, is_cut=True) == [1]


def test_across_a_cut_only_nearly_equal_looks_are_the_same_person(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    assert book.identify([sight(0, 0, followed=0, likeness=0.9)], 0.03, is_cut=True) == [0]


def test_swapped_followers_are_put_right(book) -> None:
    """Two followers that took each other's face at a crossing."""
    book.identify([sight(0, 0), sight(1, 40)], 0.0, is_cut=False)
    assert book.identify(
        [sight(1, 10, followed=0), sight(0, 30, followed=1)], 0.03, is_cut=False
    ) == [1, 0]


def test_faces_that_come_back_are_assigned_at_the_least_total_cost(book) -> None:
    book.identify([sight(0, 0), sight(1, 60), sight(2, 120)], 0.0, is_cut=False)
    back = [sight(2, 100), sight(0, 20), sight(1, 50)]
    assert book.identify(back, 0.3, is_cut=False) == [2, 0, 1]


@pytest.mark.parametrize(
    ("gap_s", "likeness", "is_same"),
    [(0.4, 0.7, True), (0.4, 0.5, False), (1.5, 0.7, False), (1.5, 0.9, True), (2.5, 1.0, False)],
)
def test_the_longer_the_gap_the_more_alike_they_must_be(book, gap_s, likeness, is_same) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    book.identify([], 0.03, is_cut=False)
    back = settle(book, sight(0, 0, likeness=likeness), gap_s)
    assert back[-1] == (0 if is_same else 1)
    assert {number for number in back if number is not None} == {back[-1]}


def test_nobody_jumps_across_the_room_or_changes_size_at_once(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    assert book.identify([sight(0, 500, followed=0)], 0.03, is_cut=False) == [1]
    assert settle(book, sight(0, 500, size=220), 0.06)[-1] == 2


def test_what_is_left_of_somebody_who_vanished_gets_no_number_for_now(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    remnant = sight(7, 10, confidence=0.6)
    assert book.identify([remnant], 0.1, is_cut=False) == [None]
    assert book.identify([sight(7, 300, confidence=0.6)], 0.2, is_cut=False) == [1]
    assert book.identify([remnant], 0.9, is_cut=False) == [2]  # nobody is missed there any more


def test_earlier_looks_survive_an_occlusion(book) -> None:
    for step in range(30):
        book.identify([sight(0, 0, followed=0)], 0.1 * step, is_cut=False)
    for step in range(1, 8):  # something slides over the face, which stays clear to the detector
        covered = sight(0, 0, followed=0, likeness=1 - 0.1 * step)
        assert book.identify([covered], 2.9 + 0.1 * step, is_cut=False) == [0]
    assert book.identify([], 3.7, is_cut=False) == []
    assert book.identify([sight(0, 0)], 4.9, is_cut=False) == [0]


def test_faces_too_dark_to_tell_go_by_their_place(book) -> None:
    dark = Sighting(box_xyxy_px=sight(0, 0).box_xyxy_px, chip=None, followed_id=None)
    assert book.identify([dark], 0.0, is_cut=False) == [0]
    assert book.identify([dark], 0.3, is_cut=False) == [0]
    assert book.identify([dark], 0.4, is_cut=True) == [1]


def test_a_slow_source_remembers_the_frame_before(book) -> None:
    book.identify([sight(0, 0)], 0.0, is_cut=False)
    assert book.identify([sight(0, 30, followed=0)], 10.0, is_cut=False) == [0]
    assert book.identify([], 20.0, is_cut=False) == []
    assert book.identify([sight(0, 30)], 30.0, is_cut=False) == [1]
