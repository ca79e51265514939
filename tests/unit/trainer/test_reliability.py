"""Trials of reliability: real faces through the pipeline, and thresholds from made-up trials."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnx
import pytest

from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.registry import open_engine
from lanet_engines.spec import METADATA_KEY
from lanet_live.face.still import StillFaceFinder
from lanet_live.resources import asset_path
from lanet_trainer.commands.main import main
from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.degradations import CLEAN, STRENGTHS
from lanet_trainer.evaluation.logistic import cross_fitted_probability
from lanet_trainer.evaluation.reliability import Trials, curves, doubts, run_trials
from lanet_trainer.evaluation.reliability_report import analyse, write_reliability
from lanet_trainer.evaluation.thresholds import (
    Thresholds,
    apply_thresholds,
    choose_thresholds,
    cross_check,
)
from lanet_trainer.export.description import REPORT_KIND
from tests.prepared_sets import write_prepared
from tests.tiny_model import LABELS, tiny_spec, write_tiny_model


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """The face of the demo clip, filling a small grey picture as in FER+."""
    with av.open(str(asset_path("demo.mp4"))) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")
    finder = StillFaceFinder(max_faces=1)
    landmarks = finder.find(frame)[0].landmarks_px
    finder.close()
    (x0, y0), (x1, y1) = landmarks.min(axis=0).astype(int), landmarks.max(axis=0).astype(int)
    face = cv2.cvtColor(frame[y0 : y1 + 1, max(x0, 0) : x1 + 1], cv2.COLOR_BGR2GRAY)
    return cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA)


class _Labelled:
    """Pictures with labels: what the trials need of a prepared split."""

    class_names = LABELS

    def __init__(self, pictures: list[np.ndarray]) -> None:
        self.label = np.arange(len(pictures))
        self.image = pictures.__getitem__

    def __len__(self) -> int:
        return len(self.label)


def made_up_trials(n_pictures: int = 600, *, seed: int = 0) -> Trials:
    """Clean trials err as their uncertainty says; spoiled ones are sure and wrong, and show it."""
    generator = np.random.default_rng(seed)
    n = 2 * n_pictures
    is_clean = np.arange(n) % 2 == 0
    uncertainty = generator.uniform(0, 0.8, n)
    is_wrong = generator.random(n) < 0.6 * uncertainty**2
    is_dark = ~is_clean & (generator.random(n) < 0.5)
    is_wrong |= is_dark & (generator.random(n) < 0.6)
    quality = np.where(is_dark, generator.uniform(0, 0.35, n), generator.uniform(0.6, 1, n))
    kinds = list(STRENGTHS)
    return Trials(
        image=np.arange(n) // 2,
        kind=tuple(
            CLEAN if clean else ("darkness" if dark else kinds[0])
            for clean, dark in zip(is_clean, is_dark, strict=True)
        ),
        level=np.where(is_clean, -1, generator.integers(0, 3, n)),
        is_found=generator.random(n) < 0.95,
        is_correct=~is_wrong,
        uncertainty=uncertainty,
        disagreement=np.clip(uncertainty / 10 + generator.normal(0, 0.02, n), 0, 1),
        quality=quality,
        reasons=tuple(("dark",) if dark else () for dark in is_dark),
    )


def test_each_picture_is_tried_clean_and_spoiled(portrait, tmp_path: Path) -> None:
    spec = tiny_spec(labels=LABELS)
    engine = open_engine(write_tiny_model(tmp_path / "m.onnx", spec), backend="onnxruntime")
    pictures = [portrait, np.full((64, 64), 120, np.uint8), portrait[:, ::-1].copy()]
    split: Any = _Labelled(pictures)
    done: list[tuple[int, int]] = []
    trials = run_trials(engine, split, on_progress=lambda n, of: done.append((n, of)))
    assert done == [(number, 6) for number in range(1, 7)]
    assert sorted(trials.image.tolist()) == [0, 0, 1, 1, 2, 2]
    assert trials.kind[::2] == (CLEAN,) * 3
    assert set(trials.kind[1::2]) == set(list(STRENGTHS)[:3])
    is_plain = trials.image == 1
    assert not trials.is_found[is_plain].any()
    assert trials.is_found[~is_plain & trials.is_kind(CLEAN)].all()
    assert np.isnan(trials.quality[is_plain]).all()
    found = trials.where(trials.is_found)
    for values in (found.uncertainty, found.disagreement, found.quality):
        assert ((values >= 0) & (values <= 1)).all()


def test_quality_is_needed_where_the_model_is_sure_and_wrong() -> None:
    trials = made_up_trials()
    thresholds = choose_thresholds(trials)
    assert 0.35 <= thresholds.min_quality <= 0.6
    met = thresholds.are_met(trials)
    assert trials.where(met).error <= 0.5 * trials.error
    for kind in set(trials.kind):
        assert (
            trials.where(met & trials.is_kind(kind)).error <= trials.error
            or not (met & trials.is_kind(kind)).any()
        )
    outcome = apply_thresholds(trials, thresholds)
    # No pair of thresholds that also halves the error keeps more.
    looser = replace(thresholds, max_uncertainty=thresholds.max_uncertainty + 0.05)
    assert apply_thresholds(trials, looser).error > 0.5 * trials.error
    assert 0.3 < outcome.coverage < 0.9
    held_out = cross_check(trials, error_share=0.5)
    assert held_out.error == pytest.approx(outcome.error, abs=0.03)
    assert held_out.coverage == pytest.approx(outcome.coverage, abs=0.1)


def test_thresholds_that_cannot_be_met_are_refused() -> None:
    trials = made_up_trials(60)
    hopeless = replace(trials, is_correct=np.arange(len(trials)) % 3 == 0)
    with pytest.raises(DataError, match="No thresholds bring the error to 1%"):
        choose_thresholds(hopeless, error_share=0.01)


def test_orders_of_doubt_rank_errors_and_combining_helps() -> None:
    trials = made_up_trials(1500)
    aurc = {name: float(risk.mean()) for name, (_, risk) in curves(trials, doubts(trials)).items()}
    assert aurc["best possible"] < aurc["uncertainty + quality"] < aurc["uncertainty"]
    assert aurc["uncertainty"] < aurc["random"] == pytest.approx(trials.error)
    assert aurc["uncertainty + disagreement + quality"] <= aurc["uncertainty + quality"] + 0.005


def test_cross_fitting_does_not_learn_noise() -> None:
    generator = np.random.default_rng(0)
    figures, groups = generator.normal(size=(900, 3)), np.arange(900) // 3
    is_event = (np.arange(900) // 3) % 2 == 0  # One answer a group: only its own rows reveal it.
    probability = cross_fitted_probability(figures, is_event, groups=groups, n_folds=5, seed=0)
    assert probability[is_event].mean() == pytest.approx(probability[~is_event].mean(), abs=0.02)
    known = figures[:, 0] > 0
    probability = cross_fitted_probability(figures, known, groups=groups, n_folds=5, seed=0)
    assert ((probability > 0.5) == known).mean() > 0.97


def test_report_says_what_was_chosen_and_names_every_kind(tmp_path: Path) -> None:
    analysis = analyse(made_up_trials(), present=Thresholds(0.4, 0.6), error_share=0.5)
    report = {
        "kind": REPORT_KIND, "model": "tiny", "command": "lanet-train reliability",
        "dataset": "tiny", "split": "valid", "n_pictures": 600, **analysis,
    }  # fmt: skip
    files = write_reliability(report, tmp_path / "report")
    assert [path.suffix for path in files] == [".json", ".md", ".png"]
    assert all(path.stat().st_size > 500 for path in files)
    saved = json.loads(files[0].read_text())
    assert len(saved["kinds"]) == 1 + 3 * len(STRENGTHS)
    assert saved["thresholds"]["error"] <= 0.5 * saved["thresholds"]["error_of_all"]
    assert set(saved["curves"]) == {"all", "clean", "spoiled"}
    assert saved["n_missed"] > 0
    assert "darkness" in files[1].read_text()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model.onnx")


def report_on(model: Path, folder: Path, **changes: Any) -> Path:
    path = folder / "reliability.json"
    values = {
        "kind": REPORT_KIND, "dataset": "tiny", "split": "valid", "n_pictures": 5,
        "model_details": {"sha256": read_model_file(model).sha256},
        "thresholds": {
            "min_quality": 0.35, "max_uncertainty": 0.47,
            "coverage": 0.7, "error": 0.1, "error_of_all": 0.2,
        },
    }  # fmt: skip
    path.write_text(json.dumps(values | changes))
    return path


def test_chosen_thresholds_go_into_the_model_and_nothing_else_changes(
    model: Path, tmp_path: Path
) -> None:
    before = read_model_file(model)
    report = report_on(model, tmp_path)
    arguments = ["export", str(model), "-o", str(model), "--reliability", str(report)]
    assert main([*arguments, "--name", "renamed"]) == 0
    after = read_model_file(model)
    assert (after.spec.min_quality, after.spec.max_uncertainty) == (0.35, 0.47)
    assert after.spec.name == "renamed"
    evidence = after.spec.provenance["thresholds_chosen_on"]
    assert (evidence["measured_on_sha256"], evidence["error"]) == (before.sha256, 0.1)
    restored = replace(
        after.spec, name=before.spec.name, min_quality=before.spec.min_quality,
        max_uncertainty=before.spec.max_uncertainty, provenance=before.spec.provenance,
    )  # fmt: skip
    assert restored == before.spec
    first, second = (onnx.load_from_string(m.content) for m in (before, after))
    assert first.graph.SerializeToString() == second.graph.SerializeToString()
    assert [entry.key for entry in second.metadata_props] == [METADATA_KEY]
    open_engine(model, backend="onnxruntime").close()


def test_descriptions_that_do_not_fit_are_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.onnx"
    start = ["export", str(model), "-o", str(out)]
    other = report_on(model, tmp_path, model_details={"sha256": "0" * 64})
    cases = [
        ([*start, "--reliability", str(other)], "measured on another model"),
        ([*start, "--reliability", str(model)], "cannot be read"),
        ([*start, "--ensemble", "mirror"], "--ensemble needs the training run"),
        ([*start, "--min-quality", "2"], "min_quality must lie in 0..1"),
        (["export", str(tmp_path), "-o", str(out), "--reliability", str(other)], "goes with the"),
        (["export", str(model), "-o", str(tmp_path / "out.bin")], "must end in .onnx"),
    ]
    for arguments, message in cases:
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
    damaged = report_on(model, tmp_path, thresholds={})
    assert main([*start, "--reliability", str(damaged)]) == 2
    assert "is damaged" in capsys.readouterr().err
    assert not out.exists()


def test_pictures_without_faces_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_prepared(tmp_path / "data", sizes={"train": 4, "valid": 4})
    spec = tiny_spec(labels=("neutral", "happiness", "surprise", "sadness"))
    spec = replace(spec, alignment=_template_id())
    model = write_tiny_model(tmp_path / "m.onnx", spec)
    arguments = ["reliability", str(model), "--data", str(data), "--out", str(tmp_path / "r")]
    assert main([*arguments, "--backend", "onnxruntime", "--sample", "2"]) == 2
    assert "No face was found" in capsys.readouterr().err
    assert main([*arguments, "--error-share", "0"]) == 2
    assert "--error-share" in capsys.readouterr().err


def _template_id() -> str:
    from lanet_live.face.template import TEMPLATE_ID

    return TEMPLATE_ID
