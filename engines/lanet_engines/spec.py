"""What a model says about itself. Stored as JSON inside the ONNX file, under `METADATA_KEY`."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lanet_engines.errors import ModelFileError

METADATA_KEY: Final = "lanet.model_spec"
SCHEMA_VERSION: Final = 1
_MAX_JSON_CHARS: Final = 1_000_000
_COLORS: Final = ("gray", "rgb")
_ENSEMBLES: Final = ("none", "mirror")
# Left out of the JSON where the model does not have them, so that its file reads as before.
_OPTIONAL: Final = ("class_shares", "prediction_sets")
_SUM_TOLERANCE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """Which classes make the set of possible answers, and how often it holds the right one.

    A class belongs to the set if its calibrated probability is at least its threshold; the most
    probable class always does. The thresholds are conformal quantiles, fitted on labelled faces by
    `lanet_trainer.evaluation.conformal`; what on, is in the model's provenance.

    Attributes:
        coverage: Promised share of faces whose set holds the right class, above 0 and below 1.
        min_probabilities: Threshold of each class, in the order of the labels, 0 to 1.
    """

    coverage: float
    min_probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 < self.coverage < 1:
            raise ModelFileError("The coverage promised for prediction sets must lie in 0..1.")
        if not all(0 <= value <= 1 for value in self.min_probabilities):
            raise ModelFileError("The thresholds of prediction sets must lie in 0..1.")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything the app needs to know of a model; there is no other source of these facts.

    The ONNX graph has one input `crops`, (N, 3, S, S) float32, made from uint8 crops by
    `lanet_engines.preprocessing`, and one output `logits`, (N, C) float32.

    Attributes:
        name: Short name shown to the user.
        labels: Class names in the order of the logits.
        input_size_px: S, the side of the square crop.
        color: "gray" (luma repeated in three channels) or "rgb".
        mean: Per channel, on the 0 to 1 scale.
        std: Per channel, on the 0 to 1 scale.
        alignment: Id of the face template (`lanet_live.face.template.TEMPLATE_ID`).
        temperature: probabilities = softmax(logits / temperature).
        ensemble: Views averaged for every estimate: "none", or "mirror" (logits of the crop and of
            its mirror image averaged). The temperature was fitted with it.
        max_uncertainty: Default threshold: above it an estimate is not reliable.
        min_quality: Default threshold: below it an estimate is not reliable.
        provenance: Method, data, noise, seed, metrics, library versions; free form.
        class_shares: How frequent each class is where the probabilities are calibrated, in the
            order of the labels, all above 0, summing to 1; None if the model does not say.
        prediction_sets: How sets of possible answers are made; None if the model makes none.
    """

    name: str
    labels: tuple[str, ...]
    input_size_px: int
    color: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    alignment: str
    temperature: float = 1.0
    ensemble: str = "none"
    max_uncertainty: float = 0.6
    min_quality: float = 0.4
    provenance: dict[str, Any] = field(default_factory=dict)
    class_shares: tuple[float, ...] | None = None
    prediction_sets: PredictionSets | None = None

    def __post_init__(self) -> None:
        problems = [
            (not self.name, "name is empty"),
            (
                len(self.labels) < 2 or len(set(self.labels)) != len(self.labels),
                "labels must be two or more distinct names",
            ),
            (not 16 <= self.input_size_px <= 1024, "input_size_px must lie in 16..1024"),
            (self.color not in _COLORS, f"color must be one of {_COLORS}"),
            (
                len(self.mean) != 3 or not all(map(math.isfinite, self.mean)),
                "mean must be three finite numbers",
            ),
            (
                len(self.std) != 3 or not all(math.isfinite(s) and s > 0 for s in self.std),
                "std must be three positive numbers",
            ),
            (
                not (math.isfinite(self.temperature) and self.temperature > 0),
                "temperature must be positive",
            ),
            (self.ensemble not in _ENSEMBLES, f"ensemble must be one of {_ENSEMBLES}"),
            (not 0 <= self.max_uncertainty <= 1, "max_uncertainty must lie in 0..1"),
            (not 0 <= self.min_quality <= 1, "min_quality must lie in 0..1"),
            (
                self.class_shares is not None
                and not _are_shares(self.class_shares, n_classes=len(self.labels)),
                "class_shares must be one number above 0 for every label, summing to 1",
            ),
            (
                self.prediction_sets is not None
                and len(self.prediction_sets.min_probabilities) != len(self.labels),
                "prediction_sets must have one threshold for every label",
            ),
        ]
        for is_wrong, sentence in problems:
            if is_wrong:
                raise ModelFileError(f"The model's description is not usable: {sentence}.")

    def to_json(self) -> str:
        """Write the spec as the JSON text that goes into the model file."""
        values = asdict(self)
        for name in _OPTIONAL:
            if values[name] is None:
                del values[name]
        return json.dumps({"schema_version": SCHEMA_VERSION, **values}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelSpec":
        """Read a spec from untrusted JSON text.

        Raises:
            ModelFileError: The text is not JSON, is too long, has another schema version, lacks a
                field, has an unknown one, or a value is of the wrong type or out of range.
        """
        if len(text) > _MAX_JSON_CHARS:
            raise ModelFileError("The model's description is too long to be real.")
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ModelFileError("The model's description is not valid JSON.") from error
        if not isinstance(values, dict) or values.pop("schema_version", None) != SCHEMA_VERSION:
            raise ModelFileError(
                f"The model's description is not of schema version {SCHEMA_VERSION}; "
                "export the model again with this version of lanet-train."
            )
        try:
            return cls(**_typed_fields(values))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"The model's description is not usable: {error}.") from error


def _typed_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Turn JSON's lists into tuples and refuse values of the wrong type."""
    fields = dict(values)
    fields["labels"] = tuple(fields["labels"])
    fields["mean"] = tuple(float(number) for number in fields["mean"])
    fields["std"] = tuple(float(number) for number in fields["std"])
    if not all(isinstance(label, str) for label in fields["labels"]):
        raise TypeError("labels must be text")
    if not isinstance(fields["input_size_px"], int):
        raise TypeError("input_size_px must be a whole number")
    if not isinstance(fields.get("provenance", {}), dict):
        raise TypeError("provenance must be an object")
    if fields.get("class_shares") is not None:
        fields["class_shares"] = tuple(float(share) for share in fields["class_shares"])
    if fields.get("prediction_sets") is not None:
        sets = dict(fields["prediction_sets"])
        thresholds = tuple(float(value) for value in sets.pop("min_probabilities"))
        coverage = float(sets.pop("coverage"))
        if sets:
            raise TypeError(f"prediction_sets has no field {next(iter(sets))}")
        fields["prediction_sets"] = PredictionSets(coverage, thresholds)
    return fields


def _are_shares(shares: tuple[float, ...], *, n_classes: int) -> bool:
    """Whether these are shares of all classes, none of them without a face."""
    is_whole = math.isclose(math.fsum(shares), 1, abs_tol=_SUM_TOLERANCE)
    return len(shares) == n_classes and is_whole and all(share > 0 for share in shares)
