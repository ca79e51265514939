"""Everything a user can get wrong: one sentence on standard error, exit code 2, no file left."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.conftest import PROJECT_ROOT
from tests.e2e.conftest import Ran, RunProgram
from tests.tiny_model import tiny_model_bytes, tiny_spec


def make_video(path: Path, *, n_frames: int = 30) -> Path:
    """Write noise, so that the file has some size; its index is at its end."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for _ in range(n_frames):
            picture = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def make_audio(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_text(path: Path) -> Path:
    path.write_text("This is no video.\n" * 100)
    return path


def make_cut_off(path: Path) -> Path:
    whole = make_video(path.with_name("whole.mp4")).read_bytes()
    path.with_name("whole.mp4").unlink()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    return path


def make_empty(path: Path) -> Path:
    path.touch()
    return path


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def assert_refused(ran: Ran, out_dir: Path, *words: str) -> None:
    lines = ran.err.splitlines()
    assert ran.code == 2
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("lanet-live: ")
    assert lines[0].endswith((".", "'", ")", "?"))
    for word in words:
        assert word in lines[0]
    assert not out_dir.exists() or list(out_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda path: path, "no file"),
        (make_folder, "is a folder"),
        (make_text, "not a video"),
        (make_cut_off, "index"),
        (make_audio, "only sound"),
        (make_empty, "empty"),
    ],
    ids=["missing", "folder", "text", "cut off before its index", "audio only", "zero bytes"],
)
def test_a_file_that_is_no_video(
    run_program: RunProgram, tmp_path: Path, make: Callable[[Path], Path], word: str
) -> None:
    path, out_dir = make(tmp_path / "clip.mp4"), tmp_path / "out"
    ran = run_program("--video", path, "--export", "csv", "plot", "video", "--out", out_dir)
    assert_refused(ran, out_dir, "clip.mp4", word)


def test_an_image_folder_without_images(run_program: RunProgram, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "notes.txt").write_text("none here")
    ran = run_program("--images", tmp_path / "pictures", "--export", "csv", "--out", tmp_path / "o")
    assert_refused(ran, tmp_path / "o", "pictures")


def test_a_camera_that_does_not_exist(run_program: RunProgram, tmp_path: Path) -> None:
    ran = run_program("--camera", "97", "--export", "csv", "--out", tmp_path / "out")
    assert_refused(ran, tmp_path / "out", "97")


def test_an_unknown_export(run_program: RunProgram, demo_clip: Path, tmp_path: Path) -> None:
    ran = run_program("--video", demo_clip, "--export", "xlsx", "--out", tmp_path / "out")
    assert_refused(ran, tmp_path / "out", "xlsx", "csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["no model file"]),
        (b"\x80\x04this is a pickle, not a model", ["m.onnx"]),
        (tiny_model_bytes(metadata={}), ["m.onnx"]),
        (tiny_model_bytes(tiny_spec(alignment="other-v9")), ["other-v9", "again"]),
    ],
    ids=["missing", "not ONNX", "no description", "other alignment"],
)
def test_a_model_that_cannot_be_used(
    run_program: RunProgram,
    demo_clip: Path,
    tmp_path: Path,
    content: bytes | None,
    words: list[str],
) -> None:
    model = tmp_path / "m.onnx"
    if content is not None:
        model.write_bytes(content)
    ran = run_program(
        "--video", demo_clip, "--export", "csv", "--out", tmp_path / "out", model=model
    )
    assert_refused(ran, tmp_path / "out", *words)


@pytest.mark.parametrize(
    ("option", "value"), [("--engine", "abacus"), ("--device", "NO_SUCH_DEVICE")]
)
def test_an_engine_that_is_not_there(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path, option: str, value: str
) -> None:
    ran = run_program(
        "--video", demo_clip, "--export", "csv", "--out", tmp_path / "out", option, value
    )
    assert_refused(ran, tmp_path / "out", value)


def test_an_output_that_is_there_already(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "demo.csv").write_text("precious")
    ran = run_program("--video", demo_clip, "--export", "csv", "--out", tmp_path)
    assert ran.code == 2
    assert "demo.csv is already there; add --overwrite" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["demo.csv"]
    assert (tmp_path / "demo.csv").read_text() == "precious"


def test_one_bad_source_does_not_stop_the_others(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    missing, empty = tmp_path / "missing.mp4", make_empty(tmp_path / "empty.mp4")
    ran = run_program(
        "--video", missing, demo_clip, empty, "--duration", "0.2", "--export", "csv",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 3
    assert "2 of 3 sources could not be analysed" in ran.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "demo.csv", "demo.metadata.json",
    }  # fmt: skip


def run_without_superpowers(*argv: str | Path) -> Ran:
    """Run the program in a process that file permissions apply to, even as root."""

    def drop_capabilities() -> None:
        if os.geteuid() == 0:
            cap_bset_drop, dac_override, dac_read_search = 24, 1, 2
            libc = ctypes.CDLL(None)
            for capability in (dac_override, dac_read_search):
                libc.prctl(cap_bset_drop, capability, 0, 0, 0)

    done = subprocess.run(
        [sys.executable, "-m", "lanet_live", *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT_ROOT,
        preexec_fn=drop_capabilities,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="permissions are taken away the Linux way")
class TestPermissions:
    """What the user may not read or write."""

    def test_a_video_that_may_not_be_read(self, model_path: Path, tmp_path: Path) -> None:
        clip = make_video(tmp_path / "clip.mp4")
        clip.chmod(0)
        ran = run_without_superpowers(
            "--video", clip, "--export", "csv", "--out", tmp_path / "o", "--model", model_path
        )
        assert_refused(ran, tmp_path / "o", "clip.mp4", "ermission")

    def test_a_folder_that_may_not_be_written(
        self, model_path: Path, demo_clip: Path, tmp_path: Path
    ) -> None:
        out_dir = make_folder(tmp_path / "out")
        out_dir.chmod(0o555)
        ran = run_without_superpowers(
            "--video", demo_clip, "--export", "csv", "--out", out_dir, "--model", model_path
        )
        assert_refused(ran, out_dir, "out", "Permission denied", "--out")

    def test_a_model_that_may_not_be_read(
        self, model_path: Path, demo_clip: Path, tmp_path: Path
    ) -> None:
        model = tmp_path / "m.onnx"
        model.write_bytes(model_path.read_bytes())
        model.chmod(0)
        ran = run_without_superpowers(
            "--video", demo_clip, "--export", "csv", "--out", tmp_path / "o", "--model", model
        )
        assert_refused(ran, tmp_path / "o", "m.onnx", "Permission denied")
