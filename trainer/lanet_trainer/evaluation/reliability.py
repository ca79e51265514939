"""Does the app know when it is wrong? Trials on clean and on degraded pictures.

Each picture is estimated twice by the app's own pipeline, face search included: clean, and degraded
in one way and strength (`lanet_trainer.evaluation.degradations`), which take turns. So half of the
trials are clean, and every kind has as many as every other.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import Engine
from lanet_live.config import EstimatorConfig, PipelineConfig
from lanet_live.face.tracker import FaceTracker
from lanet_live.records import ExpressionEstimate, Frame, FrameResult
from lanet_live.run.pipeline import Pipeline
from lanet_trainer.datasets.chips import to_bgr
from lanet_trainer.datasets.prepared import PreparedSplit
from lanet_trainer.errors import ConfigError, DataError
from lanet_trainer.evaluation.degradations import CLEAN, STRENGTHS, degrade
from lanet_trainer.evaluation.logistic import cross_fitted_probability
from lanet_trainer.metrics import risk_coverage
from lanet_trainer.surroundings import surround

U8Array = NDArray[np.uint8]
F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Trials:
    """The app's estimate of each picture. Values of pictures without a found face are NaN.

    Attributes:
        image: Position of the picture in the split, or number of its person, (N,): trials of one
            are never on both sides of a division.
        kind: How it was degraded, or "clean", (N,).
        level: Strength, 0 to 2; -1 for clean, (N,).
        is_found: A face was found, (N,).
        is_correct: The most probable class is the label, (N,).
        uncertainty: As exported by the app, (N,).
        disagreement: Likewise, (N,).
        quality: Likewise, (N,).
        reasons: Named flaws, (N,) tuples.
    """

    image: I64Array
    kind: tuple[str, ...]
    level: I64Array
    is_found: BoolArray
    is_correct: BoolArray
    uncertainty: F64Array
    disagreement: F64Array
    quality: F64Array
    reasons: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.image)

    def where(self, chosen: BoolArray) -> "Trials":
        """Return the chosen trials."""
        positions = np.flatnonzero(chosen)
        return Trials(
            image=self.image[positions],
            kind=tuple(self.kind[i] for i in positions),
            level=self.level[positions],
            is_found=self.is_found[positions],
            is_correct=self.is_correct[positions],
            uncertainty=self.uncertainty[positions],
            disagreement=self.disagreement[positions],
            quality=self.quality[positions],
            reasons=tuple(self.reasons[i] for i in positions),
        )

    def is_kind(self, kind: str) -> BoolArray:
        """Return which trials are of a kind, (N,)."""
        return np.array([own == kind for own in self.kind], dtype=bool)

    @property
    def error(self) -> float:
        """Share of wrong answers."""
        return float(1 - self.is_correct.mean()) if len(self) else float("nan")


def run_trials(
    engine: Engine,
    split: PreparedSplit,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trials:
    """Estimate every picture of a split, clean and degraded.

    Args:
        engine: Closed afterwards.
        split: Every picture has a label.
        seed: Decides the kinds, strengths, noise and places.
        on_progress: Called with trials done and in all.

    Raises:
        ConfigError: The model has other classes than the data set.
        DataError: A picture has no label, or there is none.
    """
    if set(engine.spec.labels) != set(split.class_names):
        engine.close()
        raise ConfigError("The model has other classes than the data set.")
    if not len(split) or (split.label < 0).any():
        raise DataError("Reliability is measured on pictures that all have a label.")
    config = PipelineConfig(EstimatorConfig(with_disagreement=True))
    pipeline = Pipeline(FaceTracker(has_independent_frames=True), engine, config)
    rows: list[tuple[int, str, int]] = []
    answers: list[ExpressionEstimate | None] = []
    try:
        for position, kind, level, picture in degraded_pictures(split, seed):
            number = len(rows)
            frame = Frame(picture, number, float(number), float(number), "trial")
            rows.append((position, kind, level))
            answers.append(largest_face(pipeline.process(frame)))
            if on_progress is not None:
                on_progress(len(rows), 2 * len(split))
    finally:
        pipeline.close()
    return _to_trials(rows, answers, split)


def degraded_pictures(split: PreparedSplit, seed: int) -> Iterator[tuple[int, str, int, U8Array]]:
    """Yield position, kind, level and picture: each clean, then degraded in its turn's way."""
    ways = [(kind, level) for level in range(3) for kind in STRENGTHS]
    order = np.random.default_rng(seed).permutation(len(split))
    for turn, position in enumerate(order.tolist()):
        picture, _ = surround(to_bgr(split.image(position)))
        yield position, CLEAN, -1, picture
        kind, level = ways[turn % len(ways)]
        generator = np.random.default_rng((seed, position))
        yield position, kind, level, degrade(picture, kind, level, generator)


def largest_face(result: FrameResult) -> ExpressionEstimate | None:
    """Return the estimate of the largest face in a frame; None without a face."""
    pairs = zip(result.tracks, result.estimates, strict=True)
    areas = [
        (float(np.prod(track.box_xyxy_px[2:] - track.box_xyxy_px[:2])), e) for track, e in pairs
    ]
    return max(areas, key=lambda pair: pair[0])[1] if areas else None


def _to_trials(
    rows: list[tuple[int, str, int]],
    answers: list[ExpressionEstimate | None],
    split: PreparedSplit,
) -> Trials:
    labels = [split.class_names[split.label[position]] for position, _, _ in rows]

    def values(name: str) -> F64Array:
        return np.array([np.nan if a is None else getattr(a, name) for a in answers], np.float64)

    return Trials(
        image=np.array([position for position, _, _ in rows]),
        kind=tuple(kind for _, kind, _ in rows),
        level=np.array([level for _, _, level in rows]),
        is_found=np.array([a is not None for a in answers], dtype=bool),
        is_correct=np.array(
            [a is not None and a.expression == b for a, b in zip(answers, labels, strict=True)],
            dtype=bool,
        ),
        uncertainty=values("uncertainty"),
        disagreement=values("disagreement"),
        quality=np.array([np.nan if a is None else a.quality.value for a in answers]),
        reasons=tuple(() if a is None else a.quality.reasons for a in answers),
    )


def doubts(trials: Trials, *, seed: int = 0) -> dict[str, F64Array]:
    """Return ways to order estimates by doubt, (N,) each; all trials have a face.

    The combinations are the probability of an error by a logistic regression on the figures named,
    always fitted on other pictures than those it is used on.
    """
    single = {
        "uncertainty": trials.uncertainty,
        "disagreement": trials.disagreement,
        "quality": 1 - trials.quality,
    }
    combined = (
        ("uncertainty", "disagreement"),
        ("uncertainty", "quality"),
        ("uncertainty", "disagreement", "quality"),
    )
    result = dict(single)
    for names in combined:
        result[" + ".join(names)] = cross_fitted_probability(
            np.column_stack([single[name] for name in names]),
            ~trials.is_correct,
            groups=trials.image,
            n_folds=N_FOLDS,
            seed=seed,
        )
    return result


def curves(trials: Trials, orders: Mapping[str, F64Array]) -> dict[str, tuple[F64Array, F64Array]]:
    """Return coverage and risk for each order of doubt, and for the best and a random order."""
    known = {
        "best possible": (~trials.is_correct).astype(np.float64),
        "random": np.zeros(len(trials)),
    }
    return {
        name: risk_coverage(trials.is_correct, doubt) for name, doubt in {**orders, **known}.items()
    }
