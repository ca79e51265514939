"""Write the results of reliability trials: JSON for programs, Markdown and a figure for people."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from lanet_trainer.errors import DataError
from lanet_trainer.evaluation.degradations import CLEAN, STRENGTHS
from lanet_trainer.evaluation.reliability import Trials, curves, doubts
from lanet_trainer.evaluation.thresholds import (
    Outcome,
    Thresholds,
    apply_thresholds,
    choose_thresholds,
    cross_check,
)
from lanet_trainer.training.run_folder import write_json

JSON_FILE: Final = "reliability.json"
MARKDOWN_FILE: Final = "reliability.md"
FIGURE_FILE: Final = "reliability.png"
_PARTS: Final = ("all", "clean", "spoiled")
_N_POINTS: Final = 101


def analyse(
    trials: Trials, *, present: Thresholds, error_share: float, seed: int = 0
) -> dict[str, Any]:
    """Take every figure from the trials.

    Args:
        trials: Missed faces included.
        present: The model's thresholds so far, measured beside the chosen ones.
        error_share: What the error may be at most, as a share of that of all estimates.
        seed: Of folds and halves.

    Raises:
        DataError: No face was found, or no thresholds meet the conditions.
    """
    found = trials.where(trials.is_found)
    if not len(found):
        raise DataError("No face was found in any trial.")
    chosen = choose_thresholds(found, error_share=error_share)
    parts = _parts(found)
    return {
        "n_trials": len(trials),
        "n_missed": int((~trials.is_found).sum()),
        "curves": {name: _curves(part, seed) for name, part in parts.items()},
        "kinds": _kinds(trials, chosen),
        "thresholds": {
            "min_quality": chosen.min_quality,
            "max_uncertainty": chosen.max_uncertainty,
            "error_share": error_share,
            **_outcome(apply_thresholds(found, chosen)),
            "by_part": {n: _outcome(apply_thresholds(p, chosen)) for n, p in parts.items()},
            "chosen_on_one_half_measured_on_the_other": _outcome(
                cross_check(found, error_share=error_share, seed=seed)
            ),
        },
        "present_thresholds": {
            "min_quality": present.min_quality,
            "max_uncertainty": present.max_uncertainty,
            **_outcome(apply_thresholds(found, present)),
        },
    }


def _parts(found: Trials) -> dict[str, Trials]:
    is_clean = found.is_kind(CLEAN)
    everything = np.ones(len(found), dtype=bool)
    return {
        name: found.where(chosen)
        for name, chosen in zip(_PARTS, (everything, is_clean, ~is_clean), strict=True)
    }


def _curves(part: Trials, seed: int) -> dict[str, Any]:
    steps = np.unique(np.linspace(0, len(part) - 1, _N_POINTS).astype(int))
    return {
        name: {
            "aurc": float(risk.mean()),
            "coverage": coverage[steps].tolist(),
            "risk": risk[steps].tolist(),
        }
        for name, (coverage, risk) in curves(part, doubts(part, seed=seed)).items()
    }


def _outcome(outcome: Outcome) -> dict[str, float | None]:
    return {
        "coverage": outcome.coverage,
        "error": _finite(outcome.error),
        "error_of_all": _finite(outcome.error_of_all),
    }


def _kinds(trials: Trials, chosen: Thresholds) -> list[dict[str, Any]]:
    """One row for each kind and strength."""
    rows = [(CLEAN, -1), *((kind, level) for kind in STRENGTHS for level in range(3))]
    return [
        _kind(trials.where(trials.is_kind(kind) & (trials.level == level)), kind, level, chosen)
        for kind, level in rows
    ]


def _kind(part: Trials, kind: str, level: int, chosen: Thresholds) -> dict[str, Any]:
    found = part.where(part.is_found)
    met = chosen.are_met(found)
    reasons = Counter(reason for named in found.reasons for reason in named)
    return {
        "kind": kind,
        "level": None if level < 0 else level + 1,
        "strength": None if level < 0 else STRENGTHS[kind][level],
        "n_trials": len(part),
        "n_missed": len(part) - len(found),
        "error": _finite(found.error),
        "uncertainty": _mean(found.uncertainty),
        "disagreement": _mean(found.disagreement),
        "quality": _mean(found.quality),
        "reasons": {name: count / len(found) for name, count in reasons.most_common()},
        "reliable_share": _mean(met),
        "error_of_reliable": _finite(found.where(met).error),
    }


def _finite(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def write_reliability(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write JSON, Markdown and figure into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in (JSON_FILE, MARKDOWN_FILE, FIGURE_FILE)]
    write_json(files[0], report)
    files[1].write_text(to_markdown(report), encoding="utf-8")
    _draw(report, files[2])
    return files


def to_markdown(report: Mapping[str, Any]) -> str:
    """Lay the report out as Markdown."""
    thresholds = report["thresholds"]
    halves = thresholds["chosen_on_one_half_measured_on_the_other"]
    lines = [
        f"# Reliability of {report['model']}",
        "",
        f"`{report['command']}`",
        "",
        f"{report['n_pictures']} pictures of {report['dataset']} {report['split']}, each clean and "
        "spoiled in one way, through the app's face search and pipeline: "
        f"{report['n_trials']} trials, {report['n_missed']} without a found face.",
        "",
        f"**Reliable: quality at least {thresholds['min_quality']:.2f}, uncertainty at most "
        f"{thresholds['max_uncertainty']:.2f}.** Of all such pairs this one calls the most "
        f"estimates reliable ({thresholds['coverage']:.1%}) while their error "
        f"({thresholds['error']:.1%}) is at most {thresholds['error_share']:.0%} of that of all "
        f"estimates ({thresholds['error_of_all']:.1%}), in no kind of trial greater than that of "
        "all by more than chance explains, and for the hundred of the lowest quality no greater "
        "than on clean pictures. "
        "Chosen on one half of the pictures and measured on the other: "
        f"{halves['coverage']:.1%} reliable, error {halves['error']:.1%}.",
        "",
        f"![Risk and coverage]({FIGURE_FILE})",
        "",
        *_aurc_lines(report),
        *_kind_lines(report),
    ]
    return "\n".join(lines)


def _aurc_lines(report: Mapping[str, Any]) -> list[str]:
    lines = ["| AURC, ordered by | all trials | clean | spoiled |", "|---|---|---|---|"]
    for name in report["curves"]["all"]:
        cells = [f"{report['curves'][part][name]['aurc']:.4f}" for part in _PARTS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _kind_lines(report: Mapping[str, Any]) -> list[str]:
    lines = [
        "| trial | strength | missed | error | uncertainty | disagreement | quality "
        "| reliable | error of these | most named |",
        "|---" * 10 + "|",
    ]
    for row in report["kinds"]:
        missed = row["n_missed"] / row["n_trials"] if row["n_trials"] else None
        named = next(iter(row["reasons"].items()), None)
        cells = [
            row["kind"],
            "" if row["strength"] is None else f"{row['strength']:g}",
            _percent(missed),
            _percent(row["error"]),
            _number(row["uncertainty"]),
            _number(row["disagreement"], digits=3),
            _number(row["quality"]),
            _percent(row["reliable_share"]),
            _percent(row["error_of_reliable"]),
            "" if named is None else f"{named[0]} ({named[1]:.0%})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _number(value: float | None, *, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _draw(report: Mapping[str, Any], path: Path) -> None:
    """Draw risk over coverage for each part of the trials."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    thresholds = report["thresholds"]
    for axes, part in zip(figure.subplots(1, 3, sharey=True), _PARTS, strict=True):
        for name, curve in report["curves"][part].items():
            is_bound = name in ("best possible", "random")
            style = {"color": "grey", "linewidth": 0.8, "linestyle": ":"} if is_bound else {}
            risk = [100 * value for value in curve["risk"]]
            axes.plot(curve["coverage"], risk, label=f"{name}: {curve['aurc']:.3f}", **style)
        at = thresholds["by_part"][part]
        if at["error"] is not None:
            axes.plot(at["coverage"], 100 * at["error"], "k*", label="reliable")
        axes.set(title=f"{part} trials", xlabel="coverage", xlim=(0, 1))
        axes.grid(alpha=0.3)
        axes.legend(
            title="AURC", fontsize=7, title_fontsize=7, loc="upper center",
            bbox_to_anchor=(0.5, -0.12),
        )  # fmt: skip
    worst = max(report["curves"][part]["random"]["aurc"] for part in _PARTS)
    figure.axes[0].set_ylim(0, 115 * worst)
    figure.axes[0].set_ylabel("errors among the answered (%)")
    figure.savefig(path, dpi=110)
