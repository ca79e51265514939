import struct

import pytest

from lanet_live.capture.container_outline import read_outline
from tests.media import VideoPlan, gray_levels, noise, write_video


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", 8 + len(payload)) + kind + payload


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("a.mp4", VideoPlan()),
        ("a.mov", VideoPlan(container_options={"movflags": "faststart"})),
        ("frag.mp4", VideoPlan(container_options={"movflags": "frag_keyframe+empty_moov"})),
        ("a.mkv", VideoPlan(codec="ffv1")),
        ("a.webm", VideoPlan(codec="libvpx-vp9")),
        ("a.avi", VideoPlan()),
        ("a.ts", VideoPlan()),
    ],
)
def test_cut_is_seen_and_a_whole_file_passes(tmp_path, name, plan):
    path = write_video(tmp_path / name, noise(6), plan)
    assert not read_outline(path).is_cut_off
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3 + 1])
    assert read_outline(path).is_cut_off


def test_mp4_cut_before_its_index_lacks_it(tmp_path):
    path = write_video(tmp_path / "a.mp4", gray_levels(3))
    assert not read_outline(path).lacks_index
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") - 4])
    outline = read_outline(path)
    assert outline.lacks_index
    assert not outline.is_cut_off


def test_open_ended_matroska_states_no_size(tmp_path):
    plan = VideoPlan(codec="ffv1", container_options={"live": "1"})
    outline = read_outline(write_video(tmp_path / "live.mkv", gray_levels(3), plan))
    assert outline.stated_bytes is None
    assert not outline.is_cut_off


def test_large_and_open_boxes_are_understood(tmp_path):
    large = struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 1 << 40)
    path = tmp_path / "large.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + large)
    assert read_outline(path).stated_bytes == 12 + (1 << 40)
    path.write_bytes(box(b"ftyp", b"isom") + box(b"moov", b"") + struct.pack(">I", 0) + b"mdat...")
    assert not read_outline(path).is_cut_off


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 100,
        b"plain text",
        b"G",
        b"RIFF",
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3\xff",
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67",
        box(b"ftyp", b"")[:6],
        struct.pack(">I", 3) + b"ftyp",
    ],
)
def test_rubbish_ends_the_walk(tmp_path, content):
    path = tmp_path / "rubbish"
    path.write_bytes(content)
    assert read_outline(path).actual_bytes == len(content)
