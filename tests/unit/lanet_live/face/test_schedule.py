from collections import Counter

from lanet_live.face.schedule import COARSE_INTERVAL_S, FINE_INTERVAL_S, SearchSchedule
from lanet_live.face.views import coarse_views, fine_views

SMALL, FULL_HD = (640, 360), (1920, 1080)


def run(schedule, size_wh, n_frames, *, is_any_face_known, start=0, is_cut=False):
    return [
        schedule.views_due(
            size_wh, i / 30, is_any_face_known=is_any_face_known, is_cut=is_cut
        )
        for i in range(start, start + n_frames)
    ]  # fmt: skip


def test_the_first_frame_is_searched_in_every_coarse_view() -> None:
    schedule = SearchSchedule()
    assert run(schedule, SMALL, 1, is_any_face_known=False) == [coarse_views(SMALL)]


def test_without_a_face_the_whole_and_one_tile_are_searched_in_turn() -> None:
    schedule = SearchSchedule()
    run(schedule, FULL_HD, 1, is_any_face_known=False)
    searched = run(schedule, FULL_HD, 18, is_any_face_known=False, start=1)
    whole, *tiles = (*coarse_views(FULL_HD), *fine_views(FULL_HD))
    assert all(len(views) == 2 and views[0] == whole for views in searched)
    assert {views[1] for views in searched} == set(tiles)


def test_with_a_face_each_view_has_its_turn_once_an_interval_and_one_a_frame() -> None:
    schedule = SearchSchedule()
    run(schedule, FULL_HD, 1, is_any_face_known=True)
    searched = run(schedule, FULL_HD, 8 * 30, is_any_face_known=True, start=1)
    assert max(len(views) for views in searched) == 1
    counts = Counter(view for views in searched for view in views)
    for view in coarse_views(FULL_HD):
        assert abs(counts[view] - 8 / COARSE_INTERVAL_S) <= 1
    for view in fine_views(FULL_HD):
        assert abs(counts[view] - 8 / FINE_INTERVAL_S) <= 1


def test_a_cut_asks_for_a_full_search_but_a_flicker_does_not_ask_for_many() -> None:
    schedule = SearchSchedule()
    run(schedule, SMALL, 30, is_any_face_known=True)
    flicker = run(schedule, SMALL, 30, is_any_face_known=True, start=30, is_cut=True)
    assert flicker[0] == coarse_views(SMALL)
    assert sum(views == coarse_views(SMALL) for views in flicker) <= 5


def test_another_frame_size_starts_anew() -> None:
    schedule = SearchSchedule()
    run(schedule, SMALL, 3, is_any_face_known=True)
    assert run(schedule, FULL_HD, 1, is_any_face_known=True, start=3) == [coarse_views(FULL_HD)]
