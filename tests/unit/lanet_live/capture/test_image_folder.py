import math

import cv2
import numpy as np
import pytest

from lanet_live.capture.image_folder import ImageFolderSource
from lanet_live.errors import SourceUnavailable
from tests.media import four_colors


def write_image(path, image=None):
    cv2.imwrite(str(path), four_colors() if image is None else image)
    return path


def read_all(path):
    source = ImageFolderSource(path)
    facts = source.open()
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames, facts, source.report()


def refusal(path):
    with pytest.raises(SourceUnavailable) as caught:
        ImageFolderSource(path).open()
    return str(caught.value)


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment with this orientation behind the start marker."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    payload = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload + jpeg[2:]


def test_pictures_come_in_natural_order_with_their_names(tmp_path):
    for name in ("img10.png", "img2.jpg", "IMG1.bmp", "b.webp", "a.tif"):
        write_image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "sub.jpg").mkdir()
    frames, facts, report = read_all(tmp_path)
    names = ["a.tif", "b.webp", "IMG1.bmp", "img2.jpg", "img10.png"]
    assert [frame.source_id for frame in frames] == names
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert report.details["pictures"] == tuple(names)
    assert report.warnings == ()
    assert facts.n_frames_expected == report.n_decoded == 5
    assert facts.has_independent_frames
    assert not facts.is_live


def test_no_time_runs_between_pictures(tmp_path):
    write_image(tmp_path / "a.png")
    frames, facts, _ = read_all(tmp_path)
    assert math.isnan(frames[0].timestamp_s)
    assert facts.duration_s is None


def test_exif_orientation_is_honoured(tmp_path):
    jpeg = cv2.imencode(".jpg", four_colors(), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    (tmp_path / "turned.jpg").write_bytes(with_exif_orientation(jpeg, 6))
    frames, facts, _ = read_all(tmp_path)
    expected = np.rot90(four_colors(), -1)
    assert (facts.width_px, facts.height_px) == (48, 64)
    assert np.abs(frames[0].image_bgr.astype(int) - expected).mean() < 5


@pytest.mark.parametrize(
    "image",
    [
        np.full((20, 31), 90, np.uint8),
        np.full((20, 31), 90 * 257, np.uint16),
        np.full((20, 31, 4), 90, np.uint8),
    ],
)
def test_grey_deep_and_transparent_pictures_become_plain_ones(tmp_path, image):
    write_image(tmp_path / "a.png", image)
    frames, *_ = read_all(tmp_path)
    picture = frames[0].image_bgr
    assert picture.shape == (20, 31, 3)
    assert picture.dtype == np.uint8
    assert not picture.flags.writeable
    assert (picture == 90).all()


def test_name_of_any_script_is_read(tmp_path):
    data = cv2.imencode(".png", four_colors())[1].tobytes()
    (tmp_path / "Gesicht ü 顔.png").write_bytes(data)
    frames, *_ = read_all(tmp_path)
    assert len(frames) == 1


def test_sizes_may_differ(tmp_path):
    write_image(tmp_path / "a.png", four_colors((64, 48)))
    write_image(tmp_path / "b.png", four_colors((10, 90)))
    frames, facts, _ = read_all(tmp_path)
    assert [frame.image_bgr.shape for frame in frames] == [(48, 64, 3), (90, 10, 3)]
    assert (facts.width_px, facts.height_px) == (64, 48)


def test_unreadable_pictures_are_skipped_and_named(tmp_path, capfd):
    write_image(tmp_path / "b.bmp")
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "c.jpg").write_text("text")
    data = cv2.imencode(".tiff", four_colors())[1].tobytes()
    (tmp_path / "d.tiff").write_bytes(data[: len(data) // 2])
    frames, _, report = read_all(tmp_path)
    assert [frame.source_id for frame in frames] == ["b.bmp"]
    assert frames[0].index == 0
    assert report.details["skipped_pictures"] == ("a.png", "c.jpg", "d.tiff")
    assert "3 (a.png, c.jpg, d.tiff)" in report.warnings[0]
    assert capfd.readouterr().err == ""


def test_pictures_of_other_kinds_are_not_passed_over_in_silence(tmp_path):
    write_image(tmp_path / "a.png")
    for i in range(5):
        (tmp_path / f"photo{i}.HEIC").touch()
    _, _, report = read_all(tmp_path)
    assert report.details["n_other_pictures"] == 5
    assert "photo0.HEIC, photo1.HEIC, photo2.HEIC and 2 more" in report.warnings[0]


def test_single_picture_can_be_given(tmp_path):
    frames, facts, _ = read_all(write_image(tmp_path / "one.png"))
    assert len(frames) == facts.n_frames_expected == 1


def test_picture_that_would_fill_the_memory_is_skipped(tmp_path):
    write_image(tmp_path / "a.png")
    bomb = bytearray(cv2.imencode(".png", four_colors())[1].tobytes())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "bomb.png").write_bytes(bomb)
    _, _, report = read_all(tmp_path)
    assert report.details["skipped_pictures"] == ("bomb.png",)


def test_missing_folder_is_named(tmp_path):
    assert "no folder or picture" in refusal(tmp_path / "gone")


def test_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    assert "There is no picture in" in refusal(tmp_path)


def test_folder_of_unreadable_pictures_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    assert "can be read (a.png)" in refusal(tmp_path)


def test_file_that_is_no_picture_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    assert "is not a picture" in refusal(path)
