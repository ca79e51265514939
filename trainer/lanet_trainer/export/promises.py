"""What a model says aloud: the class shares it is calibrated for, and what its sets promise.

Both go into the description of an exported model; its network stays as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.spec import ModelSpec, PredictionSets
from lanet_live.expression.prior import read_prior_file
from lanet_trainer.datasets.prepared import PreparedSplit, open_prepared
from lanet_trainer.errors import ConfigError
from lanet_trainer.evaluation.conformal import fit_over_domains
from lanet_trainer.evaluation.end_to_end import EndToEndBatches
from lanet_trainer.evaluation.evaluate import draw_sample, open_model
from lanet_trainer.evaluation.judging import Answers, select_judged
from lanet_trainer.evaluation.predictions import predict
from lanet_trainer.training.loader import EvalLoader

F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]

SPLIT = "valid"
# Shares are stored with as many digits as a data set of some thousand faces can give.
_N_DECIMALS = 6
_PRECISION = 10**_N_DECIMALS


def declare_shares(spec: ModelSpec, source: Path) -> ModelSpec:
    """Return a description that says which class shares the probabilities assume.

    Args:
        spec: Of the model.
        source: The prepared data set it was calibrated on, whose validation split is counted:
            votes if the temperature was fitted on votes, labels otherwise. Or a file as
            `lanet-live --prior` reads it.

    Raises:
        ConfigError: The source has other classes than the model, or none of one of them.
        DataError: The data set is not readable.
    """
    if source.is_dir():
        dataset = open_prepared(str(source))
        split = dataset.split(SPLIT)
        shares = _count(spec, split)
        said = f"{dataset.name} {SPLIT}, {_targets(spec, split)}"
    else:
        given = dict(read_prior_file(source).shares)
        _check_classes(spec, tuple(given), source)
        shares = np.array([given[label] for label in spec.labels])
        said = source.name
    if (shares <= 0).any():
        missing = spec.labels[int(np.argmin(shares))]
        raise ConfigError(
            f"'{source}' has no picture of {missing}; give the shares in a file, all above 0."
        )
    rounded = [round(float(share), _N_DECIMALS) for share in shares / shares.sum()]
    return replace(
        spec,
        class_shares=tuple(rounded),
        provenance={**spec.provenance, "class_shares_from": said},
    )


def fit_sets(
    model: ModelFile,
    spec: ModelSpec,
    folders: Sequence[str],
    coverage: float,
    *,
    is_end_to_end: bool = True,
) -> ModelSpec:
    """Return a description with thresholds of prediction sets.

    Each data set is fitted by itself and the widest sets are taken.

    Args:
        model: The exported model.
        spec: Its description so far.
        folders: Prepared data sets; the labelled pictures of their validation splits count.
        coverage: Promised share of sets that hold the label.
        is_end_to_end: Whole pictures go through the app's face search, as they will when the sets
            are used; else the prepared crops are taken.

    Raises:
        ConfigError: A data set has other classes than the model.
        DataError: A data set is not readable, or the coverage is none.
        EngineError: The model cannot be run.
    """
    domains: list[tuple[F64Array, I64Array]] = []
    fitted_on: list[dict[str, Any]] = []
    for folder in folders:
        dataset = open_prepared(folder)
        split = draw_sample(dataset.split(SPLIT), None, seed=0)
        _check_classes(spec, split.class_names, Path(folder))
        domains.append(answer_pictures(model.path, spec, split, is_end_to_end=is_end_to_end))
        fitted_on.append({"data": f"{dataset.name} {SPLIT}", "n_faces": len(domains[-1][1])})
    thresholds = fit_over_domains(domains, coverage)
    evidence = {
        "score": "LAC",
        "labels": "majority",
        "crops": "whole pictures, end to end" if is_end_to_end else "direct crops",
        "measured_on_sha256": model.sha256,
        "domains": fitted_on,
    }
    return replace(
        spec,
        # Rounded down: a set may only grow by it.
        prediction_sets=PredictionSets(
            coverage, tuple(math.floor(float(t) * _PRECISION) / _PRECISION for t in thresholds)
        ),
        provenance={**spec.provenance, "prediction_sets_fitted_on": evidence},
    )


def answer_pictures(
    model: Path, spec: ModelSpec, split: PreparedSplit, *, is_end_to_end: bool = True
) -> tuple[F64Array, I64Array]:
    """Ask the app about whole pictures, or about the crops of a data set.

    Args:
        model: The exported model.
        spec: Its description.
        split: The labelled pictures count.
        is_end_to_end: Whole pictures through the app's face search, not the prepared crops.

    Returns:
        Probabilities of the faces that were found, (N, C), and their labels, (N,), in the model's
        order.
    """
    engine = open_model(model)
    try:
        build = EndToEndBatches if is_end_to_end else EvalLoader
        batches = build(split, size_px=spec.input_size_px)
        predictions = predict(engine, batches, split.sample_ids)
    finally:
        engine.close()
    order = [split.class_names.index(label) for label in spec.labels]
    answers = Answers(split.sample_ids, split.class_names, split.label, None)
    judged = select_judged(predictions, answers)
    found = judged.answered
    return judged.probabilities[found][:, order], np.argsort(order)[judged.labels[found]]


def _count(spec: ModelSpec, split: PreparedSplit) -> F64Array:
    """Count a split in the order of the model's labels, (C,)."""
    _check_classes(spec, split.class_names, Path(split.name))
    split = split.select(np.flatnonzero(split.label >= 0))
    order = [split.class_names.index(label) for label in spec.labels]
    if split.votes is None or _targets(spec, split) == "labels":
        return np.bincount(split.label, minlength=len(order)).astype(np.float64)[order]
    totals = np.maximum(split.votes.sum(axis=1, keepdims=True), 1e-9)
    return np.asarray((split.votes / totals).sum(axis=0, dtype=np.float64)[order])


def _targets(spec: ModelSpec, split: PreparedSplit) -> str:
    fitted = spec.provenance.get("temperature_fitted_on") or {}
    return "votes" if split.votes is not None and fitted.get("targets") == "votes" else "labels"


def _check_classes(spec: ModelSpec, classes: Sequence[str], source: Path) -> None:
    if set(classes) != set(spec.labels):
        raise ConfigError(
            f"'{source}' has the classes {', '.join(classes)}, the model {', '.join(spec.labels)}."
        )
