from itertools import pairwise

import numpy as np
import pytest

from lanet_live.capture.synthetic import SyntheticSource


def read_images(**options):
    source = SyntheticSource(5, size_wh=(64, 48), **options)
    source.open()
    images = []
    while (frame := source.read()) is not None:
        images.append(frame.image_bgr)
    return images


def test_pattern_moves_and_is_the_same_every_time():
    first, second = read_images(), read_images()
    np.testing.assert_array_equal(first, second)
    assert all((a != b).any() for a, b in pairwise(first))


def test_times_follow_the_rate():
    source = SyntheticSource(3, fps=10)
    source.open()
    assert [source.read().timestamp_s for _ in range(3)] == [0.0, 0.1, 0.2]


def test_live_frames_come_when_their_time_has_come():
    source = SyntheticSource(4, size_wh=(64, 48), fps=200, is_live=True)
    assert source.open().is_live
    frames = [source.read() for _ in range(4)]
    waited_s = frames[-1].captured_at_s - frames[0].captured_at_s
    assert waited_s >= 3 / 200 - 0.005


def test_endless_pattern_goes_on():
    source = SyntheticSource(None, size_wh=(16, 12))
    assert source.open().n_frames_expected is None
    assert [source.read().index for _ in range(300)] == list(range(300))


@pytest.mark.parametrize("options", [{"fps": 0}, {"size_wh": (0, 5)}, {"n_frames": -1}])
def test_impossible_patterns_are_refused(options):
    with pytest.raises(ValueError, match="no such pattern"):
        SyntheticSource(**options)
