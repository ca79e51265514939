from fractions import Fraction

from lanet_live.capture.presentation_clock import PresentationClock

MILLISECOND = Fraction(1, 1000)


def read_all(clock, pts_list, duration=None):
    return [clock.read(pts, duration=duration, time_base=MILLISECOND) for pts in pts_list]


def test_times_are_the_decoders_own():
    clock = PresentationClock(start_s=5.0, frame_s=0.04)
    assert read_all(clock, [-80, 0, 33, 900]) == [-0.08, 0.0, 0.033, 0.9]
    assert clock.n_made_up == clock.n_backward == 0


def test_missing_times_follow_the_frame_before():
    clock = PresentationClock(start_s=5.0, frame_s=0.04)
    assert read_all(clock, [100, None, None, 500], duration=30) == [0.1, 0.13, 0.16, 0.5]
    assert clock.n_made_up == 2


def test_first_missing_time_is_the_start_and_unknown_durations_follow_the_rate():
    clock = PresentationClock(start_s=5.0, frame_s=0.04)
    assert read_all(clock, [None, None]) == [5.0, 5.04]


def test_backward_times_are_kept_and_counted():
    clock = PresentationClock(start_s=0.0, frame_s=0.04)
    assert read_all(clock, [80, 40, 120]) == [0.08, 0.04, 0.12]
    assert clock.n_backward == 1
