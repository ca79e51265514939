import numpy as np
import pytest

from lanet_live.face.appearance import CutDetector, chip_similarity, face_chip
from tests.fakes import make_landmarks
from tests.painted_faces import Person, paint


def chip_of(*people: Person, **painting):
    person = people[0]
    landmarks = make_landmarks((person.x, person.y), person.side_px)
    return face_chip(paint(people, **painting), landmarks)


def test_a_face_looks_like_itself_elsewhere_larger_and_in_other_light() -> None:
    here = chip_of(Person(0, 200, 150, 90))
    there = chip_of(Person(0, 411, 222, 140))
    assert chip_similarity(here, there) > 0.9
    landmarks = make_landmarks((200, 150), 90)
    dim = (paint([Person(0, 200, 150, 90)]) * 0.4 + 30).astype(np.uint8)
    assert chip_similarity(here, face_chip(dim, landmarks)) > 0.97


def test_different_faces_do_not_look_alike() -> None:
    chips = [chip_of(Person(name, 200, 150, 90)) for name in range(8)]
    alike = [chip_similarity(a, b) for i, a in enumerate(chips) for b in chips[:i]]
    assert max(alike) < 0.4


def test_a_flat_picture_tells_nothing() -> None:
    assert face_chip(np.full((360, 640, 3), 9, np.uint8), make_landmarks((200, 150), 90)) is None
    assert chip_similarity(None, chip_of(Person(0, 200, 150))) is None


@pytest.mark.parametrize("centre", [(0, 0), (640, 360), (-200, 100), (320, 900)])
def test_a_face_at_or_beyond_the_border_is_no_error(centre) -> None:
    image = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    face_chip(image, make_landmarks(centre, 90))


def test_cuts_are_told_from_motion_and_slow_fades() -> None:
    cuts = CutDetector()
    texture = np.random.default_rng(1).integers(0, 256, (45, 120), dtype=np.uint8)
    wide = np.repeat(np.repeat(texture, 8, 0), 8, 1)[:, :, None].repeat(3, axis=2)
    pan = [wide[:, x : x + 640] for x in range(0, 40, 4)]
    fade = [(pan[-1] * (1 - step / 30)).astype(np.uint8) for step in range(30)]
    assert not any(cuts.is_cut(frame) for frame in [*pan, *fade])
    assert cuts.is_cut(255 - pan[0])
    assert not cuts.is_cut(255 - pan[0])


@pytest.mark.parametrize("size_wh", [(1, 1), (20, 500), (3840, 2160)])
def test_any_size_of_frame_is_taken(size_wh) -> None:
    cuts = CutDetector()
    frame = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    assert not cuts.is_cut(frame)
    assert cuts.is_cut(frame + 200)
