"""The window's queue writes what the command line writes."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from lanet_live.analysis.item import AnalysisItem, ItemState, find_sources
from lanet_live.analysis.item_run import item_runner
from lanet_live.analysis.options import AnalysisOptions
from lanet_live.analysis.queue import AnalysisQueue, QueueSnapshot
from lanet_live.analysis.queue_file import QueueFile
from lanet_live.config import EngineConfig, LiveConfig
from tests.e2e.conftest import RunProgram

TIMEOUT_S = 120


def run_queue(items: list[AnalysisItem], model_path: Path, folder: Path) -> QueueSnapshot:
    """Work a queue off with the real pipeline."""
    is_over = threading.Event()

    def look() -> None:
        if all(item.state.is_over for item in queue.snapshot().items):
            is_over.set()

    config = LiveConfig(sources=(), engine=EngineConfig(model_path=model_path))
    queue = AnalysisQueue(
        QueueFile(folder / "queue.json"), item_runner(config), on_change=lambda: look()
    )
    queue.add(items)
    queue.start()
    try:
        assert is_over.wait(TIMEOUT_S)
    finally:
        queue.close()
    return queue.snapshot()


def read_without_times(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in ("began_at", "ended_at", "elapsed_s", "command"):
        document.pop(key, None)
    return document


def test_tables_are_those_of_the_command_line_byte_for_byte(
    run_program: RunProgram, shared_dir: Path, model_path: Path, tmp_path: Path
) -> None:
    clip = shared_dir / "clips" / "single_face.mp4"
    if not clip.is_file():
        pytest.skip(f"{clip.name} is not among the shared clips")
    ran = run_program(
        "--video", clip, "--start", "0.2", "--duration", "0.4", "--every", "2", "--max-faces", "3",
        "--columns", "full", "--export", "csv", "jsonl", "--out", tmp_path / "program",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    options = AnalysisOptions(
        start_s=0.2,
        end_s=0.2 + 0.4,
        every_n=2,
        max_faces=3,
        columns="full",
        formats=("csv", "jsonl"),
        out_dir=tmp_path / "queue",
    )
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    items = [AnalysisItem("video", path, options) for path in (bad, clip)]
    failed, done = run_queue(items, model_path, tmp_path).items
    assert failed.state is ItemState.FAILED
    assert "bad.mp4" in failed.reason
    assert done.state is ItemState.DONE, done.reason
    assert done.result_folder == tmp_path / "queue" / clip.stem
    names = [f"{clip.stem}.csv", f"{clip.stem}.jsonl"]
    for name in names:
        written = (done.result_folder / name).read_bytes()
        assert written == (tmp_path / "program" / name).read_bytes()
        assert written.count(b"\n") >= 5
    name = f"{clip.stem}.metadata.json"
    assert read_without_times(done.result_folder / name) == read_without_times(
        tmp_path / "program" / name
    )


def test_a_held_run_writes_the_same_rows(
    run_program: RunProgram, demo_clip: Path, model_path: Path, tmp_path: Path
) -> None:
    run_program("--video", demo_clip, "--duration", "0.4", "--export", "csv", "--out", tmp_path)
    progressed, is_over = threading.Event(), threading.Event()

    def look() -> None:
        (item,) = queue.snapshot().items
        if item.progress is not None:
            progressed.set()
        if item.state.is_over:
            is_over.set()

    config = LiveConfig(sources=(), engine=EngineConfig(model_path=model_path))
    queue = AnalysisQueue(
        QueueFile(tmp_path / "queue.json"), item_runner(config), on_change=lambda: look()
    )
    options = AnalysisOptions(end_s=0.4, out_dir=tmp_path / "queue")
    queue.add([AnalysisItem(kind, path, options) for kind, path in find_sources(demo_clip)])
    queue.start()
    try:
        assert progressed.wait(TIMEOUT_S)
        queue.pause()
        queue.start()
        assert is_over.wait(TIMEOUT_S)
    finally:
        queue.close()
    (item,) = queue.snapshot().items
    assert item.state is ItemState.DONE
    assert item.result_folder is not None
    assert (item.result_folder / "demo.csv").read_bytes() == (tmp_path / "demo.csv").read_bytes()
