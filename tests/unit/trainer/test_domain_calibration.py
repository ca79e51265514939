"""Calibration over data sets: recovered where it is known, measured on others, kept in the file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.registry import open_engine
from lanet_live.expression.uncertainty import softmax
from lanet_live.face.template import TEMPLATE_ID
from lanet_trainer.evaluation.calibration import fit_offsets
from lanet_trainer.evaluation.domain_calibration import (
    Calibration,
    Domain,
    Rule,
    cross_fitted,
    fit_calibration,
    measure_calibrations,
)
from lanet_trainer.evaluation.found_faces import FoundFaces
from lanet_trainer.evaluation.thresholds import Thresholds, choose_thresholds
from lanet_trainer.export.calibrated import write_calibrated
from lanet_trainer.metrics import expected_calibration_error
from tests.prepared_sets import LABELS
from tests.tiny_model import tiny_spec, write_tiny_model
from tests.unit.trainer.test_reliability import made_up_trials

N_CLASSES = len(LABELS)


def made_up_domain(n: int, *, overconfidence: float, seed: int, n_persons: int = 100) -> Domain:
    """Logits whose calibrated temperature is `overconfidence`; a tenth of the faces is missed."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, N_CLASSES)) * 2
    shares = softmax(logits)
    label = (shares.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)
    is_found = generator.random(n) < 0.9
    faces = FoundFaces(
        class_names=np.array(LABELS),
        label=label,
        votes=np.full((n, N_CLASSES), np.nan),
        kind=np.array(["clean", "blur"])[generator.integers(0, 2, n)],
        is_found=is_found,
        quality=np.where(is_found, generator.uniform(0.4, 1, n), np.nan),
        crops=np.zeros((n, 1, 1, 3), dtype=np.uint8),
        picture=np.array([f"{i}.jpg" for i in range(n)]),
        person=np.array([f"p{i % n_persons}" for i in range(n)]),
    )
    return Domain(faces, np.where(is_found[:, None], logits * overconfidence, np.nan))


def test_temperature_alone_leaves_the_first_class_what_it_is() -> None:
    domains = [
        made_up_domain(4000, overconfidence=1.0, seed=0),
        made_up_domain(1500, overconfidence=3.0, seed=1),
    ]
    found = fit_calibration(domains, Rule(0.5, with_offsets=False))
    assert (found.offsets == 0).all()
    assert 1.0 < found.temperature < 3.0
    alone = fit_calibration(domains[1:], Rule(0.5, with_offsets=False))
    assert alone.temperature == pytest.approx(3.0, rel=0.1)


def test_each_data_set_has_the_same_weight_however_large() -> None:
    large = made_up_domain(6000, overconfidence=1.0, seed=0)
    small = made_up_domain(1500, overconfidence=3.0, seed=1)
    alone, both, abroad = (
        fit_calibration(domains, Rule(0.5)).temperature
        for domains in ([large], [large, small], [small])
    )
    assert alone == pytest.approx(1.0, rel=0.1)
    assert abroad == pytest.approx(3.0, rel=0.1)
    # Four times as many pictures must not pull the fit to their side.
    by_count = fit_offsets(
        np.concatenate([d.logits[d.faces.is_found] for d in (large, small)]),
        np.concatenate([d.faces.label[d.faces.is_found] for d in (large, small)]),
    )[1]
    assert alone < by_count < both < abroad


def test_cross_fitted_answers_are_in_order_and_of_every_picture() -> None:
    domain = made_up_domain(3000, overconfidence=2.0, seed=2)
    answered = cross_fitted(domain, [], Rule(0.5), seed=0)
    assert np.array_equal(answered.judged.labels, domain.faces.label)
    assert np.array_equal(answered.judged.answered, domain.faces.is_found)
    found = domain.faces.is_found
    best = domain.logits[found].argmax(axis=1)
    assert (answered.judged.predicted[found] == best).mean() > 0.95
    assert expected_calibration_error(answered.judged) < 0.04
    assert not answered.is_reliable[~found].any()
    assert 0.05 < answered.is_reliable.mean() < 0.9


def test_a_domain_left_out_is_measured_with_what_the_others_say() -> None:
    home = made_up_domain(2000, overconfidence=1.0, seed=3)
    away = made_up_domain(2000, overconfidence=3.0, seed=4)
    present = Calibration(np.zeros(N_CLASSES), 1.0, Thresholds(0.0, 0.5))
    ways = measure_calibrations({"home": home, "away": away}, present, Rule(0.5), n_halvings=1)
    assert list(ways) == [
        "as it is",
        "fitted on home",
        "fitted on all, on other persons",
        "fitted on all but this one",
    ]
    ece = {way: ways[way]["away"]["clean"]["ece"] for way in ways}
    assert ece["as it is"] > 0.1
    assert ece["fitted on all but this one"] == pytest.approx(ece["fitted on home"], abs=1e-9)
    assert ece["fitted on all, on other persons"] < ece["fitted on home"]
    assert set(ways["as it is"]["home"]) == {"clean", "degraded"}
    assert "js" not in ways["as it is"]["home"]["clean"]


def test_thresholds_hold_in_every_data_set() -> None:
    home = made_up_trials(seed=0).where(made_up_trials(seed=0).is_found)
    wild = made_up_trials(seed=1)
    wild = wild.where(wild.is_found)
    generator = np.random.default_rng(5)
    away = replace(wild, is_correct=wild.is_correct & (generator.random(len(wild)) < 0.9))
    alone = choose_thresholds(home)
    both = choose_thresholds(home, away)
    for trials in (home, away):
        met = both.are_met(trials)
        assert trials.where(met).error <= 0.5 * trials.error
    met_alone, met_both = (chosen.are_met(home).mean() for chosen in (alone, both))
    assert met_both <= met_alone


def test_offsets_are_written_and_added_to_those_there_are(tmp_path: Path) -> None:
    spec = tiny_spec(labels=LABELS, alignment=TEMPLATE_ID)
    path = write_tiny_model(tmp_path / "m.onnx", spec)
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    offsets = np.array([0.3, -0.1, -0.4, 0.2])
    calibration = Calibration(offsets, 0.7, Thresholds(0.25, 0.4))
    report = {"split": "valid", "data": {"home": {"clean": 10, "degraded": 5, "missed": 0}}}
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    first = infer(path, crops)
    for turn in (1, 2):
        model = read_model_file(path)
        write_calibrated(model, calibration, shares, report, path)
        assert np.allclose(infer(path, crops), first + turn * offsets, atol=1e-4)
        described = read_model_file(path).spec
        recorded = described.provenance["temperature_fitted_on"]["offsets"]
        assert recorded == pytest.approx((turn * offsets).tolist())
    assert (described.temperature, described.min_quality) == (0.7, 0.25)
    assert described.class_shares == pytest.approx(shares.tolist())
    assert described.provenance["thresholds_chosen_on"]["n_pictures"] == 15


def infer(path: Path, crops: np.ndarray) -> np.ndarray:
    engine = open_engine(path)
    try:
        return engine.infer(crops)
    finally:
        engine.close()
