import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lanet_engines.spec import PredictionSets
from lanet_live.errors import SinkError
from lanet_live.records import SharesEstimate
from lanet_live.run_summary import RunEnd, RunSummary
from lanet_live.sinks.metadata import MetadataFile, RunSettings, RunSetup
from tests.fakes import LABELS, FakeEngine, FakeTracker, make_facts, make_result, make_spec

SETTINGS = RunSettings(
    source="clips/a.mp4",
    command="lanet-live --video clips/a.mp4 --export csv",
    files={"csv": "a.csv"},
    part={"start_s": None, "end_s": None, "every_n": 1},
    columns="basic",
    model_file="m.onnx",
    max_faces=8,
    with_disagreement=False,
    smoothing_s=0.25,
)


def make_setup() -> RunSetup:
    engine = FakeEngine()
    return RunSetup(
        make_facts(),
        engine.spec,
        engine.info,
        FakeTracker().info,
        min_quality=0.3,
        max_uncertainty=0.7,
    )


def make_summary(end: RunEnd, partial_reason: str | None = None) -> RunSummary:
    return RunSummary(
        facts=make_facts(details={"n_damaged_pieces": 2}),
        warnings=("2 pieces could not be decoded.",),
        n_decoded=12,
        n_analysed=11,
        n_with_face=7,
        n_dropped=1,
        end=end,
        partial_reason=partial_reason,
        is_interrupted=False,
        elapsed_s=1.5,
    )


def begin(path: Path) -> MetadataFile:
    metadata = MetadataFile(path, SETTINGS)
    metadata.begin(make_setup())
    return metadata


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_it_says_running_from_the_start(tmp_path: Path) -> None:
    begin(tmp_path / "m.json")
    document = read(tmp_path / "m.json")
    assert document["status"] == "running"
    assert document["ended_at"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def test_everything_the_reader_needs_is_there(tmp_path: Path) -> None:
    metadata = begin(tmp_path / "m.json")
    metadata.finish(make_summary(RunEnd.COMPLETED))
    document = read(tmp_path / "m.json")
    assert (document["status"], document["partial_reason"]) == ("complete", None)
    assert document["frames"] == {"decoded": 12, "analysed": 11, "with_face": 7, "dropped": 1}
    assert document["command"] == SETTINGS.command
    assert document["thresholds"] == {"min_quality": 0.3, "max_uncertainty": 0.7}
    assert document["smoothing"] == {"is_on": True, "time_constant_s": 0.25}
    assert document["model"]["sha256"] == "0" * 64
    assert document["engine"]["backend"] == "fake"
    assert document["tracker"]["name"] == "fake"
    assert document["source"]["given_as"] == "clips/a.mp4"
    assert document["source"]["details"] == {"n_damaged_pieces": 2}
    assert document["warnings"] == ["2 pieces could not be decoded."]
    assert {"lanet-live", "python", "numpy", "mediapipe"} <= set(document["software"])
    assert document["began_at"] <= document["ended_at"]


def test_a_run_that_broke_off_is_partial_and_says_why(tmp_path: Path) -> None:
    metadata = begin(tmp_path / "m.json")
    metadata.finish(make_summary(RunEnd.SOURCE_LOST, "The file ends in the middle."))
    document = read(tmp_path / "m.json")
    assert document["status"] == "partial"
    assert document["partial_reason"] == "The file ends in the middle."


def test_a_run_that_failed_is_partial_with_what_was_counted(tmp_path: Path) -> None:
    metadata = begin(tmp_path / "m.json")
    for index in range(5):
        metadata.write(make_result(index, face_ids=(0,) if index < 2 else ()))
    metadata.close()
    metadata.fail("The disk is full.")
    document = read(tmp_path / "m.json")
    assert (document["status"], document["partial_reason"]) == ("partial", "The disk is full.")
    assert document["frames"] == {"analysed": 5, "with_face": 2}


def test_where_no_new_file_fits_the_old_one_is_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = begin(tmp_path / "m.json")
    (tmp_path / "m.json.part").mkdir()  # stands in for a full disk: the new file cannot be made
    metadata.fail("The disk is full.")
    assert read(tmp_path / "m.json")["partial_reason"] == "The disk is full."


def test_a_folder_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    metadata = MetadataFile(tmp_path / "gone" / "m.json", SETTINGS)
    with pytest.raises(SinkError, match="cannot be written"):
        metadata.begin(make_setup())


def test_class_shares_in_force_and_the_estimate_are_there(tmp_path: Path) -> None:
    shares = (0.37, 0.27, 0.13, 0.11, 0.09, 0.01, 0.015, 0.005)
    spec = make_spec(class_shares=shares, prediction_sets=PredictionSets(0.9, (0.03,) * 8))
    setup = replace(make_setup(), spec=spec, prior="balanced", prior_shares=(1 / 8,) * 8)
    metadata = MetadataFile(tmp_path / "m.json", SETTINGS)
    metadata.begin(setup)
    assert read(tmp_path / "m.json")["prior"]["estimate"] is None
    estimate = SharesEstimate(LABELS, (0.3, 0.7, 0, 0, 0, 0, 0, 0), 900, 41.26)
    metadata.finish(replace(make_summary(RunEnd.COMPLETED), shares=estimate))
    document = read(tmp_path / "m.json")
    assert document["model"]["class_shares"] == dict(zip(LABELS, shares, strict=True))
    assert document["model"]["prediction_sets"]["coverage"] == 0.9
    assert document["prior"]["name"] == "balanced"
    assert set(document["prior"]["shares"].values()) == {0.125}
    found = document["prior"]["estimate"]
    assert (found["shares"]["happiness"], found["n_frames"], found["n_effective"]) == (
        0.7,
        900,
        41.3,
    )


def test_a_model_without_shares_says_so(tmp_path: Path) -> None:
    begin(tmp_path / "m.json")
    document = read(tmp_path / "m.json")
    assert document["prior"] == {"name": "fitted", "shares": None, "estimate": None}
    assert document["model"]["prediction_sets"] is None
