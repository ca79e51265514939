import json
import os
import shutil
import subprocess
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lanet_live.capture.video_file import VideoFileSource
from lanet_live.errors import SourceLost, SourceUnavailable
from tests.media import VideoPlan, four_colors, gray_levels, noise, write_sound, write_video


def read_all(path):
    """All frames, the facts, the report and what ended the reading."""
    source = VideoFileSource(path)
    frames, lost = [], None
    try:
        facts = source.open()
        while (frame := source.read()) is not None:
            frames.append(frame)
    except SourceLost as error:
        lost = str(error)
    finally:
        source.close()
    return frames, facts, source.report(), lost


def times(frames):
    return [frame.timestamp_s for frame in frames]


def refusal(path):
    source = VideoFileSource(path)
    with pytest.raises(SourceUnavailable) as caught:
        source.open()
    source.close()
    sentence = str(caught.value)
    assert Path(path).name in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi", "a.ts"])
def test_every_frame_comes_once_and_in_order(tmp_path, name):
    path = write_video(tmp_path / name, gray_levels(8), VideoPlan(time_base=Fraction(1, 25)))
    frames, facts, report, lost = read_all(path)
    assert lost is None
    assert [frame.index for frame in frames] == list(range(8))
    levels = [frame.image_bgr.mean() for frame in frames]
    np.testing.assert_allclose(levels, [20 + 20 * i for i in range(8)], atol=8)
    assert report.n_decoded == 8
    assert report.warnings == ()
    assert facts.n_frames_expected == 8
    assert facts.nominal_fps == pytest.approx(25)
    assert facts.source_id == frames[0].source_id == name


def test_decoding_in_threads_changes_no_pixel(tmp_path):
    path = write_video(tmp_path / "noise.mp4", noise(12, (160, 90)))
    frames, *_ = read_all(path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        expected = [
            picture.reformat(format="bgr24", threads=1).to_ndarray()
            for picture in container.decode(stream)
        ]
    assert len(frames) == len(expected) == 12
    for frame, picture in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(frame.image_bgr, picture)


@pytest.mark.parametrize("start_ms", [0, 10_000, -80])
def test_times_of_a_variable_rate_are_the_files_own(tmp_path, start_ms):
    pts_ms = [start_ms + ms for ms in (0, 40, 80, 130, 500, 900)]
    plan = VideoPlan(
        codec="ffv1", pts_ms=pts_ms, container_options={"avoid_negative_ts": "disabled"}
    )
    frames, facts, *_ = read_all(write_video(tmp_path / "vfr.mkv", gray_levels(6), plan))
    np.testing.assert_allclose(times(frames), np.array(pts_ms) / 1000, atol=1e-9)
    assert facts.details["start_s"] == pytest.approx(start_ms / 1000)


def test_stream_without_times_is_filled_in_and_says_so(tmp_path):
    frames, _, report, _ = read_all(write_video(tmp_path / "bare.m4v", gray_levels(5)))
    np.testing.assert_allclose(np.diff(times(frames)), 0.04, atol=1e-6)
    if report.details:  # The demuxer of this FFmpeg left the times out.
        assert report.details == {"n_times_made_up": 5}
        assert "bare.m4v without a time stamp: 5" in report.warnings[0]


@pytest.mark.parametrize("turn", [(90, False, False), (180, False, False), (270, True, False)])
def test_turned_video_is_delivered_upright(tmp_path, turn):
    degrees, flips_x, _ = turn
    stored = four_colors()
    path = write_video(tmp_path / "turned.mp4", [stored] * 2, VideoPlan(turn=turn))
    frames, facts, *_ = read_all(path)
    expected = np.rot90(stored, degrees // 90)
    expected = expected[:, ::-1] if flips_x else expected
    assert (facts.height_px, facts.width_px) == expected.shape[:2]
    for frame in frames:
        assert frame.image_bgr.shape == expected.shape
        assert np.abs(frame.image_bgr.astype(int) - expected).mean() < 12


def test_stretched_pixels_become_square(tmp_path):
    plan = VideoPlan(pixel_aspect=Fraction(4, 3), turn=(90, False, False))
    path = write_video(tmp_path / "stretched.mp4", gray_levels(2, (60, 48)), plan)
    frames, facts, *_ = read_all(path)
    assert (facts.width_px, facts.height_px) == (48, 80)
    assert frames[0].image_bgr.shape == (80, 48, 3)
    assert facts.details["pixel_aspect"] == "4/3"


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        ("ffv1", "yuv420p"),
        ("ffv1", "yuv444p"),
        ("ffv1", "yuv420p10le"),
        ("ffv1", "gray"),
        ("ffv1", "gray10le"),
        ("ffv1", "bgr0"),
        ("png", "rgb24"),
    ],
)
def test_odd_sizes_and_all_pixel_formats_give_the_same_picture(tmp_path, codec, pixel_format):
    plan = VideoPlan(codec=codec, pixel_format=pixel_format)
    name = "odd.mov" if codec == "png" else "odd.mkv"
    path = write_video(tmp_path / name, gray_levels(3, (37, 29)), plan)
    frames, *_ = read_all(path)
    for i, frame in enumerate(frames):
        image = frame.image_bgr
        assert image.shape == (29, 37, 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert not image.flags.writeable
        assert np.abs(image.astype(int) - (20 + 20 * i)).max() <= 3


def test_picture_of_another_size_is_scaled_to_the_first(tmp_path):
    parts = [
        write_video(tmp_path / f"{width}.ts", gray_levels(3, (width, 48))) for width in (64, 96)
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, _, report, _ = read_all(path)
    assert {frame.image_bgr.shape for frame in frames} == {(48, 64, 3)}
    assert report.details["n_resized_frames"] == sum(i >= 3 for i in range(len(frames)))


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("cut.mp4", VideoPlan(container_options={"movflags": "faststart"})),
        ("cut.mkv", VideoPlan(codec="ffv1")),
        ("cut.avi", VideoPlan()),
    ],
)
def test_cut_file_keeps_what_decodes_and_says_that_it_broke_off(tmp_path, name, plan):
    path = write_video(tmp_path / name, noise(9), plan)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    frames, _, report, lost = read_all(path)
    assert 4 <= len(frames) <= 7
    assert report.n_decoded == len(frames)
    assert name in lost
    assert f"{len(whole) * 2 // 3} of the {len(whole)} bytes" in lost


def test_damage_in_the_middle_costs_only_its_own_frames(tmp_path):
    plan = VideoPlan(codec="png", pixel_format="rgb24")
    path = write_video(tmp_path / "hurt.mov", noise(9), plan)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 500] = bytes(500)
    path.write_bytes(data)
    frames, _, report, lost = read_all(path)
    assert report.details == {"n_damaged_pieces": 1}
    assert "hurt.mov that cannot be decoded: 1" in report.warnings[0]
    assert lost is None
    np.testing.assert_allclose(times(frames), [0.0, 0.04, 0.08, 0.12, 0.2, 0.24, 0.28, 0.32])


def test_missing_file_is_named(tmp_path):
    assert "no file" in refusal(tmp_path / "gone.mp4")


def test_folder_is_refused(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "0 bytes" in refusal(path)


@pytest.mark.parametrize(
    ("name", "reason"), [("text.mp4", "is not a video"), ("text.txt", "is text")]
)
def test_text_is_refused(tmp_path, name, reason):
    path = tmp_path / name
    path.write_text("This is no video.\n" * 50)
    assert reason in refusal(path)


def test_mp4_cut_before_its_index_is_refused(tmp_path):
    path = write_video(tmp_path / "cut.mp4", noise(6))
    path.write_bytes(path.read_bytes()[:6000])
    assert "cut off before its index" in refusal(path)


def test_file_cut_inside_its_first_picture_is_refused(tmp_path):
    plan = VideoPlan(container_options={"movflags": "faststart"})
    path = write_video(tmp_path / "cut.mp4", noise(6), plan)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 6])
    assert "cut off so early" in refusal(path)


@pytest.mark.parametrize("name", ["sound.mp3", "sound.m4a"])
def test_sound_alone_is_refused(tmp_path, name):
    assert "only sound" in refusal(write_sound(tmp_path / name))


def test_cover_of_a_song_is_no_video(tmp_path):
    path = write_sound(tmp_path / "song.mp3", cover=four_colors())
    assert "only sound" in refusal(path)


def test_unknown_codec_is_refused(tmp_path):
    path = write_video(tmp_path / "new.mkv", gray_levels(2), VideoPlan(codec="ffv1"))
    path.write_bytes(path.read_bytes().replace(b"V_FFV1", b"V_QQQQ"))
    assert "cannot be decoded here" in refusal(path)


def test_picture_that_cannot_be_converted_breaks_off(tmp_path):
    class NoConverter:
        def reformat(self, picture, **options):
            raise av.error.ArgumentError(22, "no such conversion")

    source = VideoFileSource(write_video(tmp_path / "odd.mp4", gray_levels(3)))
    source.open()
    source.read()
    source._reformatter = NoConverter()
    with pytest.raises(SourceLost, match="yuv420p"):
        source.read()
    source.close()


def test_file_without_permission_is_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "locked.mp4", gray_levels(2))
    path.chmod(0)
    if os.access(path, os.R_OK):  # The administrator may read everything: refuse in its place.

        def refuse(*_args, **_options):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", refuse)
    assert "permission" in refusal(path).lower()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a regular file" in refusal(tmp_path / "pipe.mp4")


def test_playlist_does_not_open_other_files(tmp_path):
    write_video(tmp_path / "other.mp4", gray_levels(2))
    path = tmp_path / "list.mp4"
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")
    assert "list of other files" in refusal(path)


def test_stated_size_beyond_all_reason_is_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "huge.mp4", gray_levels(2))
    monkeypatch.setattr("lanet_live.capture.video_file._MAX_PIXELS", 1000)
    assert "64x48" in refusal(path)


def test_reading_does_not_gather_memory(tmp_path):
    path = write_video(tmp_path / "long.mkv", gray_levels(200), VideoPlan(codec="ffv1"))
    source = VideoFileSource(path)
    source.open()
    for _ in range(20):
        source.read()
    tracemalloc.start()
    while source.read() is not None:
        pass
    grown_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    source.close()
    assert grown_bytes < 100_000


def probe_times(path):
    """Presentation times by FFmpeg's own tool."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json"]
    command += ["-show_entries", "frame=pts_time", str(path)]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return [float(frame["pts_time"]) for frame in json.loads(answer.stdout)["frames"]]


@pytest.mark.parametrize(
    ("name", "n_frames"),
    [
        ("single_face.mp4", 72),
        ("no_face.mp4", 95),
        ("face_noface.mov", 169),
        ("noface_face.mov", 169),
    ],
)
def test_times_of_real_clips_equal_ffprobes(shared_dir, name, n_frames):
    path = shared_dir / "clips" / name
    source = VideoFileSource(path)
    facts = source.open()
    found = []
    while (frame := source.read()) is not None:
        found.append(frame.timestamp_s)
    source.close()
    assert len(found) == n_frames == facts.n_frames_expected
    np.testing.assert_allclose(found, probe_times(path), atol=1e-3)
