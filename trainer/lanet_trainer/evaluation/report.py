"""Write what was measured: JSON for programs, Markdown and figures for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lanet_trainer.training.run_folder import write_json

_NAMES = {
    "accuracy": "accuracy",
    "mean_class_accuracy": "mean class accuracy",
    "macro_f1": "macro-F1",
    "js": "JS divergence to votes (nats)",
    "spearman_uncertainty_votes": "Spearman(uncertainty, vote entropy)",
    "aurc": "AURC",
    "ece": "ECE, 15 bins",
    "nll": "NLL (nats)",
}
_PERCENT = frozenset({"accuracy", "mean_class_accuracy"})


def write_report(report: Mapping[str, Any], json_path: Path) -> list[Path]:
    """Write the JSON file, and beside it Markdown and one figure per reading.

    Returns:
        Every file written.
    """
    json_path.parent.mkdir(parents=True, exist_ok=True)
    write_json(json_path, report)
    figures = []
    for position, (name, reading) in enumerate(report["readings"].items()):
        figure = json_path.with_name(f"{json_path.stem}.{position}.png")
        _draw(name, reading, figure)
        figures.append(figure)
    markdown = json_path.with_suffix(".md")
    markdown.write_text(to_markdown(report, figures), encoding="utf-8")
    return [json_path, markdown, *figures]


def to_markdown(report: Mapping[str, Any], figures: list[Path]) -> str:
    """Lay the report out as Markdown."""
    lines = [f"# {report['model']}", "", f"`{report['command']}`", ""]
    lines += [
        f"Data: {report['dataset']}, split {report['split']}, labels by the rule "
        f"'{report['label_rule']}', {report['crops']}.",
        "",
    ]
    for position, (name, reading) in enumerate(report["readings"].items()):
        lines += _reading_lines(name, reading)
        if position < len(figures):
            lines += [f"![{name}]({figures[position].name})", ""]
    return "\n".join(lines)


def _reading_lines(name: str, reading: Mapping[str, Any]) -> list[str]:
    missed = reading["n_missed_faces"]
    lines = [f"## {name}: {reading['n_images']} images", ""]
    if missed:
        lines += [f"No face was found in {missed} of them; each counts as an error.", ""]
    lines += ["| figure | value | 95 % interval |", "|---|---|---|"]
    for key, title in _NAMES.items():
        if key in reading["metrics"]:
            value = reading["metrics"][key]
            lines.append(f"| {title} | {_cell(key, value)} | {_interval(key, value)} |")
    lines += ["", "| class | images | recall | 95 % interval |", "|---|---|---|---|"]
    for label, value in reading["recall"].items():
        lines.append(
            f"| {label} | {value['n_images']} | {_cell('accuracy', value)} "
            f"| {_interval('accuracy', value)} |"
        )
    return [*lines, ""]


def format_figure(key: str, number: float | None) -> str:
    """Write one number the way its figure is usually given."""
    if number is None:
        return "–"
    return f"{100 * number:.2f} %" if key in _PERCENT else f"{number:.4f}"


def _cell(key: str, value: Mapping[str, float | None]) -> str:
    return format_figure(key, value["value"])


def _interval(key: str, value: Mapping[str, float | None]) -> str:
    return f"{format_figure(key, value['low'])} to {format_figure(key, value['high'])}"


def _draw(name: str, reading: Mapping[str, Any], path: Path) -> None:
    """Draw the confusion matrix and the risk–coverage curve."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw_confusion(left, reading["confusion"])
    curve = reading["risk_coverage"]
    right.plot(curve["coverage"], [100 * risk for risk in curve["risk"]], color="#0072b2")
    right.set(
        xlabel="coverage: share of images answered, least uncertain first",
        ylabel="errors among the answered (%)",
        xlim=(0, 1),
        title=f"AURC {reading['metrics']['aurc']['value']:.4f}",
    )
    right.set_ylim(bottom=0)
    right.grid(alpha=0.3)
    figure.suptitle(name)
    figure.savefig(path, dpi=110)


def _draw_confusion(axes: Any, confusion: Mapping[str, Any]) -> None:
    labels, counts = confusion["labels"], confusion["counts"]
    columns = [*labels, "no face"] if any(row[-1] for row in counts) else labels
    shares = [[cell / max(1, sum(row)) for cell in row[: len(columns)]] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="predicted", ylabel="label", title="share of each label (%)")
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            color = "white" if share > 0.5 else "black"
            axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", color=color, fontsize=8)
