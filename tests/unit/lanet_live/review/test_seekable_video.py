import random

import numpy as np
import pytest

from lanet_live.capture.video_file import VideoFileSource
from lanet_live.review.seekable_video import SeekableVideo
from lanet_live.sinks.mp4 import Mp4Writer
from tests.fakes import make_frame


@pytest.fixture
def video_path(tmp_path):
    """A video whose frames are not evenly spaced and that starts at 1 s."""
    path = tmp_path / "v.mp4"
    writer = Mp4Writer(path, (96, 128, 3), overwrite=False)
    for i in range(60):
        writer.append(make_frame(i, size_wh=(128, 96)).image_bgr, 1 + i / 30 + (i % 3) / 200)
    writer.close()
    return path


def read_all(path):
    source = VideoFileSource(path)
    source.open()
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames


def test_any_frame_equals_the_one_read_in_order(video_path):
    frames = read_all(video_path)
    assert len(frames) == 60
    video = SeekableVideo(video_path)
    video.open()
    places = list(range(60)) + random.Random(0).sample(range(60), 40)
    for place in places:
        found = video.read_at(frames[place].timestamp_s)
        assert found.timestamp_s == frames[place].timestamp_s
        np.testing.assert_array_equal(found.image_bgr, frames[place].image_bgr)
    video.close()


def test_between_two_frames_the_earlier_one_is_on_show(video_path):
    frames = read_all(video_path)
    video = SeekableVideo(video_path)
    video.open()
    between_s = (frames[10].timestamp_s + frames[11].timestamp_s) / 2
    assert video.read_at(between_s).timestamp_s == frames[10].timestamp_s
    assert video.read_at(0.0).timestamp_s == frames[0].timestamp_s
    assert video.read_at(99.0).timestamp_s == frames[-1].timestamp_s
    assert video.read_at(frames[5].timestamp_s).timestamp_s == frames[5].timestamp_s
    video.close()


def test_what_was_just_shown_is_not_decoded_again(video_path):
    video = SeekableVideo(video_path)
    video.open()
    assert video.read_at(1.5) is video.read_at(1.5)
    video.close()
    video.close()
