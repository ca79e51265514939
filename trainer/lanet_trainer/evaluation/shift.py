"""Several models on several data sets: how right they are, and how sure where they are wrong.

Every figure has a 95 % interval, the percentile bootstrap over persons: all pictures of a person
are drawn together, as pictures of one person err together. Resamples are the same for all models,
so that the difference of two models has an interval of its own, narrower than theirs suggest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_trainer.metrics import Judged, class_recall, metrics_for

F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SURE: Final = 0.9
TITLES: Final[dict[str, str]] = {
    "accuracy": "accuracy",
    "mean_class_accuracy": "mean class accuracy",
    "js": "JS divergence to the votes (nats)",
    "spearman_uncertainty_votes": "Spearman(uncertainty, vote entropy)",
    "aurc": "AURC",
    "ece": "ECE, 15 bins",
    "sure_share": "answers above 0.9",
    "sure_error": "wrong among these",
    "reliable_share": "reliable",
    "reliable_error": "wrong among these",
}
_PERCENT: Final = frozenset(
    {"accuracy", "mean_class_accuracy", "sure_share", "sure_error", "reliable_share",
     "reliable_error"}
)  # fmt: skip
_LEFT_OUT: Final = frozenset({"macro_f1", "nll"})


@dataclass(frozen=True, slots=True)
class Pictures:
    """One model's answers to the pictures of a data set, beside what people said.

    Attributes:
        judged: Probabilities, labels and votes; a missed face has NaN.
        is_reliable: The app calls the estimate reliable, (N,); a missed face is not.
    """

    judged: Judged
    is_reliable: BoolArray

    def take(self, index: I64Array) -> "Pictures":
        """Return the chosen pictures, repeated where the index repeats."""
        return Pictures(self.judged.take(index), self.is_reliable[index])


def figures_of(pictures: Pictures, class_names: Sequence[str]) -> dict[str, float]:
    """Take every figure; NaN where there is nothing to take it over.

    Shares are of all pictures, a missed face included; errors among answers above 0.9, or among
    reliable ones, are of these.
    """
    judged = pictures.judged
    figures = {
        name: metric(judged)
        for name, metric in metrics_for(judged).items()
        if name not in _LEFT_OUT
    }
    confidence = np.nan_to_num(judged.probabilities, nan=0.0).max(axis=1)
    for name, chosen in (("sure", confidence > SURE), ("reliable", pictures.is_reliable)):
        figures[f"{name}_share"] = float(chosen.mean())
        wrong = ~judged.is_correct[chosen]
        figures[f"{name}_error"] = float(wrong.mean()) if len(wrong) else float("nan")
    recall = class_recall(judged)
    figures |= {f"recall_{name}": float(recall[i]) for i, name in enumerate(class_names)}
    return figures


def compare(
    models: Mapping[str, Pictures],
    class_names: Sequence[str],
    group: I64Array,
    *,
    seed: int = 0,
    n_resamples: int = 1000,
) -> dict[str, Any]:
    """Measure several models on the same pictures.

    Args:
        models: Name -> answers; differences are taken to the first.
        class_names: The C classes.
        group: Whose picture it is, (N,).
        seed: Of the bootstrap.
        n_resamples: Of the bootstrap.

    Returns:
        Plain values for JSON: under `figures` and `differences` each model's value, low and high.
    """
    values = {name: figures_of(pictures, class_names) for name, pictures in models.items()}
    resampled: dict[str, list[dict[str, float]]] = {name: [] for name in models}
    for index in resamples_of_groups(group, seed=seed, n_resamples=n_resamples):
        for name, pictures in models.items():
            resampled[name].append(figures_of(pictures.take(index), class_names))
    first = next(iter(models))
    first_pictures = models[first]
    return {
        "n_pictures": len(group),
        "n_persons": len(np.unique(group)),
        "n_missed_faces": int((~first_pictures.judged.answered).sum()),
        "figures": {
            name: {f: _interval(values[name][f], _column(resampled[name], f)) for f in values[name]}
            for name in models
        },
        "differences": {
            name: {
                f: _interval(
                    values[name][f] - values[first][f],
                    _column(resampled[name], f) - _column(resampled[first], f),
                )
                for f in values[name]
            }
            for name in models
            if name != first
        },
    }


def resamples_of_groups(group: I64Array, *, seed: int, n_resamples: int) -> "list[I64Array]":
    """Draw groups with replacement; each index has all pictures of the groups drawn."""
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    generator = np.random.default_rng(seed)
    return [
        np.concatenate([members[i] for i in generator.integers(0, len(members), len(members))])
        for _ in range(n_resamples)
    ]


def _column(rows: list[dict[str, float]], figure: str) -> F64Array:
    return np.array([row[figure] for row in rows], dtype=np.float64)


def _interval(value: float, resampled: F64Array) -> dict[str, float | None]:
    finite = resampled[np.isfinite(resampled)]
    low, high = np.percentile(finite, [2.5, 97.5]) if len(finite) else (np.nan, np.nan)
    numbers = {"value": value, "low": low, "high": high}
    return {name: float(n) if np.isfinite(n) else None for name, n in numbers.items()}


def to_markdown(report: Mapping[str, Any]) -> str:
    """Lay a report of `lanet-train judge` out as Markdown."""
    names = list(report["models"])
    lines = [
        "# Models side by side",
        "",
        f"```\n{report['command']}\n```",
        "",
        "95 % bootstrap intervals over persons; a missed face is an error. The last column is the "
        "difference to the first model on the same resamples.",
        "",
        *(f"- **{name}**: sha256 `{report['models'][name]['sha256'][:12]}`" for name in names),
        "",
    ]
    for title, part in report["sets"].items():
        persons = part["n_persons"]
        lines += [
            f"## {title}",
            "",
            f"{part['n_pictures']:,} pictures of {persons:,} persons, "
            f"{part['n_missed_faces']} without a found face.",
            "",
            f"| | {' | '.join([*names, *(f'{name}, difference' for name in names[1:])])} |",
            "|---" * (2 * len(names)) + "|",
        ]
        for figure in part["figures"][names[0]]:
            cells = [_cell(figure, part["figures"][name][figure]) for name in names]
            cells += [_cell(figure, part["differences"][n][figure], "+") for n in names[1:]]
            lines.append(f"| {_title(figure)} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _title(figure: str) -> str:
    if figure.startswith("recall_"):
        return f"recall of {figure.removeprefix('recall_')}"
    return TITLES[figure]


def _cell(figure: str, number: Mapping[str, float | None], sign: str = "") -> str:
    is_percent = figure in _PERCENT or figure.startswith("recall_")
    write: Callable[[float], str] = (
        (lambda value: format(100 * value, f"{sign}.1f"))
        if is_percent
        else (lambda value: format(value, f"{sign}.3f"))
    )
    texts = ["–" if number[part] is None else write(number[part] or 0.0)
             for part in ("value", "low", "high")]  # fmt: skip
    if number["value"] is None:
        return "–"
    unit = " %" if is_percent and not sign else ""
    return f"{texts[0]}{unit} [{texts[1]}, {texts[2]}]"
