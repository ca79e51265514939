"""The tables and the figure of a comparison, for people and for programs."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lanet_trainer.comparison.benchmark import Budget, CellResult
from lanet_trainer.training.run_folder import write_json

READINGS = {
    "last": "last epoch",
    "mean_of_last_5": "mean of the last 5 epochs",
    "best": "best epoch, chosen on this same split (optimistic)",
}
# LA-Net's supplementary, Table 1: accuracy in %, FERPlus, asymmetric noise.
PUBLISHED: dict[tuple[str, str], dict[str, float]] = {
    ("ferplus", "asymmetric:0.1"): {
        "baseline": 82.98,
        "scn": 83.02,
        "rul": 85.12,
        "eac": 86.11,
        "lanet": 87.21,
    },
    ("ferplus", "asymmetric:0.2"): {
        "baseline": 80.97,
        "scn": 82.03,
        "rul": 83.76,
        "eac": 84.61,
        "lanet": 85.44,
    },
    ("ferplus", "asymmetric:0.3"): {
        "baseline": 76.09,
        "scn": 80.27,
        "rul": 80.99,
        "eac": 82.09,
        "lanet": 83.62,
    },
}


def summarise(results: Sequence[CellResult]) -> list[dict[str, Any]]:
    """Put the seeds of each row and column together."""
    groups: dict[tuple[str, str], list[CellResult]] = {}
    for result in results:
        groups.setdefault((result.cell.row, result.cell.column), []).append(result)
    return [
        {
            "row": row,
            "column": column,
            "seeds": [result.cell.config.seed for result in group],
            "elapsed_s": sum(result.elapsed_s for result in group),
            **{
                reading: {
                    "mean": statistics.mean(values),
                    "std": statistics.stdev(values) if len(values) > 1 else None,
                }
                for reading in READINGS
                if (values := [result.accuracy[reading] for result in group])
            },
            "on_flipped_labels": [r.details.get("on_flipped_labels") for r in group],
        }
        for (row, column), group in groups.items()
    ]


def write_table(
    results: Sequence[CellResult], out: Path, *, title: str, budget: Budget, command: str
) -> Path:
    """Write table.json and table.md; return the latter."""
    rows = summarise(results)
    facts = {"title": title, "command": command, "budget": budget.name, "remark": budget.remark}
    configs = {result.cell.name: result.cell.config.settings for result in results}
    write_json(out / "table.json", {**facts, "settings": configs, "cells": rows})
    lines = [f"# {title}", "", f"`{command}`", "", f"Budget **{budget.name}**. {budget.remark}"]
    lines += ["", _setup(results), ""]
    dataset = _dataset_name(results)
    for reading, words in READINGS.items():
        lines += [f"## Accuracy (%), {words}", "", *_table(rows, reading, dataset), ""]
    hours = sum(row["elapsed_s"] for row in rows) / 3600
    lines += [f"Training time of all cells: {hours:.1f} h. ± is the standard deviation over seeds."]
    path = out / "table.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _dataset_name(results: Sequence[CellResult]) -> str:
    return results[0].dataset if results else ""


def _setup(results: Sequence[CellResult]) -> str:
    """Say in one paragraph what every cell has in common."""
    if not results:
        return "No cell is finished yet."
    config = results[0].cell.config
    extent = "all" if config.n_train is None else f"{config.n_train:,}"
    return (
        f"{_dataset_name(results)}, {extent} training images, validation split, "
        f"{len(results[0].labels)} classes; {config.backbone}, {config.size_px} px, "
        f"{config.epochs} epochs, batch {config.batch_size}, {config.optimizer} "
        f"{config.learning_rate:g} {config.schedule}, augmentation {config.augment}, "
        f"initialisation {results[0].initialisation}, averaged weights "
        f"{config.ema_decay or 'off'}.{_changes(results)}"
    )


def _changes(results: Sequence[CellResult]) -> str:
    """Name the hyper-parameters in which all cells of a method differ from its defaults."""
    shared: dict[str, list[str]] = {}
    for config in (result.cell.config for result in results):
        own = [f"{name} = {value}" for name, value in config.settings.items()]
        shared[config.method] = [word for word in shared.get(config.method, own) if word in own]
    told = [f"{method} with {', '.join(words)}" for method, words in shared.items() if words]
    return f" Changed: {'; '.join(told)}." if told else ""


def _table(rows: list[dict[str, Any]], reading: str, dataset: str) -> list[str]:
    columns = list(dict.fromkeys(row["column"] for row in rows))
    names = list(dict.fromkeys(row["row"] for row in rows))
    cells = {(row["row"], row["column"]): row for row in rows}
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in names:
        found = [_cell(cells.get((name, column)), reading) for column in columns]
        lines.append(f"| {name} | {' | '.join(found)} |")
        published = PUBLISHED.get((dataset, name))
        if published:
            theirs = [f"{published[c]:.2f}" if c in published else "–" for c in columns]
            lines.append(f"| *published, 224 px, face pretraining* | {' | '.join(theirs)} |")
    return lines


def _cell(row: dict[str, Any] | None, reading: str) -> str:
    if row is None:
        return "–"
    mean, std = row[reading]["mean"], row[reading]["std"]
    spread = "" if std is None else f" ± {100 * std:.2f}"
    return f"{100 * mean:.2f}{spread} ({len(row['seeds'])})"


def write_grid(
    results: Sequence[CellResult], out: Path, *, title: str, budget: Budget, command: str
) -> Path:
    """Write the grid's table and its figure; return the figure."""
    write_table(results, out, title=title, budget=budget, command=command)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = summarise(results)
    names = list(dict.fromkeys(row["row"] for row in rows))
    figure = Figure(figsize=(3.2 * max(1, len(names)), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, max(1, len(names)), sharey=True, squeeze=False)[0]
    for ax, name in zip(axes, names, strict=False):
        points = [row for row in rows if row["row"] == name]
        values = [100 * row["mean_of_last_5"]["mean"] for row in points]
        spread = [100 * (row["mean_of_last_5"]["std"] or 0.0) for row in points]
        labels = [row["column"] for row in points]
        ax.errorbar(range(len(values)), values, yerr=spread, marker="o", color="#0072b2")
        ax.set_xticks(range(len(values)), labels)
        ax.set_xlabel(name)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy (%), mean of last 5 epochs")
    figure.suptitle(title)
    path = out / "grid.png"
    figure.savefig(path, dpi=110)
    return path
