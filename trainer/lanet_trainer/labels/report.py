"""Report on the training labels of a run: how near to people's votes, and which are suspect."""

import csv
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lanet_trainer.errors import ConfigError
from lanet_trainer.labels.gallery import draw_gallery
from lanet_trainer.labels.mined import MinedLabels
from lanet_trainer.labels.suspects import (
    Suspects,
    average_precision,
    mean_with_interval,
    precision_at,
    rank_suspects,
)
from lanet_trainer.metrics import jensen_shannon
from lanet_trainer.training.run_folder import write_json

F64Array = NDArray[np.float64]

JSON_FILE: Final = "labels.json"
MARKDOWN_FILE: Final = "labels.md"
SUSPECTS_FILE: Final = "suspects.csv"
GALLERY_FILE: Final = "gallery.png"
_FINISHED: Final = (
    " A run's distributions are one estimate of its finished network with neighbours among all "
    "images (`lanet-train labels --final-network`)."
)
_SEVERAL: Final = " The distributions are the mean over the runs."
# Shares of the votes for an image's most frequent answer at which its group begins.
_AGREEMENT_EDGES: Final = (0.0, 0.5, 0.7, 0.9)


def write_labels_report(
    mined: MinedLabels, out: Path, *, has_gallery: bool = True
) -> dict[str, Any]:
    """Write figures, the ranked list of suspects and the gallery into a folder.

    Returns:
        The figures, as written to JSON.

    Raises:
        ConfigError: The folder cannot be written.
    """
    suspects = rank_suspects(mined.distributions, mined.labels)
    report = measure(mined, suspects)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / JSON_FILE, report)
        _write_suspects(mined, suspects, out / SUSPECTS_FILE)
        if has_gallery:
            draw_gallery(mined, suspects, out / GALLERY_FILE)
        text = to_markdown(report, has_gallery=has_gallery)
        (out / MARKDOWN_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The report cannot be written to '{out}': {error}.") from error
    return report


def measure(mined: MinedLabels, suspects: Suspects) -> dict[str, Any]:
    """Return the figures as plain values for JSON."""
    facts = mined.runs[0].facts
    report: dict[str, Any] = {
        "dataset": facts.dataset,
        "runs": [
            {"command": run.facts.command, "epochs_done": run.epochs_done} for run in mined.runs
        ],
        "labels": list(mined.split.class_names),
        "n_samples": len(mined.labels),
        "is_from_finished_network": mined.is_from_finished_network,
        "noise": {k: v for k, v in facts.noise.items() if k != "matrix"},
        "n_contradicted": suspects.n_contradicted,
    }
    if mined.votes is not None:
        report["js_to_votes"] = _distances_to_votes(mined, mined.votes)
    is_flipped = mined.is_flipped
    if is_flipped.any():
        contradicted = suspects.evidence > 0
        report["against_known_flips"] = {
            "n_flipped": int(is_flipped.sum()),
            "precision_at": {
                str(k): p for k, p in precision_at(suspects.order, is_flipped).items()
            },
            "average_precision": average_precision(suspects.order, is_flipped),
            "precision_of_contradicted": _share(is_flipped[contradicted]),
            "recall_of_contradicted": _share(contradicted[is_flipped]),
            "corrected": _share(
                (suspects.suggested == mined.clean_labels)[is_flipped & contradicted]
            ),
        }
    return report


def _distances_to_votes(mined: MinedLabels, votes: F64Array) -> dict[str, Any]:
    onehot = np.eye(len(mined.split.class_names))[mined.labels]
    from_labels = jensen_shannon(onehot, votes)
    from_mined = jensen_shannon(mined.distributions, votes)
    agreement = votes.max(axis=1)
    edges = itertools.pairwise((*_AGREEMENT_EDGES, np.inf))
    groups = [(low, (agreement >= low) & (agreement < high)) for low, high in edges]
    return {
        "one_hot_labels": mean_with_interval(from_labels),
        "mined_distributions": mean_with_interval(from_mined),
        "difference": mean_with_interval(from_labels - from_mined),
        "reduction": 1 - float(from_mined.mean() / from_labels.mean()),
        "by_agreement": [
            {
                "from": low,
                "n": int(group.sum()),
                "one_hot_labels": float(from_labels[group].mean()),
                "mined_distributions": float(from_mined[group].mean()),
            }
            for low, group in groups
            if group.any()
        ],
    }


def _share(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _write_suspects(mined: MinedLabels, suspects: Suspects, path: Path) -> None:
    """List the contradicted labels, the strongest evidence first, for an annotator."""
    names = mined.split.class_names
    has_flips = bool(mined.is_flipped.any())
    header = ["rank", "id", "file", "label", "suggested", "evidence"]
    header += [f"mined:{name}" for name in names]
    header += [f"votes:{name}" for name in names] if mined.votes is not None else []
    header += ["known_label"] if has_flips else []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for rank, i in enumerate(suspects.order[: suspects.n_contradicted].tolist(), start=1):
            row: list[object] = [rank, mined.split.sample_ids[i], mined.split.source_files[i]]
            row += [names[mined.labels[i]], names[suspects.suggested[i]]]
            row += [f"{number:.4f}" for number in (suspects.evidence[i], *mined.distributions[i])]
            if mined.votes is not None:
                row += [f"{share:.2f}" for share in mined.votes[i]]
            writer.writerow([*row, names[mined.clean_labels[i]]] if has_flips else row)


def to_markdown(report: Mapping[str, Any], *, has_gallery: bool) -> str:
    """Lay the figures out as Markdown."""
    noise = report["noise"]
    lines = [
        f"# Labels of {report['dataset']}",
        "",
        *_run_lines(report["runs"]),
        f"{report['n_samples']} training images, noise {noise.get('kind', 'none')} "
        f"{noise.get('rate', 0):g} ({noise.get('n_flipped', 0)} labels flipped)."
        + (_SEVERAL if len(report["runs"]) > 1 else "")
        + (_FINISHED if report["is_from_finished_network"] else ""),
        "",
        f"{report['n_contradicted']} labels are contradicted by the distribution mined for their "
        f"image. They are listed in {SUSPECTS_FILE}, the strongest evidence first; evidence is the "
        "probability of the suggested class minus that of the label, times the share of the "
        "label's images that confidently look like the suggested class.",
        "",
    ]
    if "js_to_votes" in report:
        lines += _distance_lines(report["js_to_votes"])
    if "against_known_flips" in report:
        lines += _flip_lines(report["against_known_flips"])
    if has_gallery:
        lines += [f"![Contradicted, ambiguous and agreed labels]({GALLERY_FILE})", ""]
    return "\n".join(lines)


def _run_lines(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        line for run in runs for line in (f"`{run['command']}`, {run['epochs_done']} epochs.", "")
    ]


def _distance_lines(distances: Mapping[str, Any]) -> list[str]:
    lines = ["| Jensen–Shannon divergence to the votes (nats) | mean | 95 % interval |"]
    lines.append("|---|---|---|")
    for key, title in (
        ("one_hot_labels", "labels trained on"),
        ("mined_distributions", "mined distributions"),
        ("difference", "difference"),
    ):
        row = distances[key]
        lines.append(f"| {title} | {row['value']:.4f} | {row['low']:.4f} to {row['high']:.4f} |")
    lines += ["", f"The mined ones are {distances['reduction']:.1%} closer.", ""]
    lines += ["| votes for the most frequent answer | images | labels | mined |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| at least {row['from']:.0%} | {row['n']} | {row['one_hot_labels']:.4f} | "
        f"{row['mined_distributions']:.4f} |"
        for row in reversed(distances["by_agreement"])
    ]
    return [*lines, ""]


def _flip_lines(flips: Mapping[str, Any]) -> list[str]:
    lines = ["| suspects checked | share of truly flipped labels |", "|---|---|"]
    lines += [f"| first {k} | {share:.1%} |" for k, share in flips["precision_at"].items()]
    for key, title in (
        ("precision_of_contradicted", "all that are contradicted"),
        ("recall_of_contradicted", "flipped labels that are contradicted (recall)"),
        ("corrected", "of these, suggested class is the true one"),
    ):
        lines.append(f"| {title} | {'–' if flips[key] is None else format(flips[key], '.1%')} |")
    return [*lines, "", f"Average precision {flips['average_precision']:.4f}.", ""]
