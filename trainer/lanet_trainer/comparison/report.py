"""The tables and the figures of a comparison, for people and for programs."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from lanet_trainer.comparison.benchmark import READINGS, CellResult
from lanet_trainer.comparison.cells import Budget
from lanet_trainer.comparison.paired import Paired, compare_paired
from lanet_trainer.comparison.settings import all_settings, describe_settings
from lanet_trainer.training.run_folder import write_json

_WORDS: Final = {
    "last": "last epoch",
    "mean_of_last_5": "mean of the last 5 epochs",
    "best": "best epoch, chosen on held-out training images",
}
_FIGURES: Final = ("accuracy", "mean_class_accuracy")
_RECALL: Final = "recall_"
# LA-Net's supplementary, Table 1: accuracy in %, FERPlus test split, asymmetric noise.
PUBLISHED: dict[tuple[str, str], dict[str, float]] = {
    ("ferplus", "asymmetric:0.1"): {
        "baseline": 82.98, "scn": 83.02, "rul": 85.12, "eac": 86.11, "lanet": 87.21,
    },
    ("ferplus", "asymmetric:0.2"): {
        "baseline": 80.97, "scn": 82.03, "rul": 83.76, "eac": 84.61, "lanet": 85.44,
    },
    ("ferplus", "asymmetric:0.3"): {
        "baseline": 76.09, "scn": 80.27, "rul": 80.99, "eac": 82.09, "lanet": 83.62,
    },
}  # fmt: skip

Groups = dict[tuple[str, str], list[CellResult]]


def summarise(results: Sequence[CellResult]) -> list[dict[str, Any]]:
    """Put the seeds of each row and column together."""
    groups = _group(results)
    return [
        {
            "row": row,
            "column": column,
            "seeds": [result.cell.config.seed for result in group],
            "elapsed_s": sum(result.elapsed_s for result in group),
            **{reading: _spread(group, reading) for reading in READINGS},
            "on_flipped_labels": [r.details.get("on_flipped_labels") for r in group],
            "paired_with_first": _paired_record(groups, row, column),
        }
        for (row, column), group in groups.items()
    ]


def write_table(
    results: Sequence[CellResult], out: Path, *, title: str, budget: Budget, command: str
) -> Path:
    """Write table.json, table.md and curves.png; return the table for people."""
    rows = summarise(results)
    facts = {"title": title, "command": command, "budget": budget.name, "remark": budget.remark}
    settings = {result.cell.name: all_settings(result) for result in results}
    write_json(out / "table.json", {**facts, "settings": settings, "cells": rows})
    lines = [f"# {title}", "", f"`{command}`", "", f"Budget **{budget.name}**. {budget.remark}", ""]
    if results:
        lines += [_data(results), "", *describe_settings(results), ""]
        lines += _figure_tables(results, rows)
        lines += _paired_lines(_group(results))
        _draw_curves(results, out / "curves.png", title=title)
        lines += ["The accuracy after every epoch is drawn in curves.png.", ""]
    else:
        lines += ["No cell is finished yet.", ""]
    hours = sum(row["elapsed_s"] for row in rows) / 3600
    lines += [f"Training time of all cells: {hours:.1f} h. ± is the standard deviation over seeds."]
    path = out / "table.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _group(results: Sequence[CellResult]) -> Groups:
    groups: Groups = {}
    for result in results:
        groups.setdefault((result.cell.row, result.cell.column), []).append(result)
    return groups


def _spread(group: Sequence[CellResult], reading: str) -> dict[str, dict[str, float | None]]:
    """Return mean and deviation over the seeds of every figure all of them have."""
    tables = [result.figures[reading] for result in group]
    names = [name for name in tables[0] if all(name in table for table in tables)]
    return {
        name: {
            "mean": statistics.mean(values),
            "std": statistics.stdev(values) if len(values) > 1 else None,
        }
        for name in names
        if (values := [table[name] for table in tables])
    }


def _data(results: Sequence[CellResult]) -> str:
    """Say what is trained on, chosen on and measured on."""
    facts = [result.facts for result in results]
    n_train = sorted({f"{fact.n_train:,}" for fact in facts})
    first, config = facts[0], results[0].cell.config
    return (
        f"{first.dataset}, {' or '.join(n_train)} training images, epochs chosen on "
        f"{first.n_valid:,} images set aside from the training split; measured on its "
        f"{config.report_split} split, {len(first.labels)} classes ({', '.join(first.labels)})."
    )


def _figure_tables(results: Sequence[CellResult], rows: list[dict[str, Any]]) -> list[str]:
    dataset, split = results[0].facts.dataset, results[0].cell.config.report_split
    lines: list[str] = []
    for figure in _FIGURES:
        for reading, words in _WORDS.items():
            published = dataset if figure == "accuracy" and split == "test" else ""
            name = figure.replace("_", " ").capitalize()
            lines += [f"## {name} (%), {words}", "", *_table(rows, reading, figure, published), ""]
    if split != "test" and any((dataset, row["row"]) in PUBLISHED for row in rows):
        lines += _published_apart(rows, dataset, split)
    return lines + _recall_tables(rows)


def _table(rows: list[dict[str, Any]], reading: str, figure: str, published: str) -> list[str]:
    columns, names = _axes(rows)
    cells = {(row["row"], row["column"]): row for row in rows}
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in names:
        found = [_cell(cells.get((name, column)), reading, figure) for column in columns]
        lines.append(f"| {name} | {' | '.join(found)} |")
        if (published, name) in PUBLISHED:
            lines.append(_published_line(PUBLISHED[published, name], columns))
    return lines


def _axes(rows: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    columns = list(dict.fromkeys(row["column"] for row in rows))
    return columns, list(dict.fromkeys(row["row"] for row in rows))


def _published_line(theirs: dict[str, float], columns: list[str], name: str = "") -> str:
    found = [f"{theirs[c]:.2f}" if c in theirs else "–" for c in columns]
    return f"| *{name}published, 224 px, face pretraining* | {' | '.join(found)} |"


def _published_apart(rows: list[dict[str, Any]], dataset: str, split: str) -> list[str]:
    """Give the published figures where they are not of the split that was measured."""
    columns, names = _axes(rows)
    lines = ["## Published accuracy (%)", ""]
    lines += [
        "These are of the **test** split (LA-Net's supplementary, Table 1); the tables above are "
        f"of the {split} split and cannot be compared with them figure by figure.",
        "",
        f"| | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
    ]
    lines += [
        _published_line(PUBLISHED[dataset, name], columns, f"{name}, ")
        for name in names
        if (dataset, name) in PUBLISHED
    ]
    return [*lines, ""]


def _recall_tables(rows: list[dict[str, Any]]) -> list[str]:
    columns, names = _axes(rows)
    lines = []
    for name in names:
        cells = {row["column"]: row for row in rows if row["row"] == name}
        figures = dict.fromkeys(
            key for row in cells.values() for key in row["last"] if key.startswith(_RECALL)
        )
        lines += [f"## Recall of each class (%), {name}, last epoch", ""]
        lines += [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        lines += [
            f"| {key.removeprefix(_RECALL)} | "
            + " | ".join(_cell(cells.get(column), "last", key) for column in columns)
            + " |"
            for key in figures
        ]
        lines += [""]
    return lines


def _cell(row: dict[str, Any] | None, reading: str, figure: str) -> str:
    if row is None or figure not in row[reading]:
        return "–"
    mean, std = row[reading][figure]["mean"], row[reading][figure]["std"]
    spread = "" if std is None else f" ± {100 * std:.2f}"
    return f"{100 * mean:.2f}{spread} ({len(row['seeds'])})"


def _by_seed(group: Sequence[CellResult]) -> dict[int, float]:
    return {r.cell.config.seed: r.figures["last"]["accuracy"] for r in group}


def _paired(groups: Groups, row: str, column: str) -> tuple[str, Paired] | None:
    """Compare a cell with the first column of its row."""
    first = next(c for r, c in groups if r == row)
    if column == first:
        return None
    found = compare_paired(_by_seed(groups[row, column]), _by_seed(groups[row, first]))
    return None if found is None else (first, found)


def _paired_record(groups: Groups, row: str, column: str) -> dict[str, Any] | None:
    found = _paired(groups, row, column)
    return None if found is None else {"column": found[0], **asdict(found[1])}


def _paired_lines(groups: Groups) -> list[str]:
    lines = []
    for row, column in groups:
        found = _paired(groups, row, column)
        if found is None:
            continue
        first, pair = found
        spread = "" if pair.std is None else f" ± {100 * pair.std:.2f}"
        p = "" if pair.p is None else f", p = {pair.p:.3f}"
        n_seeds = "1 seed" if pair.n_seeds == 1 else f"{pair.n_seeds} seeds"
        lines.append(
            f"- {row}: {column} less {first} {100 * pair.mean:+.2f}{spread} ({n_seeds}{p})"
        )
    if not lines:
        return []
    head = "## Differences in accuracy of the last epoch (points), paired by seed"
    note = "Two-sided paired t-test; with two or three seeds it can only find large differences."
    return [head, "", note, "", *lines, ""]


def _draw_curves(results: Sequence[CellResult], path: Path, *, title: str) -> None:
    """Draw the accuracy after every epoch, one panel a row, the mean over seeds of every column."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = _group(results)
    rows = list(dict.fromkeys(row for row, _ in groups))
    figure = Figure(figsize=(4.2 * len(rows), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(rows), sharey=True, squeeze=False)[0]
    for ax, row in zip(axes, rows, strict=True):
        for column in (column for r, column in groups if r == row):
            curves = [result.curve for result in groups[row, column]]
            length = min(map(len, curves))
            mean = [100 * statistics.mean(c[i] for c in curves) for i in range(length)]
            ax.plot(range(1, length + 1), mean, marker=".", label=column)
        ax.set_title(row)
        ax.set_xlabel("epoch")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy (%)")
    axes[-1].legend(fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


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
        values = [100 * row["mean_of_last_5"]["accuracy"]["mean"] for row in points]
        spread = [100 * (row["mean_of_last_5"]["accuracy"]["std"] or 0.0) for row in points]
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
