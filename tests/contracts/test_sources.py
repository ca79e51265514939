"""What every source keeps, whatever it reads."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest

from lanet_live.capture.base import FrameSource, SourceFacts
from lanet_live.capture.camera import CameraSource
from lanet_live.capture.image_folder import ImageFolderSource
from lanet_live.capture.paced import PacedSource
from lanet_live.capture.reconnecting import ReconnectingSource, ReconnectPolicy
from lanet_live.capture.selected import FrameSelection, SelectedSource
from lanet_live.capture.synthetic import SyntheticSource
from lanet_live.capture.video_file import VideoFileSource
from lanet_live.errors import SourceUnavailable
from lanet_live.records import Frame
from tests.fakes import FakeSource
from tests.media import four_colors, gray_levels, write_video

N_FRAMES = 6


class SixPictures:
    """A camera that delivers seven pictures (the first is looked at only) and then goes silent."""

    def __init__(self) -> None:
        self._n_left = N_FRAMES + 1

    def isOpened(self) -> bool:
        return True

    def grab(self) -> bool:
        self._n_left -= 1
        return self._n_left >= 0

    def retrieve(self):
        return True, four_colors()

    def get(self, prop: int) -> float:
        return 25.0

    def set(self, prop: int, value: float) -> bool:
        return True

    def release(self) -> None:
        pass


def make_video(folder: Path) -> FrameSource:
    return VideoFileSource(write_video(folder / "clip.mp4", gray_levels(N_FRAMES)))


def make_images(folder: Path) -> FrameSource:
    for i in range(N_FRAMES):
        cv2.imwrite(str(folder / f"{i}.png"), four_colors())
    return ImageFolderSource(folder)


def make_reconnecting(folder: Path) -> FrameSource:
    return ReconnectingSource(
        lambda: SyntheticSource(N_FRAMES, size_wh=(64, 48)),
        ReconnectPolicy(),
        stop=Event(),
        on_lost=lambda message: None,
        on_back=lambda: None,
    )


SOURCES: dict[str, Callable[[Path], FrameSource]] = {
    "video": make_video,
    "images": make_images,
    "camera": lambda folder: CameraSource(0, open_capture=lambda index: SixPictures()),
    "synthetic": lambda folder: SyntheticSource(N_FRAMES, size_wh=(64, 48)),
    "synthetic live": lambda folder: SyntheticSource(N_FRAMES, fps=500, is_live=True),
    "paced": lambda folder: PacedSource(SyntheticSource(N_FRAMES, fps=500)),
    "selected": lambda folder: SelectedSource(SyntheticSource(N_FRAMES), FrameSelection()),
    "limited": lambda folder: SelectedSource(SyntheticSource(100), FrameSelection(end_s=0.23)),
    "reconnecting": make_reconnecting,
    "fake": lambda folder: FakeSource(N_FRAMES),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path):
    source = SOURCES[request.param](tmp_path)
    yield source
    source.close()


def read_six(source: FrameSource) -> tuple[SourceFacts, list[Frame]]:
    """Six frames: a camera has no end."""
    facts = source.open()
    frames = [source.read() for _ in range(N_FRAMES)]
    assert all(frame is not None for frame in frames)
    return facts, frames


def test_frames_are_numbered_from_zero(source):
    _, frames = read_six(source)
    assert [frame.index for frame in frames] == list(range(N_FRAMES))


def test_times_do_not_run_backwards(source):
    facts, frames = read_six(source)
    times_s = [frame.timestamp_s for frame in frames]
    if facts.has_independent_frames:
        assert np.isnan(times_s).all()
    else:
        assert times_s == sorted(times_s)
    captured = [frame.captured_at_s for frame in frames]
    assert captured == sorted(captured)


def test_pictures_are_bgr_contiguous_and_not_writeable(source, request):
    facts, frames = read_six(source)
    for frame in frames:
        image = frame.image_bgr
        assert image.dtype == np.uint8
        assert image.shape == (facts.height_px, facts.width_px, 3)
        assert image.flags.c_contiguous
        if "fake" not in request.node.name:
            assert not image.flags.writeable


def test_pictures_are_not_overwritten_by_later_ones(source):
    source.open()
    first = source.read()
    before = first.image_bgr.copy()
    for _ in range(N_FRAMES - 1):
        source.read()
    np.testing.assert_array_equal(first.image_bgr, before)


def test_facts_describe_the_source(source):
    facts, frames = read_six(source)
    assert facts.kind in ("camera", "video", "images", "synthetic")
    if facts.kind != "images":
        assert {frame.source_id for frame in frames} == {facts.source_id}
    if facts.is_live:
        assert facts.kind in ("camera", "synthetic")
    assert facts.nominal_fps is None or facts.nominal_fps > 0
    for value in facts.details.values():
        assert isinstance(value, str | float | int | tuple)


def test_end_stays_the_end(source):
    facts, _ = read_six(source)
    if facts.kind == "camera":
        pytest.skip("a camera has no end")
    assert source.read() is None
    assert source.read() is None


def test_report_counts_what_was_decoded_also_after_closing(source):
    read_six(source)
    assert source.report().n_decoded == N_FRAMES
    source.close()
    report = source.report()
    assert report.n_decoded == N_FRAMES
    assert report.warnings == ()


def test_closing_twice_and_before_opening_is_harmless(source):
    source.close()
    source.close()


def test_closing_in_the_middle_is_harmless(source):
    source.open()
    source.read()
    source.close()
    source.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: VideoFileSource(path),
        lambda path: ImageFolderSource(path),
        lambda path: CameraSource(98),
        lambda path: CameraSource("no camera of this name"),
        lambda path: PacedSource(VideoFileSource(path)),
        lambda path: SelectedSource(VideoFileSource(path), FrameSelection()),
    ],
)
def test_what_is_not_there_gives_one_sentence(make, tmp_path):
    source = make(tmp_path / "missing")
    with pytest.raises(SourceUnavailable) as caught:
        source.open()
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    source.close()
