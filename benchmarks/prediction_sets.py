"""Do prediction sets hold what they promise, on other people, other pictures and degraded ones?

    python benchmarks/prediction_sets.py MODEL.onnx --data FERPLUS WILD --persons labels.csv
        [--coverage 0.9] [--out docs/results/prediction-sets] [--answers answers.npz]

Every labelled picture of the splits is estimated by the app's own pipeline, face search included:
clean, and degraded in one of twelve ways and three strengths, which take turns. Sets are fitted on
the clean pictures of half the persons (pictures without a person: half the pictures), on each data
set by itself, the lower threshold of each class counts, and measured on the other half, clean and
degraded; over twenty halvings. So nothing is measured on a face it was fitted on. Printed and
written: the ways to make sets by coverage and size, the chosen one by data set, class, kind of
degradation and quality of the picture, and the thresholds fitted on everything.

--answers keeps the estimates, which take minutes, for another fit.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanet_engines.errors import EngineError
from lanet_engines.onnx_model.file import read_model_file
from lanet_engines.registry import open_engine
from lanet_live.config import PipelineConfig
from lanet_live.expression.prediction_sets import set_members
from lanet_live.face.tracker import FaceTracker
from lanet_live.records import ExpressionEstimate, Frame
from lanet_live.run.pipeline import Pipeline
from lanet_trainer.datasets.prepared import PreparedSplit, open_prepared
from lanet_trainer.errors import ConfigError, TrainerError
from lanet_trainer.evaluation.conformal import (
    aps_scores,
    conformal_quantile,
    fit_min_probabilities,
    fit_over_domains,
    measure_sets,
)
from lanet_trainer.evaluation.degradations import CLEAN, STRENGTHS
from lanet_trainer.evaluation.evaluate import draw_sample
from lanet_trainer.evaluation.reliability import degraded_pictures, largest_face
from lanet_trainer.training.fit import plain_command

PROGRAM = "python benchmarks/prediction_sets.py"

F64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

N_HALVINGS = 20
RAPS_PENALTY, RAPS_FREE = 0.05, 1
QUALITY_BANDS = ((0.0, 0.3), (0.3, 0.6), (0.6, 0.9), (0.9, 1.01))
CHOSEN = "LAC"


@dataclass(frozen=True, slots=True)
class Faces:
    """Estimates beside labels; pictures without a found face are left out.

    Attributes:
        domain: Position of the data set, (N,).
        group: Whose face it is: halves never share one, (N,).
        label: (N,).
        kind: "clean" or how it was degraded, (N,).
        level: Strength, -1 for clean, (N,).
        probabilities: (N, C).
        quality: (N,).
        votes: Shares of votes, (N, C); NaN without votes.
    """

    domain: NDArray[np.int64]
    group: NDArray[np.int64]
    label: NDArray[np.int64]
    kind: NDArray[np.str_]
    level: NDArray[np.int64]
    probabilities: F64Array
    quality: F64Array
    votes: F64Array

    def where(self, chosen: BoolArray) -> "Faces":
        """Return the chosen ones."""
        return Faces(**{name: getattr(self, name)[chosen] for name in self.__slots__})


Way = Callable[[Sequence[Faces]], Callable[[F64Array], BoolArray]]
"""From the faces of each data set to what turns probabilities, (N, C), into sets."""


def main() -> int:
    """Estimate, fit, measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", nargs="+", required=True, metavar="DIR")
    parser.add_argument("--persons", type=Path, metavar="CSV", help="columns path and person")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--sample", type=int, metavar="N", help="only N pictures of each")
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--out", type=Path, default=Path("docs/results/prediction-sets"))
    parser.add_argument("--answers", type=Path, metavar="FILE.npz")
    args = parser.parse_args()
    try:
        model = read_model_file(args.model)
        names = [open_prepared(folder).name for folder in args.data]
        labels, shares = model.spec.labels, model.spec.class_shares
        if shares is None:
            raise ConfigError(
                "The model declares no class shares: lanet-train export --class-shares."
            )
        faces = estimate_all(args, labels)
    except (EngineError, TrainerError) as error:
        print(f"prediction_sets: {error}", file=sys.stderr)
        return 2
    report = {
        "kind": "prediction sets",
        "model": model.spec.name,
        "measured_on_sha256": model.sha256,
        "labels": list(labels),
        "data": {name: int(((faces.domain == k) & (faces.kind == CLEAN)).sum())
                 for k, name in enumerate(names)},
        "coverage": args.coverage,
        **measure_all(faces, names, args.coverage, labels, np.array(shares)),
        "command": plain_command(sys.argv).replace("lanet-train", PROGRAM, 1),
    }  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    (args.out / "prediction-sets.json").write_text(text, encoding="utf-8")
    page = as_markdown(report)
    (args.out / "prediction-sets.md").write_text(page, encoding="utf-8")
    print(page)
    return 0


# Estimating -----------------------------------------------------------------------------------


def estimate_all(args: argparse.Namespace, labels: tuple[str, ...]) -> Faces:
    """Return the estimates of every picture, clean and degraded; read them where they were kept."""
    if args.answers is not None and args.answers.exists():
        with np.load(args.answers) as kept:
            return Faces(**{name: kept[name] for name in Faces.__slots__})
    persons = read_persons(args.persons) if args.persons else {}
    parts = []
    for domain, folder in enumerate(args.data):
        split = open_prepared(folder).split(args.split)
        split = draw_sample(split, args.sample, seed=0)
        parts.append(estimate(args.model, split, labels, persons, domain))
    first_group = np.cumsum([0, *(part.group.max() + 1 for part in parts[:-1])])
    fields = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in Faces.__slots__
    }
    fields["group"] += first_group[fields["domain"]]
    faces = Faces(**fields)
    if args.answers is not None:
        np.savez(args.answers, **fields)
    return faces


def read_persons(path: Path) -> dict[str, str]:
    """Return the person of each picture, by path."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["path"]: row["person"] for row in csv.DictReader(file)}


def estimate(
    model: Path, split: PreparedSplit, labels: tuple[str, ...], persons: dict[str, str], domain: int
) -> Faces:
    """Run the app's pipeline over the pictures of a split, clean and degraded."""
    order = [split.class_names.index(label) for label in labels]
    names = [persons.get(file, f"picture {k}") for k, file in enumerate(split.source_files)]
    group = np.unique(names, return_inverse=True)[1]
    config = PipelineConfig()
    engine = open_engine(model)
    pipeline = Pipeline(FaceTracker(has_independent_frames=True), engine, config)
    rows: list[tuple[int, str, int]] = []
    found: list[ExpressionEstimate] = []
    try:
        for number, (position, kind, level, picture) in enumerate(degraded_pictures(split, 0)):
            frame = Frame(picture, number, float(number), float(number), "trial")
            answer = largest_face(pipeline.process(frame))
            if answer is not None:
                rows.append((position, kind, level))
                found.append(answer)
            if number % 500 == 0:
                print(f"{number} of {2 * len(split)}", file=sys.stderr)
    finally:
        pipeline.close()
    position = np.array([row[0] for row in rows])
    votes = np.full((len(rows), len(labels)), np.nan)
    if split.votes is not None:
        counts = split.votes[position][:, order].astype(np.float64)
        votes = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-9)
    return Faces(
        domain=np.full(len(rows), domain),
        group=group[position],
        label=np.array(order).argsort()[split.label[position]],
        kind=np.array([row[1] for row in rows]),
        level=np.array([row[2] for row in rows]),
        probabilities=np.array([answer.probabilities for answer in found]),
        quality=np.array([answer.quality.value for answer in found]),
        votes=votes,
    )


# Fitting and measuring ------------------------------------------------------------------------


def ways_of(coverage: float, class_shares: F64Array) -> dict[str, Way]:
    """Return the ways to make sets that are compared."""

    def lac(weights: F64Array | None) -> Way:
        def fit(parts: Sequence[Faces]) -> Callable[[F64Array], BoolArray]:
            domains = [(part.probabilities, part.label) for part in parts]
            thresholds = fit_over_domains(domains, coverage, class_weights=weights)
            return lambda probabilities: set_members(probabilities, thresholds)

        return fit

    def by_class(parts: Sequence[Faces]) -> Callable[[F64Array], BoolArray]:
        thresholds = np.min([class_thresholds(part, coverage) for part in parts], axis=0)
        return lambda probabilities: set_members(probabilities, thresholds)

    def aps(penalty: float, n_free: int) -> Way:
        def fit(parts: Sequence[Faces]) -> Callable[[F64Array], BoolArray]:
            def scores(probabilities: F64Array) -> F64Array:
                return aps_scores(probabilities, penalty=penalty, n_free=n_free)

            largest = max(
                conformal_quantile(
                    scores(part.probabilities)[np.arange(len(part.label)), part.label], coverage
                )
                for part in parts
            )

            def members(probabilities: F64Array) -> BoolArray:
                inside = scores(probabilities) <= largest
                inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
                return inside

            return members

        return fit

    return {
        "LAC": lac(None),
        "LAC, shares^0.25": lac(class_shares**0.25),
        "LAC, shares^0.5": lac(class_shares**0.5),
        "LAC, each class by itself": by_class,
        "APS": aps(0.0, 0),
        "RAPS": aps(RAPS_PENALTY, RAPS_FREE),
    }


def class_thresholds(part: Faces, coverage: float) -> F64Array:
    """Fit every class that has enough faces by itself, the others together."""
    thresholds = fit_min_probabilities(part.probabilities, part.label, coverage)
    for k in range(len(thresholds)):
        own = part.where(part.label == k)
        if len(own.label) + 1 >= 1 / (1 - coverage):
            thresholds[k] = fit_min_probabilities(own.probabilities, own.label, coverage)[k]
    return thresholds


def measure_all(
    faces: Faces,
    names: Sequence[str],
    coverage: float,
    labels: tuple[str, ...],
    class_shares: F64Array,
) -> dict[str, Any]:
    """Fit and measure every way over all halvings, and fit the chosen one on everything."""
    clean = faces.where(faces.kind == CLEAN)
    ways = ways_of(coverage, class_shares)
    pooled: dict[str, list[tuple[Faces, BoolArray]]] = {name: [] for name in ways}
    rng = np.random.default_rng(0)
    for _ in range(N_HALVINGS):
        groups = rng.permutation(int(faces.group.max()) + 1)
        is_fitted_on = np.isin(faces.group, groups[: len(groups) // 2])
        own = faces.where(is_fitted_on & (faces.kind == CLEAN))
        parts = [own.where(own.domain == k) for k in range(len(names))]
        others = faces.where(~is_fitted_on)
        for name, way in ways.items():
            pooled[name].append((others, way(parts)(others.probabilities)))
    parts = [clean.where(clean.domain == k) for k in range(len(names))]
    domains = [(part.probabilities, part.label) for part in parts]
    return {
        "ways": {
            name: {
                domain: figures(runs, lambda f, k=k: (f.domain == k) & (f.kind == CLEAN))
                for k, domain in enumerate(names)
            }
            for name, runs in pooled.items()
        },
        "chosen": CHOSEN,
        "by_class": {
            domain: dict(zip(labels, figures(pooled[CHOSEN], is_clean_of(k))["class_coverage"],
                             strict=True))
            for k, domain in enumerate(names)
        },
        "degraded": degraded_figures(pooled[CHOSEN], names),
        "by_quality": {
            f"{low:g} to {min(high, 1.0):g}": figures(
                pooled[CHOSEN], lambda f, a=low, b=high: (f.quality >= a) & (f.quality < b)
            )
            for low, high in QUALITY_BANDS
        },
        "min_probabilities": fit_over_domains(domains, coverage).tolist(),
        "min_probabilities_by_domain": {
            name: fit_min_probabilities(*domain, coverage).tolist()
            for name, domain in zip(names, domains, strict=True)
        },
    }  # fmt: skip


def is_clean_of(domain: int) -> Callable[[Faces], BoolArray]:
    """Choose the clean faces of one data set."""
    return lambda faces: (faces.domain == domain) & (faces.kind == CLEAN)


def degraded_figures(
    runs: list[tuple[Faces, BoolArray]], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Measure each kind of degradation, all strengths together, and each strength of all kinds."""
    result: dict[str, dict[str, Any]] = {}
    for k, domain in enumerate(names):
        rows = {
            kind: figures(runs, lambda f, k=k, kind=kind: (f.domain == k) & (f.kind == kind))
            for kind in STRENGTHS
        }
        rows |= {
            f"all, strength {level + 1}": figures(
                runs, lambda f, k=k, level=level: (f.domain == k) & (f.level == level)
            )
            for level in range(3)
        }
        result[domain] = rows
    return result


def figures(
    runs: list[tuple[Faces, BoolArray]], choose: Callable[[Faces], BoolArray]
) -> dict[str, Any]:
    """Average the figures of the chosen faces over the halvings.

    The interval is that of the number of faces in one measured half, not of all halvings together,
    which share their faces.
    """
    parts = []
    for faces, members in runs:
        chosen = choose(faces)
        if chosen.any():
            votes = faces.votes[chosen]
            has_votes = np.isfinite(votes).all()
            parts.append(
                measure_sets(members[chosen], faces.label[chosen], votes if has_votes else None)
            )
    values = [asdict(part) for part in parts]
    means: dict[str, Any] = {
        name: round(float(np.mean([value[name] for value in values])), 4)
        for name in ("n", "coverage", "low", "high", "mean_size", "single_share")
    }
    stacked = np.array([value["class_coverage"] for value in values])
    counts = np.isfinite(stacked).sum(axis=0)
    sums = np.nansum(stacked, axis=0)
    means["class_coverage"] = [
        round(float(total / count), 4) if count else None
        for total, count in zip(sums, counts, strict=True)
    ]
    if all(value["vote_coverage"] is not None for value in values):
        means["vote_coverage"] = round(float(np.mean([v["vote_coverage"] for v in values])), 4)
    return means


# Writing --------------------------------------------------------------------------------------


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report as a page."""
    names = list(report["data"])
    counts = ", ".join(f"{name}: {n}" for name, n in report["data"].items())
    lines = [
        "# Prediction sets",
        "",
        f"Promised coverage {report['coverage']:.0%}; model `{report['model']}` (sha256 "
        f"`{report['measured_on_sha256'][:12]}`). Clean faces found: {counts}. Fitted on half the "
        f"persons, measured on the others, mean of {N_HALVINGS} halvings; in brackets the 95 % "
        "interval of one half.",
        "",
        "```",
        report["command"],
        "```",
        "",
        "## Ways to make sets",
        "",
        "Coverage, mean size, share of single classes, and coverage averaged over the classes.",
        "",
        f"| | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for way, by_domain in report["ways"].items():
        cells = [_cell(by_domain[name]) for name in names]
        mark = " (chosen)" if way == report["chosen"] else ""
        lines.append(f"| {way}{mark} | {' | '.join(cells)} |")
    lines += ["", "## By class", "", f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for label in report["labels"]:
        cells = [_percent(report["by_class"][name][label]) for name in names]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    lines += ["", "## Degraded pictures", "", "The thresholds are those of clean pictures.", ""]
    lines += [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for kind in next(iter(report["degraded"].values())):
        cells = [_short(report["degraded"][name][kind]) for name in names]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    lines += ["", "## By quality of the picture", "", "All pictures, clean and degraded.", ""]
    lines += ["| quality | |", "|---|---|"]
    lines += [f"| {band} | {_short(row)} |" for band, row in report["by_quality"].items()]
    thresholds = ", ".join(
        f"{label} {value:.4f}"
        for label, value in zip(report["labels"], report["min_probabilities"], strict=True)
    )
    lines += ["", "## Thresholds", "", f"Fitted on all clean faces: {thresholds}.", ""]
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    by_class = [value for value in row["class_coverage"] if value is not None]
    votes = f", votes {row['vote_coverage']:.1%}" if "vote_coverage" in row else ""
    single = f"single {row['single_share']:.0%}"
    return f"{_short(row)}, {single}, classes {np.mean(by_class):.1%}{votes}"


def _short(row: dict[str, Any]) -> str:
    return (
        f"{row['coverage']:.1%} [{row['low']:.1%}, {row['high']:.1%}], size {row['mean_size']:.2f}"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    sys.exit(main())
