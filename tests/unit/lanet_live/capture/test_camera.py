import cv2
import numpy as np
import pytest

from lanet_live.capture.camera import CameraSource
from lanet_live.capture.camera_list import CameraInfo, list_cameras, read_video4linux
from lanet_live.errors import SourceLost, SourceUnavailable

CAMERAS = (
    CameraInfo(0, "Integrated Webcam"),
    CameraInfo(2, "Logitech BRIO"),
    CameraInfo(4, "BRIO"),
    CameraInfo(6, "Depth Camera Left"),
    CameraInfo(8, "Depth Camera Right"),
)


class FakeHandle:
    """Behaves as `cv2.VideoCapture`; grabs fail where the script says so."""

    def __init__(self, *, is_open=True, grabs=None, image=None, fps=30.0):
        self._is_open = is_open
        self._grabs = iter(grabs) if grabs is not None else None
        self._image = np.full((48, 64, 3), 7, np.uint8) if image is None else image
        self._fps = fps
        self.properties = {}
        self.n_released = 0

    def isOpened(self):
        return self._is_open

    def grab(self):
        return True if self._grabs is None else next(self._grabs, False)

    def retrieve(self):
        return True, self._image.copy()

    def get(self, prop):
        return self._fps if prop == cv2.CAP_PROP_FPS else 0.0

    def set(self, prop, value):
        self.properties[prop] = value
        return True

    def release(self):
        self.n_released += 1


def camera_with(handle, camera=0, **options):
    opened = []

    def open_capture(index):
        opened.append(index)
        return handle

    source = CameraSource(camera, open_capture=open_capture, cameras=lambda: CAMERAS, **options)
    return source, opened


def test_frames_are_numbered_and_timed_from_the_first():
    source, _ = camera_with(FakeHandle())
    facts = source.open()
    frames = [source.read() for _ in range(4)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert frames[0].timestamp_s == 0.0
    for frame in frames:
        offset_s = frame.captured_at_s - frame.timestamp_s
        assert offset_s == pytest.approx(frames[0].captured_at_s)
        assert frame.source_id == facts.source_id == "camera 0"
        assert not frame.image_bgr.flags.writeable
    assert facts.is_live
    assert (facts.width_px, facts.height_px) == (64, 48)
    assert facts.nominal_fps == 30.0
    assert source.report().n_decoded == 4


@pytest.mark.parametrize(
    ("camera", "index"), [(3, 3), ("3", 3), ("webcam", 0), ("brio", 4), ("Logitech", 2)]
)
def test_camera_is_found_by_index_or_name(camera, index):
    source, opened = camera_with(FakeHandle(), camera)
    source.open()
    assert opened == [index]


@pytest.mark.parametrize(
    ("camera", "sentence"),
    [
        ("depth", "More than one camera is called 'depth' (6: Depth Camera Left, 8: "),
        ("phone", "no camera called 'phone' (there are 0: Integrated Webcam"),
        ("", "no camera called ''"),
    ],
)
def test_name_that_does_not_fit_one_camera_lists_them(camera, sentence):
    source, opened = camera_with(FakeHandle(), camera)
    with pytest.raises(SourceUnavailable) as caught:
        source.open()
    assert sentence in str(caught.value)
    assert opened == []


def test_camera_that_does_not_open_is_released():
    handle = FakeHandle(is_open=False)
    source, _ = camera_with(handle)
    with pytest.raises(SourceUnavailable, match=r"[Cc]amera 0"):
        source.open()
    assert handle.n_released == 1


def test_camera_that_delivers_nothing_is_busy():
    handle = FakeHandle(grabs=[])
    source, _ = camera_with(handle)
    with pytest.raises(SourceUnavailable, match="close other programs"):
        source.open()
    assert handle.n_released == 1


def test_single_failure_is_passed_over():
    source, _ = camera_with(FakeHandle(grabs=[True, False, False, True]))
    source.open()
    assert source.read().index == 0


def test_camera_that_vanishes_is_lost():
    source, _ = camera_with(FakeHandle(grabs=[True, True]))
    source.open()
    source.read()
    with pytest.raises(SourceLost, match="camera 0 delivers no more pictures"):
        source.read()
    source.close()
    assert source.read() is None


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((48, 64), 9, np.uint8), (9, 9, 9)),
        (np.full((48, 64, 1), 9, np.uint8), (9, 9, 9)),
        (np.full((48, 64, 4), (1, 2, 3, 255), np.uint8), (1, 2, 3)),
    ],
)
def test_grey_and_transparent_pictures_become_bgr(image, expected):
    source, _ = camera_with(FakeHandle(image=image))
    source.open()
    frame = source.read()
    assert frame.image_bgr.shape == (48, 64, 3)
    assert (frame.image_bgr == expected).all()


@pytest.mark.parametrize(("size_wh", "asks_for_jpeg"), [((640, 480), False), ((1280, 720), True)])
def test_size_is_asked_for_and_the_answer_recorded(size_wh, asks_for_jpeg):
    handle = FakeHandle()
    source, _ = camera_with(handle, size_wh=size_wh)
    facts = source.open()
    assert handle.properties[cv2.CAP_PROP_FRAME_WIDTH] == size_wh[0]
    assert handle.properties[cv2.CAP_PROP_FRAME_HEIGHT] == size_wh[1]
    assert (cv2.CAP_PROP_FOURCC in handle.properties) == asks_for_jpeg
    assert facts.details["asked_size"] == f"{size_wh[0]}x{size_wh[1]}"


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), 90000.0])
def test_impossible_rate_counts_as_unknown(fps):
    source, _ = camera_with(FakeHandle(fps=fps))
    assert source.open().nominal_fps is None


def test_real_camera_that_does_not_exist_says_so_and_nothing_else(capfd):
    source = CameraSource(97)
    with pytest.raises(SourceUnavailable, match="97"):
        source.open()
    output = capfd.readouterr()
    assert output.err == output.out == ""


def test_linux_lists_nodes_that_deliver_pictures(tmp_path):
    nodes = {
        "video0": "Integrated Webcam\n",
        "video1": "Integrated Webcam\n",
        "video10": "BRIO\n",
        "video2": "",
        "vbi0": "TV",
    }
    for node, name in nodes.items():
        (tmp_path / node).mkdir()
        (tmp_path / node / "name").write_text(name)
    (tmp_path / "video3").mkdir()  # unplugged meanwhile: no name
    cameras = list_cameras(
        probe=lambda: read_video4linux(tmp_path, can_capture=lambda node: node.name != "video1")
    )
    assert cameras == (
        CameraInfo(0, "Integrated Webcam"),
        CameraInfo(2, "video2"),
        CameraInfo(10, "BRIO"),
    )


def test_nodes_without_a_device_are_no_cameras(tmp_path):
    (tmp_path / "video98").mkdir()
    (tmp_path / "video98" / "name").write_text("gone")
    assert read_video4linux(tmp_path) == ()
    assert read_video4linux(tmp_path / "missing") == ()
