"""Runs that end before their time: killed, interrupted, out of room, out of data."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from benchmarks.looped_clip import loop_clip
from tests.conftest import PROJECT_ROOT
from tests.contracts.test_sinks import read_times_s
from tests.e2e.conftest import RunProgram
from tests.e2e.test_export import read_metadata, read_rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses the signals of Unix")

WAIT_S = 120.0


@pytest.fixture(scope="module")
def long_clip(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and more of a real face, so that no run ends before it is broken off."""
    return loop_clip(demo_clip, tmp_path_factory.mktemp("clip") / "long.mp4", n_frames=2_000)


@pytest.fixture
def start_program(model_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `lanet-live` in a process of its own; it is gone when the test is over."""
    started: list[subprocess.Popen[str]] = []

    def start(*argv: str | Path, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "lanet_live", *map(str, argv), "--model", str(model_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT_ROOT,
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for_rows(path: Path, n_rows: int) -> None:
    """Return once a table has so many rows."""
    tick, deadline_s = threading.Event(), time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        if path.exists() and path.read_bytes().count(b"\n") > n_rows:
            return
        tick.wait(0.02)
    pytest.fail(f"{path.name} did not get {n_rows} rows in {WAIT_S:g} s")


def test_a_killed_run_leaves_files_that_can_be_read(
    start_program, long_clip: Path, tmp_path: Path
) -> None:
    process = start_program(
        "--video", long_clip, "--out", tmp_path, "--export", "csv", "jsonl", "parquet", "video",
        "plot",
    )  # fmt: skip
    wait_for_rows(tmp_path / "long.csv", 60)
    before = (tmp_path / "long.csv").read_bytes()
    process.kill()
    process.wait(WAIT_S)
    rows = read_rows(tmp_path / "long.csv")
    assert (tmp_path / "long.csv").read_bytes().startswith(before)
    assert [int(row["frame"]) for row in rows] == list(range(len(rows)))
    assert all(None not in row.values() for row in rows)
    objects = [json.loads(line) for line in (tmp_path / "long.jsonl").read_text().splitlines()]
    assert abs(len(objects) - len(rows)) <= 1
    frames = pyarrow.ipc.open_stream(str(tmp_path / "long.parquet.arrows")).read_all()["frame"]
    assert frames.to_pylist() == list(range(len(frames)))
    last_s = float(rows[-1]["timestamp"])
    assert read_times_s(tmp_path / "long_annotated.mp4")[-1] >= last_s - 1.0
    assert not (tmp_path / "long.png").exists()
    assert not (tmp_path / "long.parquet").exists()
    assert read_metadata(tmp_path / "long.metadata.json")["status"] == "running"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_it_has_and_says_so(
    start_program, long_clip: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start_program("--video", long_clip, "--out", tmp_path, "--export", "csv", "plot")
    wait_for_rows(tmp_path / "long.csv", 20)
    process.send_signal(number)
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted with Ctrl-C" in errors
    rows = read_rows(tmp_path / "long.csv")
    metadata = read_metadata(tmp_path / "long.metadata.json")
    assert metadata["status"] == "partial"
    assert "interrupted" in metadata["partial_reason"]
    assert metadata["frames"]["analysed"] == len(rows) >= 20
    assert (tmp_path / "long.png").stat().st_size > 0


def test_after_an_interruption_no_further_source_is_begun(
    start_program, long_clip: Path, demo_clip: Path, tmp_path: Path
) -> None:
    process = start_program("--video", long_clip, demo_clip, "--out", tmp_path, "--export", "csv")
    wait_for_rows(tmp_path / "long.csv", 5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert not (tmp_path / "demo.csv").exists()


def assert_ended_for_lack_of_room(
    process: "subprocess.Popen[str]", out_dir: Path, sentence: str
) -> None:
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1, errors
    assert sentence in errors
    rows = read_rows(out_dir / "long.csv")
    assert len(rows) > 50
    assert all(None not in row.values() and row["timestamp"] != "" for row in rows)
    metadata = read_metadata(out_dir / "long.metadata.json")
    assert metadata["status"] == "partial"
    assert sentence in metadata["partial_reason"]
    assert metadata["frames"]["analysed"] == len(rows)


def test_a_file_that_may_not_grow_ends_with_a_whole_row(
    start_program, long_clip: Path, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")

    def allow_3_mb() -> None:
        # Room for the face networks, which pass through a temporary file, not for the table.
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))

    command = ("--video", long_clip, "--out", tmp_path, "--export", "csv", "--columns", "full")
    process = start_program(*command, preexec_fn=allow_3_mb)
    assert_ended_for_lack_of_room(process, tmp_path, "the largest size a file may have here")


def test_no_room_for_temporary_files_is_one_sentence(
    start_program, demo_clip: Path, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")

    def allow_20_kb() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    process = start_program(
        "--video", demo_clip, "--out", tmp_path, "--export", "csv", preexec_fn=allow_20_kb
    )
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1, errors
    assert "MB of room for temporary files: File too large" in errors
    assert "TMPDIR" in errors


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 kB, where the tests may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can make a disk that is full soon")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_run_with_a_sentence(
    start_program, long_clip: Path, small_disk: Path
) -> None:
    process = start_program("--video", long_clip, "--out", small_disk, "--export", "csv")
    assert_ended_for_lack_of_room(process, small_disk, "The disk is full")


def test_a_clip_that_breaks_off_keeps_its_rows(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    # The demo clip has its index in front, so its first part can be decoded.
    content = demo_clip.read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content[: len(content) // 2])
    ran = run_program("--video", broken, "--out", tmp_path / "out", "--export", "csv", "plot")
    assert ran.code == 2
    assert "broken.mp4" in ran.err
    assert "The files hold what was analysed." in ran.err
    rows = read_rows(tmp_path / "out" / "broken.csv")
    metadata = read_metadata(tmp_path / "out" / "broken.metadata.json")
    assert metadata["status"] == "partial"
    assert metadata["frames"]["analysed"] == len(rows)
    assert 20 < len(rows) < 220
