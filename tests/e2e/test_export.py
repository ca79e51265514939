"""What a run leaves, on real clips."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from lanet_live.config import EngineConfig, LiveConfig, SourceConfig
from lanet_live.run.assembly import build_pipeline_factory, build_source_factory
from lanet_live.run.offline import run_synchronous
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.table import TableLayout
from tests.conftest import PROJECT_ROOT
from tests.contracts.test_sinks import read_times_s
from tests.e2e.conftest import RunProgram
from tests.fakes import LABELS

Rows = list[dict[str, str]]


def read_rows(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_metadata(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def assert_rows_are_sound(rows: Rows) -> None:
    for row in rows:
        values = [value for name, value in row.items() if name not in ("frame", "timestamp")]
        if row["success"] == "0":
            assert values.count("") == len(values) - 1  # all but success itself
        else:
            assert sum(float(row[label]) for label in LABELS) == pytest.approx(1, abs=1e-4)
            assert row["expression"] == max(LABELS, key=lambda label: float(row[label]))


def test_a_clip_becomes_every_kind_of_file(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    ran = run_program(
        "--video", demo_clip, "--duration", "1", "--out", tmp_path,
        "--export", "csv", "jsonl", "parquet", "video", "plot",
    )  # fmt: skip
    assert ran.code == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "demo.csv", "demo.jsonl", "demo.parquet", "demo_annotated.mp4", "demo.png",
        "demo.metadata.json",
    }  # fmt: skip
    rows = read_rows(tmp_path / "demo.csv")
    assert_rows_are_sound(rows)
    assert [int(row["frame"]) for row in rows] == list(range(25))
    times_s = [float(row["timestamp"]) for row in rows]
    assert read_times_s(tmp_path / "demo_annotated.mp4") == pytest.approx(times_s, abs=1e-4)


def test_all_tables_hold_the_same_values(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    pandas = pytest.importorskip("pandas")
    ran = run_program(
        "--video", demo_clip, "--duration", "0.4", "--out", tmp_path, "--columns", "full",
        "--export", "csv", "jsonl", "parquet",
    )  # fmt: skip
    assert ran.code == 0
    tables = [
        pandas.read_csv(tmp_path / "demo.csv"),
        pandas.read_json(tmp_path / "demo.jsonl", lines=True).drop(columns="quality_reasons"),
        pandas.read_parquet(tmp_path / "demo.parquet"),
    ]
    for table in tables[1:]:
        assert list(table.columns) == list(tables[0].columns)
        pandas.testing.assert_frame_equal(
            table, tables[0], check_dtype=False, check_exact=False, rtol=0, atol=0.006
        )


def test_metadata_tell_how_the_table_came_about(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    run_program("--video", demo_clip, "--duration", "0.4", "--export", "csv", "--out", tmp_path)
    metadata = read_metadata(tmp_path / "demo.metadata.json")
    assert metadata["status"] == "complete"
    assert metadata["frames"] == {"decoded": 11, "analysed": 10, "with_face": 10, "dropped": 0}
    assert metadata["source"]["source_id"] == "demo.mp4"
    assert metadata["model"]["name"] == "tiny"
    assert len(metadata["model"]["sha256"]) == 64
    assert metadata["command"].startswith("lanet-live --video ")


def test_smoothing_adds_columns_and_changes_none(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    common = ("--video", demo_clip, "--duration", "0.4", "--export", "csv")
    run_program(*common, "--out", tmp_path / "raw")
    run_program(*common, "--out", tmp_path / "smooth", "--smooth")
    raw = read_rows(tmp_path / "raw" / "demo.csv")
    smooth = read_rows(tmp_path / "smooth" / "demo.csv")
    assert list(smooth[0])[len(raw[0]) :] == [f"{label}_smoothed" for label in LABELS]
    assert [{name: row[name] for name in raw[0]} for row in smooth] == raw


def test_disagreement_fills_its_column_and_changes_no_other(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    common = ("--video", demo_clip, "--duration", "0.2", "--export", "csv")
    run_program(*common, "--out", tmp_path / "off")
    run_program(*common, "--out", tmp_path / "on", "--disagreement")
    off = read_rows(tmp_path / "off" / "demo.csv")
    on = read_rows(tmp_path / "on" / "demo.csv")
    assert {row["disagreement"] for row in off} == {""}
    assert all(0 < float(row["disagreement"]) < 1 for row in on)
    for a, b in zip(off, on, strict=True):
        assert [float(a[label]) for label in LABELS] == pytest.approx(
            [float(b[label]) for label in LABELS], abs=2e-5
        )


def test_the_command_line_writes_the_rows_of_the_plain_loop(
    run_program: RunProgram, model_path: Path, demo_clip: Path, tmp_path: Path
) -> None:
    run_program("--video", demo_clip, "--export", "csv", "--out", tmp_path / "cli")
    config = LiveConfig(
        sources=(SourceConfig("video", path=demo_clip),),
        engine=EngineConfig(model_path=model_path),
    )
    run_synchronous(
        build_source_factory(config.sources[0]),
        build_pipeline_factory(config),
        [CsvSink(tmp_path / "loop.csv", TableLayout(LABELS))],
    )
    assert (tmp_path / "loop.csv").read_bytes() == (tmp_path / "cli" / "demo.csv").read_bytes()


def probe_times_s(path: Path) -> list[float]:
    """Ask ffprobe, which shares no code of ours, for the time stamps."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed; it tells the time stamps to compare with")
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time",
         "-of", "csv=p=0", str(path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [float(line.strip(",")) for line in done.stdout.split()]


@pytest.mark.parametrize(
    ("name", "n_frames", "successes"),
    [
        ("single_face.mp4", 72, [range(72)]),
        # By eye the face leaves at frame 72 and, in the other clip, comes at frame 96.
        ("face_noface.mov", 169, [range(72)]),
        ("noface_face.mov", 169, [range(96, 169)]),
        ("no_face.mp4", None, []),
    ],
)
def test_every_frame_of_a_real_clip_is_accounted_for(
    run_program: RunProgram,
    shared_dir: Path,
    tmp_path: Path,
    name: str,
    n_frames: int | None,
    successes: list[range],
) -> None:
    clip = shared_dir / "clips" / name
    assert run_program("--video", clip, "--export", "csv", "--out", tmp_path).code == 0
    rows = read_rows(tmp_path / f"{clip.stem}.csv")
    assert_rows_are_sound(rows)
    times_s = probe_times_s(clip)
    assert n_frames is None or len(times_s) == n_frames
    assert [int(row["frame"]) for row in rows] == list(range(len(times_s)))
    assert [float(row["timestamp"]) for row in rows] == pytest.approx(times_s, abs=1e-3)
    found = {int(row["frame"]) for row in rows if row["success"] == "1"}
    expected = {frame for span in successes for frame in span}
    assert len(found ^ expected) <= 3


def test_the_installed_program_runs(demo_clip: Path, model_path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lanet_live", "--video", str(demo_clip), "--duration", "0.2",
         "--export", "csv", "--out", str(tmp_path), "--model", str(model_path)],
        capture_output=True, text=True, timeout=120, cwd=PROJECT_ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "demo.csv" in done.stdout
    assert len(read_rows(tmp_path / "demo.csv")) == 5


def test_pictures_have_rows_without_time(
    run_program: RunProgram, demo_clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    with av.open(str(demo_clip)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="bgr24")
    cv2.imwrite(str(folder / "p10.png"), first)
    cv2.imwrite(str(folder / "p2.png"), np.zeros_like(first))
    out_dir = tmp_path / "out"
    ran = run_program("--images", folder, "--export", "csv", "video", "--out", out_dir)
    assert ran.code == 0, ran.err
    rows = read_rows(out_dir / "pictures.csv")
    assert [(row["frame"], row["timestamp"], row["success"]) for row in rows] == [
        ("0", "", "0"), ("1", "", "1"),
    ]  # fmt: skip
    metadata = read_metadata(out_dir / "pictures.metadata.json")
    assert metadata["source"]["details"]["pictures"] == ["p2.png", "p10.png"]
    assert read_times_s(out_dir / "pictures_annotated.mp4") == [0.0, 1.0]


def test_every_face_of_a_group_has_an_id_of_its_own(
    run_program: RunProgram, shared_dir: Path, tmp_path: Path
) -> None:
    picture = shared_dir / "clips" / "multi_face.jpg"
    assert run_program("--images", picture, "--export", "csv", "--out", tmp_path).code == 0
    rows = read_rows(tmp_path / "multi_face.csv")
    assert sorted(row["face_id"] for row in rows) == ["0", "1", "2", "3", "4"]
