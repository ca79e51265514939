"""What a stated prior is worth where classes are as frequent as nowhere, and what EM makes of it.

    python benchmarks/prior_shift.py MODEL.onnx --home FERPLUS --away WILD
        [--end-to-end] [--out docs/results/prior-shift]

The faces of both validation splits are estimated once, their prepared crops or, with --end-to-end,
whole pictures through the app's face search. Then parts are drawn from them, class by class and
with replacement, many times:

- A class-balanced part (every class with at least 25 faces, 25 of each): accuracy with the fitted
  prior, with --prior balanced, with the part's true shares as a file, and with EM's estimate; means
  and 95 % intervals over the draws, differences within each draw.
- Three mixtures: EM's estimate of the shares beside the true ones, and beside what counting the
  most probable classes gives.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanet_engines.errors import EngineError
from lanet_engines.onnx_model.file import read_model_file
from lanet_live.config import BALANCED, PriorConfig
from lanet_live.errors import LanetLiveError
from lanet_live.expression.prior import estimate_shares, resolve_prior, reweigh
from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.errors import TrainerError
from lanet_trainer.evaluation.evaluate import draw_sample
from lanet_trainer.export.promises import answer_pictures
from lanet_trainer.training.fit import plain_command

PROGRAM = "python benchmarks/prior_shift.py"

F64Array = NDArray[np.float64]
I64Array = NDArray[np.int64]

N_PER_CLASS = 25
N_DRAWS = 200
N_MIXED = 600
# Of a class a part has no face of: a share of 0 could never be corrected away.
LEAST_SHARE = 1e-3
MIXTURES: Mapping[str, Mapping[str, float] | None] = {
    "as drawn by nature": None,
    "evenly mixed": {},
    "mostly sad and angry": {"sadness": 0.35, "anger": 0.35, "neutral": 0.2, "happiness": 0.1},
}


def main() -> int:
    """Estimate, draw, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--home", required=True, metavar="DIR", help="as it was calibrated")
    parser.add_argument("--away", required=True, metavar="DIR", help="other faces")
    parser.add_argument("--end-to-end", action="store_true", help="whole pictures")
    parser.add_argument("--out", type=Path, default=Path("docs/results/prior-shift"))
    args = parser.parse_args()
    try:
        report = measure(args)
    except (EngineError, TrainerError, LanetLiveError) as error:
        print(f"prior_shift: {error}", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    (args.out / "prior-shift.json").write_text(text, encoding="utf-8")
    page = as_markdown(report)
    (args.out / "prior-shift.md").write_text(page, encoding="utf-8")
    print(page)
    return 0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return everything measured on both data sets."""
    model = read_model_file(args.model)
    spec = model.spec
    prior = resolve_prior(PriorConfig(BALANCED, BALANCED), spec)
    if prior is None or spec.class_shares is None:
        raise ValueError("a balanced prior is never none")
    class_shares = np.array(spec.class_shares)
    report: dict[str, Any] = {
        "model": spec.name,
        "sha256": model.sha256,
        "labels": list(spec.labels),
        "class_shares": list(spec.class_shares),
        "n_draws": N_DRAWS,
        "pictures": "whole pictures end to end" if args.end_to_end else "prepared crops",
        "command": plain_command(sys.argv).replace("lanet-train", PROGRAM, 1),
        "balanced": {},
        "mixtures": {},
    }
    for folder in (args.home, args.away):
        dataset = open_prepared(folder)
        name = dataset.name
        split = draw_sample(dataset.split("valid"), None, seed=0)
        probabilities, labels = answer_pictures(
            model.path, spec, split, is_end_to_end=args.end_to_end
        )
        counts = np.bincount(labels, minlength=len(spec.labels))
        report["balanced"][name] = {
            "counts": counts.tolist(),
            **balanced_part(probabilities, labels, class_shares, prior.ratio),
        }
        report["mixtures"][name] = {
            title: mixture(
                probabilities, labels, class_shares, true_shares(shares, counts, spec.labels)
            )
            for title, shares in MIXTURES.items()
        }
    return report


def balanced_part(
    probabilities: F64Array, labels: I64Array, class_shares: F64Array, balanced: F64Array
) -> dict[str, Any]:
    """Measure accuracy on parts with as many faces of every class that has enough."""
    counts = np.bincount(labels, minlength=len(class_shares))
    present = np.flatnonzero(counts >= N_PER_CLASS)
    truth = np.where(counts >= N_PER_CLASS, 1 / len(present), 0.0)
    as_file = np.maximum(truth, LEAST_SHARE) / np.maximum(truth, LEAST_SHARE).sum()
    rng = np.random.default_rng(0)
    accuracies: dict[str, list[float]] = {
        name: [] for name in ("fitted", "balanced", "true shares", "EM's shares")
    }
    recalls: dict[str, list[F64Array]] = {"fitted": [], "balanced": []}
    for _ in range(N_DRAWS):
        drawn = np.concatenate(
            [rng.choice(np.flatnonzero(labels == k), N_PER_CLASS) for k in present]
        )
        said, right = probabilities[drawn], labels[drawn]
        found = np.maximum(estimate_shares(said, class_shares), LEAST_SHARE)
        ratios = {
            "fitted": np.ones(len(class_shares)),
            "balanced": balanced,
            "true shares": as_file / class_shares,
            "EM's shares": found / class_shares,
        }
        for name, ratio in ratios.items():
            is_right = reweigh(said, ratio).argmax(axis=1) == right
            accuracies[name].append(float(is_right.mean()))
            if name in recalls:
                recalls[name].append(np.array([is_right[right == k].mean() for k in present]))
    base = np.array(accuracies["fitted"])
    return {
        "classes": present.tolist(),
        "n_faces": int(N_PER_CLASS * len(present)),
        "accuracy": {name: interval(np.array(values)) for name, values in accuracies.items()},
        "gain": {
            name: interval(np.array(values) - base)
            for name, values in accuracies.items()
            if name != "fitted"
        },
        "recall": {name: np.mean(rows, axis=0).tolist() for name, rows in recalls.items()},
    }


def true_shares(
    asked: Mapping[str, float] | None, counts: I64Array, labels: tuple[str, ...]
) -> F64Array:
    """Return the shares of a mixture, (C,): those asked for, even ones, or those there are."""
    if asked is None:
        return counts / counts.sum()
    if asked:
        return np.array([asked.get(label, 0.0) for label in labels])
    has_enough = counts >= N_PER_CLASS
    return has_enough / has_enough.sum()


def mixture(
    probabilities: F64Array, labels: I64Array, class_shares: F64Array, shares: F64Array
) -> dict[str, Any]:
    """Let EM estimate the shares of drawn mixtures."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(N_MIXED, shares, size=N_DRAWS)
    by_em, by_counting = [], []
    for wanted in counts:
        drawn = np.concatenate(
            [rng.choice(np.flatnonzero(labels == k), n) for k, n in enumerate(wanted) if n]
        )
        said = probabilities[drawn]
        by_em.append(estimate_shares(said, class_shares))
        by_counting.append(np.bincount(said.argmax(axis=1), minlength=len(shares)) / len(said))
    return {
        "n_faces": N_MIXED,
        "true": shares.tolist(),
        "em": [interval(values) for values in np.array(by_em).T],
        "counting": np.mean(by_counting, axis=0).tolist(),
        "distance_em": interval(0.5 * np.abs(np.array(by_em) - shares).sum(axis=1)),
        "distance_counting": interval(0.5 * np.abs(np.array(by_counting) - shares).sum(axis=1)),
    }


def interval(values: F64Array) -> dict[str, float]:
    """Return mean and the middle 95 % of the draws."""
    low, high = np.quantile(values, [0.025, 0.975])
    return {"value": float(values.mean()), "low": float(low), "high": float(high)}


# Writing --------------------------------------------------------------------------------------


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report as a page."""
    labels = report["labels"]
    shares = ", ".join(
        f"{label} {share:.3f}" for label, share in zip(labels, report["class_shares"], strict=True)
    )
    lines = [
        "# The prior",
        "",
        f"Model `{report['model']}` (sha256 `{report['sha256'][:12]}`), calibrated for: {shares}. "
        f"Validation splits, {report['pictures']}; {report['n_draws']} draws with replacement, "
        "95 % intervals over the draws.",
        "",
        "```",
        report["command"],
        "```",
        "",
        "## A class-balanced part",
        "",
    ]
    for name, part in report["balanced"].items():
        named = ", ".join(labels[k] for k in part["classes"])
        lines += [
            f"**{name}**, {N_PER_CLASS} faces of each of {named}:",
            "",
            "| prior | accuracy | gain over fitted |",
            "|---|---|---|",
        ]
        for way, accuracy in part["accuracy"].items():
            gain = part["gain"].get(way)
            lines.append(f"| {way} | {_of(accuracy)} | {_of(gain, sign=True) if gain else '–'} |")
        recall = ", ".join(
            f"{labels[k]} {before:.0%} → {after:.0%}"
            for k, before, after in zip(
                part["classes"], part["recall"]["fitted"], part["recall"]["balanced"], strict=True
            )
        )
        lines += ["", f"Recall, fitted → balanced: {recall}.", ""]
    lines += ["## EM's estimate of the shares", ""]
    for name, mixtures in report["mixtures"].items():
        for title, part in mixtures.items():
            lines += [
                f"**{name}**, {title}, {part['n_faces']} faces a draw:",
                "",
                f"| | {' | '.join(labels)} | half the sum of differences |",
                f"|---|{'---|' * (len(labels) + 1)}",
                f"| true | {' | '.join(f'{share:.1%}' for share in part['true'])} | |",
                f"| EM | {' | '.join(_of(value) for value in part['em'])} | "
                f"{_of(part['distance_em'])} |",
                f"| counting | {' | '.join(f'{share:.1%}' for share in part['counting'])} | "
                f"{_of(part['distance_counting'])} |",
                "",
            ]
    return "\n".join(lines)


def _of(value: dict[str, float], *, sign: bool = False) -> str:
    form = "+.1%" if sign else ".1%"
    return f"{value['value']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"


if __name__ == "__main__":
    sys.exit(main())
