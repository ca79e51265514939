"""The tracker's rules, on painted faces: who is found, when, under which number, at what cost."""

from itertools import pairwise

import numpy as np
import pytest

from lanet_live.face.follower import ThreadedFollowerPool
from lanet_live.face.video_tracker import VideoTracker
from lanet_live.records import Frame
from tests.painted_faces import PaintedDetector, PaintedFollower, Person, frame_of, paint


class Stage:
    """A tracker over painted models, and a clock."""

    def __init__(self, *, max_faces: int = 8, fps: float = 30.0) -> None:
        self.detector = PaintedDetector()
        self.followers: list[PaintedFollower] = []
        self.fps = fps
        self.index = 0
        self.tracker = VideoTracker(
            max_faces=max_faces,
            open_detector=lambda _: self.detector,
            open_followers=lambda: ThreadedFollowerPool(self._open),
        )

    def _open(self) -> PaintedFollower:
        self.followers.append(PaintedFollower())
        return self.followers[-1]

    def show(self, *people: Person, n_frames: int = 1, **painting) -> dict[int, tuple[int, int]]:
        """Show a scene for some frames; returns number -> place in the last one."""
        tracks = ()
        for _ in range(n_frames):
            tracks = self.tracker.update(frame_of(people, self.index, fps=self.fps, **painting))
            self.index += 1
        assert [t.face_id for t in tracks] == sorted({t.face_id for t in tracks})
        return {t.face_id: tuple(np.round(box_centre(t)).astype(int)) for t in tracks}


def box_centre(track) -> np.ndarray:
    return (track.box_xyxy_px[:2] + track.box_xyxy_px[2:]) / 2


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.tracker.close()
    assert stage.detector.is_closed
    assert all(follower.is_closed for follower in stage.followers)


def test_faces_at_the_start_are_all_found_in_the_first_frame(stage: Stage) -> None:
    people = [Person(i, 60 + 125 * i, 150, 60) for i in range(5)]
    assert set(stage.show(*people)) == {0, 1, 2, 3, 4}


def test_a_face_in_the_first_frame_of_a_later_shot_is_found_at_once(stage: Stage) -> None:
    stage.show(n_frames=10, background=20)
    assert stage.show(Person(0, 320, 180), background=120) == {0: (320, 180)}


def test_a_face_that_appears_in_an_empty_scene_is_found_within_three_frames(stage: Stage) -> None:
    stage.show(n_frames=40)
    assert stage.show(Person(0, 560, 180, 50), n_frames=3)


def test_an_empty_scene_costs_two_looks_a_frame(stage: Stage) -> None:
    stage.show(n_frames=5)
    before = stage.detector.n_calls
    stage.show(n_frames=60)
    assert stage.detector.n_calls - before <= 2 * 60


def test_one_followed_face_costs_few_looks(stage: Stage) -> None:
    stage.show(Person(0, 320, 180, 140), n_frames=5)
    before = stage.detector.n_calls
    stage.show(Person(0, 320, 180, 140), n_frames=120)  # four seconds
    assert stage.detector.n_calls - before <= 4 * (4 + 4) + 2
    assert len(stage.followers) == 1


def test_a_newcomer_beside_a_known_face_is_noticed_within_a_second(stage: Stage) -> None:
    first = Person(0, 150, 180)
    assert set(stage.show(first, n_frames=50)) == {0}
    assert set(stage.show(first, Person(1, 500, 180), n_frames=31)) == {0, 1}


def test_a_moving_face_keeps_its_number_and_stays_in_view(stage: Stage) -> None:
    for step in range(120):
        place = (80 + 4 * step, 100 + step)
        assert stage.show(Person(3, *place, 60)) == {0: place}


def test_a_face_in_a_group_is_followed_in_a_view_without_its_neighbour(stage: Stage) -> None:
    left, right = Person(0, 250, 180, 70), Person(1, 345, 180, 70)
    for _ in range(40):
        assert stage.show(left, right) == {0: (250, 180), 1: (345, 180)}


def test_a_short_absence_is_bridged(stage: Stage) -> None:
    stage.show(Person(0, 300, 180), n_frames=10)
    assert stage.show(n_frames=12) == {}  # 0.4 s
    assert stage.show(Person(0, 330, 180)) == {0: (330, 180)}


def test_the_same_looks_are_known_again_after_a_second_and_a_half(stage: Stage) -> None:
    stage.show(Person(0, 300, 180), n_frames=10)
    stage.show(n_frames=45)
    assert set(stage.show(Person(0, 310, 180), n_frames=4)) == {0}


def test_after_a_long_absence_a_face_is_somebody_new(stage: Stage) -> None:
    stage.show(Person(0, 300, 180), n_frames=10)
    stage.show(n_frames=75)
    assert set(stage.show(Person(0, 300, 180), n_frames=4)) == {1}


def test_somebody_else_at_the_same_place_after_a_gap_is_somebody_new(stage: Stage) -> None:
    stage.show(Person(0, 300, 180), n_frames=10)
    stage.show(n_frames=5)
    assert set(stage.show(Person(1, 300, 180), n_frames=12)) == {1}


def test_a_cut_to_somebody_else_at_the_same_place_gives_a_new_number(stage: Stage) -> None:
    stage.show(Person(0, 300, 180), n_frames=10, background=20)
    assert stage.show(Person(1, 300, 180), background=200) == {1: (300, 180)}


def test_somebody_swapped_in_without_a_cut_of_the_picture_is_noticed(stage: Stage) -> None:
    """As in a video call: one tile changes, the rest of the picture does not."""
    stage.show(Person(0, 300, 180), n_frames=20)
    assert stage.show(Person(1, 300, 180)) == {}  # a hand, or somebody else?
    assert set(stage.show(Person(1, 300, 180), n_frames=8)) == {1}


def test_a_cut_and_back_does_not_mix_up_two_people(stage: Stage) -> None:
    here, there = Person(0, 300, 180), Person(1, 310, 175)
    numbers = []
    for shot in range(6):
        person = (here, there)[shot % 2]
        numbers.append(set(stage.show(person, n_frames=8, background=(20, 200)[shot % 2])))
    assert numbers == [{0}, {1}] * 3


def test_a_half_hidden_face_does_not_become_somebody_new(stage: Stage) -> None:
    stage.show(Person(0, 300, 180), n_frames=10)
    for _ in range(10):
        assert set(stage.show(Person(0, 300, 180, is_half_hidden=True))) <= {0}
    assert set(stage.show(Person(0, 300, 180), n_frames=3)) == {0}


def test_confidence_falls_soon_after_a_face_is_covered(stage: Stage) -> None:
    stage.show(Person(0, 300, 180), n_frames=16)
    for _ in range(4):  # a tenth of a second and one frame
        frame = frame_of([Person(0, 300, 180, is_half_hidden=True)], stage.index)
        tracks = stage.tracker.update(frame)
        stage.index += 1
    assert all(track.score < 0.7 for track in tracks)


def test_crossing_people_keep_their_numbers(stage: Stage) -> None:
    for step in range(81):
        left, right = Person(0, 120 + 5 * step, 180), Person(1, 520 - 5 * step, 180)
        numbers = stage.show(right, left)  # the second one painted is in front
    assert numbers == {0: (520, 180), 1: (120, 180)}


def test_numbers_are_never_given_twice() -> None:
    stage = Stage(fps=6)
    given: list[int] = []
    for name in range(5):
        given += stage.show(Person(name, 300, 180), n_frames=4)
        stage.show(n_frames=14)
    stage.tracker.close()
    assert given == [0, 1, 2, 3, 4]


def test_a_face_is_reported_once_although_several_views_show_it(stage: Stage) -> None:
    assert len(stage.show(Person(0, 320, 180, 200), n_frames=60)) == 1


def test_no_more_faces_than_asked_for() -> None:
    stage = Stage(max_faces=2)
    people = [Person(i, 100 + 150 * i, 180) for i in range(4)]
    assert len(stage.show(*people, n_frames=40)) == 2
    assert len(stage.followers) == 2
    stage.tracker.close()


def test_a_mesh_where_the_detector_sees_another_shape_is_no_face(stage: Stage, monkeypatch) -> None:
    """On things that are no faces, detector and mesh disagree."""
    detect = stage.detector.detect

    def detect_askew(image_bgr):
        return tuple(
            type(d)(d.box_xyxy_px, d.keypoints_px + 0.4 * np.ptp(d.box_xyxy_px), d.score)
            for d in detect(image_bgr)
        )

    monkeypatch.setattr(stage.detector, "detect", detect_askew)
    assert stage.show(Person(0, 300, 180), n_frames=5) == {}
    # The place is left alone for a while: the landmarker runs at most ten times a second.
    n_tries = sum(follower.n_starts for follower in stage.followers)
    stage.show(Person(0, 300, 180), n_frames=30)
    assert sum(follower.n_starts for follower in stage.followers) - n_tries <= 10


def test_a_face_the_detector_no_longer_confirms_is_given_up(stage: Stage, monkeypatch) -> None:
    stage.show(Person(0, 300, 180), n_frames=10)
    monkeypatch.setattr(stage.detector, "detect", lambda image_bgr: ())
    assert set(stage.show(Person(0, 300, 180), n_frames=20)) == {0}
    assert stage.show(Person(0, 300, 180), n_frames=20) == {}


def test_a_face_that_leaves_the_frame_is_gone(stage: Stage) -> None:
    for step in range(60):
        numbers = stage.show(Person(0, 560 + 3 * step, 180))
    assert numbers == {}


def test_times_that_start_below_zero_repeat_or_jump_back_are_taken(stage: Stage) -> None:
    times_s = [-0.5, -0.4, -0.4, -0.3, 7.0, 7.1, 0.2, 0.3, 0.3, 0.4]
    for index, time_s in enumerate(times_s):
        frame = Frame(paint([Person(0, 300, 180)]), index, time_s, 0.0, "painted")
        (track,) = stage.tracker.update(frame)
        assert track.face_id == 0
    clock_ms = stage.followers[0].clock_ms
    assert clock_ms[0] == 0
    assert all(later >= earlier for earlier, later in pairwise(clock_ms))


def test_search_goes_on_after_the_time_has_jumped_back(stage: Stage) -> None:
    stage.index = 9000
    stage.show(Person(0, 150, 180), n_frames=10)
    stage.index = 0
    assert set(stage.show(Person(0, 150, 180), Person(1, 500, 180), n_frames=40)) == {0, 1}


@pytest.mark.parametrize("fps", [1.0, 5.0])
def test_a_slow_source_keeps_its_faces(fps: float) -> None:
    stage = Stage(fps=fps)
    for step in range(12):
        assert set(stage.show(Person(0, 200 + 10 * step, 180))) == {0}
    stage.tracker.close()


def test_a_change_of_frame_size_starts_a_new_search(stage: Stage) -> None:
    stage.show(Person(0, 300, 180), n_frames=5)
    assert len(stage.show(Person(0, 700, 500, 120), size_wh=(1280, 720))) == 1


def test_the_answer_depends_on_frames_and_times_alone() -> None:
    def run() -> list[list[tuple]]:
        stage = Stage()
        rows = []
        for step in range(100):
            people = [Person(0, 100 + 4 * step, 150), Person(1, 400, 200)]
            frame = frame_of(people[: 1 + (step % 40 < 25)], step)
            rows.append(
                [(t.face_id, t.score, *t.box_xyxy_px.tolist()) for t in stage.tracker.update(frame)]
            )
        stage.tracker.close()
        return rows

    assert run() == run()


def test_closing_twice_is_allowed(stage: Stage) -> None:
    stage.show(Person(0, 300, 180))
    stage.tracker.close()
    stage.tracker.close()
