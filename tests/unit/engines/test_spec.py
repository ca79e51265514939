import json

import pytest

from lanet_engines.errors import ModelFileError
from lanet_engines.spec import ModelSpec, PredictionSets
from tests.tiny_model import tiny_spec

SHARES = (0.37, 0.27, 0.13, 0.11, 0.09, 0.01, 0.015, 0.005)
SETS = PredictionSets(0.9, (0.05,) * 8)


def test_class_shares_and_prediction_sets_survive_the_file() -> None:
    spec = tiny_spec(class_shares=SHARES, prediction_sets=SETS)
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_a_file_from_before_reads_as_without_them_and_is_written_as_before() -> None:
    text = tiny_spec().to_json()
    assert not {"class_shares", "prediction_sets"} & set(json.loads(text))
    spec = ModelSpec.from_json(text)
    assert (spec.class_shares, spec.prediction_sets) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_shares", [0.5, 0.5]),
        ("class_shares", [0.2] * 8),
        ("class_shares", [0.0, 0.64, 0.13, 0.11, 0.09, 0.01, 0.015, 0.005]),
        ("class_shares", ["a"] * 8),
        ("class_shares", 0.5),
        ("prediction_sets", {"coverage": 0.9, "min_probabilities": [0.1]}),
        ("prediction_sets", {"coverage": 1.0, "min_probabilities": [0.1] * 8}),
        ("prediction_sets", {"coverage": 0.9, "min_probabilities": [2.0] * 8}),
        ("prediction_sets", {"coverage": 0.9}),
        ("prediction_sets", {"coverage": 0.9, "min_probabilities": [0.1] * 8, "x": 1}),
        ("prediction_sets", [1, 2]),
    ],
)
def test_values_that_cannot_be_right_are_refused(field: str, value: object) -> None:
    values = {**json.loads(tiny_spec().to_json()), field: value}
    with pytest.raises(ModelFileError):
        ModelSpec.from_json(json.dumps(values))
