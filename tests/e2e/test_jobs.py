"""Several files at a time (`--jobs`), and batches that go on after a break (`--resume`)."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.looped_clip import loop_clip
from tests.conftest import PROJECT_ROOT
from tests.e2e.conftest import RunProgram
from tests.e2e.test_broken_off import wait_for_rows
from tests.e2e.test_export import read_metadata

N_FRAMES = 40
WAIT_S = 60.0

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def clips(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three short clips of a real face, of different lengths."""
    folder = tmp_path_factory.mktemp("clips")
    lengths = (N_FRAMES, N_FRAMES // 2, N_FRAMES + 10)
    return [loop_clip(demo_clip, folder / f"c{n}.mp4", n_frames=n) for n in lengths]


@pytest.fixture(scope="module")
def long_clips(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two clips so long that no run ends before it is broken off."""
    folder = tmp_path_factory.mktemp("long")
    first = loop_clip(demo_clip, folder / "a.mp4", n_frames=3_000)
    return [first, Path(shutil.copy(first, folder / "b.mp4"))]


@pytest.fixture
def start(model_path: Path) -> Iterator[Start]:
    """Start `lanet-live` in a process group of its own; it is gone when the test is over."""
    started: list[subprocess.Popen[str]] = []

    def run(*argv: str | Path) -> subprocess.Popen[str]:
        options: dict[str, Any] = {"start_new_session": True, "cwd": PROJECT_ROOT, "text": True}
        process = subprocess.Popen(
            [sys.executable, "-m", "lanet_live", *map(str, argv), "--model", str(model_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        for child in children(process):
            child.kill()
        process.kill()
        process.communicate()


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the worker processes; Python's resource tracker is none of them."""
    try:
        found = psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []
    return [child for child in found if "spawn_main" in " ".join(child.cmdline())]


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def test_two_jobs_write_the_tables_of_one(
    run_program: RunProgram, clips: list[Path], tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert run_program("--video", *clips, "--export", "csv", "--out", one).code == 0
    ran = run_program("--video", *clips, "--export", "csv", "--out", two, "--jobs", "2")
    assert (ran.code, ran.err) == (0, "")
    assert tables(two) == tables(one)
    assert len(tables(two)) == len(clips)
    for clip in clips:
        assert read_metadata(two / f"{clip.stem}.metadata.json")["status"] == "complete"
        assert f"{clip}: " in ran.out


def test_a_source_that_fails_does_not_stop_the_others(
    run_program: RunProgram, clips: list[Path], tmp_path: Path
) -> None:
    missing = tmp_path / "missing.mp4"
    out = tmp_path / "out"
    ran = run_program(
        "--video", clips[0], missing, clips[1], "--export", "csv", "--out", out, "--jobs", "2"
    )
    assert ran.code == 2
    assert "missing.mp4" in ran.err
    assert "1 of 3 sources could not be analysed to their end." in ran.err
    assert set(tables(out)) == {f"{clips[0].stem}.csv", f"{clips[1].stem}.csv"}


def test_resume_leaves_out_what_is_done_and_repeats_what_was_broken_off(
    run_program: RunProgram, clips: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("--video", *clips, "--export", "csv", "--out", out)
    assert run_program(*arguments).code == 0
    whole = tables(out)
    broken, kept = (out / f"{clips[n].stem}.csv" for n in (0, 1))
    broken.write_bytes(whole[broken.name][:2000])
    metadata = out / f"{clips[0].stem}.metadata.json"
    metadata.write_text(metadata.read_text().replace('"complete"', '"running"'))
    written_ns = kept.stat().st_mtime_ns
    ran = run_program(*arguments, "--resume", "--jobs", "2")
    assert ran.code == 0
    assert ran.out.startswith("2 sources were analysed before; 1 left.\n")
    assert tables(out) == whole
    assert kept.stat().st_mtime_ns == written_ns
    again = run_program(*arguments, "--resume")
    assert (again.code, again.out) == (0, "3 sources were analysed before; 0 left.\n")


def test_resume_refuses_tables_made_with_other_options(
    run_program: RunProgram, clips: list[Path], tmp_path: Path
) -> None:
    arguments = ("--video", clips[1], "--export", "csv", "--out", tmp_path / "out")
    assert run_program(*arguments).code == 0
    ran = run_program(*arguments, "--resume", "--max-faces", "2")
    assert ran.code == 2
    assert "is of a run with other options" in ran.err
    assert run_program(*arguments, "--resume", "--max-faces", "2", "--overwrite").code == 0


def test_resume_does_not_replace_a_table_without_metadata(
    run_program: RunProgram, clips: list[Path], tmp_path: Path
) -> None:
    table = tmp_path / f"{clips[1].stem}.csv"
    table.write_text("mine")
    ran = run_program("--video", clips[1], "--export", "csv", "--out", tmp_path, "--resume")
    assert ran.code == 2
    assert "already there" in ran.err
    assert table.read_text() == "mine"


@pytest.mark.parametrize("option", [("--jobs", "2"), ("--resume",)])
def test_a_camera_has_no_jobs(run_program: RunProgram, option: tuple[str, ...]) -> None:
    ran = run_program("--camera", "0", "--export", "csv", *option)
    assert (ran.code, ran.out) == (2, "")
    assert "is for files" in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="uses the signals of Unix")
@pytest.mark.slow
@pytest.mark.parametrize("to_group", [True, False], ids=["Ctrl-C", "kill"])
def test_an_interrupted_batch_keeps_its_rows_and_resumes(
    start: Start, long_clips: list[Path], tmp_path: Path, to_group: bool
) -> None:
    arguments = ("--video", *long_clips, "--export", "csv", "--out", tmp_path, "--jobs", "2")
    process = start(*arguments)
    for clip in long_clips:
        wait_for_rows(tmp_path / f"{clip.stem}.csv", 10)
    workers = children(process)
    if to_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert "Interrupted. The files hold what was analysed; --resume goes on from there." in err
    assert "Traceback" not in err
    assert len(workers) == 2
    assert not any(worker.is_running() for worker in workers)
    for clip in long_clips:
        metadata = read_metadata(tmp_path / f"{clip.stem}.metadata.json")
        assert metadata["status"] == "partial"
        assert metadata["partial_reason"] == "The analysis was interrupted with Ctrl-C."
        n_rows = (tmp_path / f"{clip.stem}.csv").read_bytes().count(b"\n") - 1
        assert n_rows == metadata["frames"]["analysed"]


@pytest.mark.skipif(sys.platform == "win32", reason="uses the signals of Unix")
@pytest.mark.slow
def test_a_killed_worker_costs_one_file_and_a_killed_parent_leaves_nobody_behind(
    start: Start, long_clips: list[Path], tmp_path: Path
) -> None:
    arguments = ("--video", *long_clips, "--export", "csv", "--out", tmp_path, "--jobs", "2")
    process = start(*arguments)
    for clip in long_clips:
        wait_for_rows(tmp_path / f"{clip.stem}.csv", 10)
    first, second = children(process)
    first.kill()
    first_line = process.stderr.readline() if process.stderr else ""
    assert "The process that analysed it died (signal 9)" in first_line
    assert second.is_running()
    process.kill()
    process.wait(WAIT_S)
    second.wait(WAIT_S)
    states = sorted(
        read_metadata(tmp_path / f"{clip.stem}.metadata.json")["status"] for clip in long_clips
    )
    assert states == ["partial", "running"]  # neither looks whole
