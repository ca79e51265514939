import json
import math

import numpy as np
import pytest

from lanet_live.errors import ConfigError
from lanet_live.expression.baseline import (
    MAX_OFFSET,
    MIN_SAMPLES,
    REST_SHARE,
    BaselineProfile,
    correct,
    measure_baseline,
)
from tests.fakes import LABELS

SADNESS, HAPPINESS, NEUTRAL = (LABELS.index(n) for n in ("sadness", "happiness", "neutral"))


def distribution(**shares):
    rest = (1 - sum(shares.values())) / (len(LABELS) - len(shares))
    return np.array([shares.get(label, rest) for label in LABELS])


def capture(n=90, **shares):
    noise = np.random.default_rng(0).normal(0, 0.1, (n, len(LABELS)))
    values = distribution(**shares) * np.exp(noise)
    return values / values.sum(axis=1, keepdims=True)


def profile(**changes):
    values = {
        "name": "Ada",
        "labels": LABELS,
        "offsets": (0.0, 0.0, 0.0, 1.5, 0.0, 0.0, 0.0, 0.0),
        "n_samples": 90,
        "model_sha256": "ab" * 32,
        "captured_at": "2026-11-22T10:00:00+01:00",
    }
    return BaselineProfile(**(values | changes))


def test_correct_of_no_offset_changes_nothing():
    p = distribution(sadness=0.4)
    np.testing.assert_allclose(correct(p, np.zeros(8)), p)


def test_correct_lowers_log_odds_by_exactly_the_offset():
    p = distribution(neutral=0.5, sadness=0.4)
    fixed = correct(p, np.array(profile().offsets))
    assert fixed.sum() == pytest.approx(1)
    before = math.log(p[SADNESS] / p[NEUTRAL])
    assert math.log(fixed[SADNESS] / fixed[NEUTRAL]) == pytest.approx(before - 1.5)
    # What was not too strong at rest keeps its odds against neutral.
    assert fixed[HAPPINESS] / fixed[NEUTRAL] == pytest.approx(p[HAPPINESS] / p[NEUTRAL])


def test_correct_works_on_many_rows_at_once():
    p = capture(5, sadness=0.4)
    rows = correct(p, np.array(profile().offsets))
    np.testing.assert_allclose(rows[3], profile().correct(p[3]))


def test_measured_baseline_brings_a_sad_resting_face_to_rest():
    p = capture(neutral=0.6, sadness=0.3)
    found = measure_baseline(p, LABELS)
    fixed = correct(np.median(p, axis=0), found.offsets)
    assert fixed[NEUTRAL] > 0.8
    assert fixed[SADNESS] == pytest.approx(REST_SHARE * fixed[NEUTRAL] / 0.86, rel=0.1)
    assert found.warnings == ()


def test_measured_baseline_never_adds_an_expression():
    found = measure_baseline(capture(neutral=0.999), LABELS)
    np.testing.assert_array_equal(found.offsets, 0)


def test_measured_baseline_ignores_a_blink():
    calm = capture(90, neutral=0.9)
    blink = capture(8, surprise=0.9)
    found = measure_baseline(np.vstack([calm, blink]), LABELS)
    np.testing.assert_allclose(found.offsets, measure_baseline(calm, LABELS).offsets, atol=0.05)


def test_a_smile_during_the_capture_is_bounded_and_reported():
    found = measure_baseline(capture(happiness=0.9), LABELS)
    assert found.offsets[HAPPINESS] == MAX_OFFSET
    assert "happiness" in found.warnings[-1]


def test_a_moving_face_is_reported():
    rows = np.vstack([capture(45, neutral=0.9), capture(45, sadness=0.8, neutral=0.1)])
    assert any("moved" in sentence for sentence in measure_baseline(rows, LABELS).warnings)


def test_too_few_frames_or_no_neutral_class_is_refused():
    with pytest.raises(ConfigError, match="usable frames"):
        measure_baseline(capture(MIN_SAMPLES - 1), LABELS)
    with pytest.raises(ConfigError, match="neutral"):
        measure_baseline(np.full((90, 2), 0.5), ("a", "b"))


def test_profile_survives_json():
    assert BaselineProfile.from_json(profile().to_json()) == profile()


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 9},
        {"offsets": [0.0]},
        {"offsets": [99.0] * 8},
        {"offsets": ["x"] * 8},
        {"name": ""},
        {"labels": [1] * 8},
        {"name": None},
    ],
)
def test_broken_profile_is_refused_with_a_sentence(change):
    values = json.loads(profile().to_json()) | change
    with pytest.raises(ConfigError, match="baseline profile"):
        BaselineProfile.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "[" * 50_000, "x" * 200_000])
def test_text_that_is_no_profile_is_refused(text):
    with pytest.raises(ConfigError):
        BaselineProfile.from_json(text)
