"""The figures of the model card, written from what was measured; nothing is typed by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.spec import ModelSpec
from lanet_trainer.errors import ConfigError

BEGIN: Final = "<!-- figures: begin -->"
END: Final = "<!-- figures: end -->"
Report = Mapping[str, Any]
_METRICS: Final = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "mean_class_accuracy": "mean class accuracy",
    "js": "Jensen–Shannon divergence to the votes (natural log)",
    "spearman_uncertainty_votes": "Spearman(uncertainty, vote entropy)",
    "aurc": "AURC",
    "ece": "ECE (15 bins, against the majority label)",
}
_N_CONFUSIONS: Final = 6
_BOUNDS: Final = ("best possible", "random")
_METHODS: Final = {
    "baseline": "Baseline: cross-entropy",
    "lanet": "LA-Net (ICCV 2023); what is deployed is its expression branch",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Reports on one model; None where there is none.

    Attributes:
        model: The file.
        evaluation: Of `lanet-train evaluate --duplicates-of train`.
        end_to_end: Of `lanet-train evaluate --end-to-end`.
        reliability: Of `lanet-train reliability`.
        flicker: Of `benchmarks/flicker.py`.
        share: Of `benchmarks/model_share.py`.
        clips: Of `benchmarks/clip_faces.py`.
        controls: Evaluations of other networks, by the name they get in the table.
        comparisons: Each the `table.json` of a `lanet-train benchmark table1`.
        stages: Command and seconds of each training run the weights went through, in order.
        commands: What was run, in order.
    """

    model: ModelFile
    evaluation: Report | None = None
    end_to_end: Report | None = None
    reliability: Report | None = None
    flicker: Report | None = None
    share: Report | None = None
    clips: Report | None = None
    controls: Mapping[str, Report] = field(default_factory=dict)
    comparisons: Sequence[Report] = ()
    stages: Sequence[tuple[str, float]] = ()
    commands: Sequence[str] = ()


def replace_figures(card: str, figures: str) -> str:
    """Put the figures between the card's two marks.

    Raises:
        ConfigError: The card lacks the marks.
    """
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"The model card lacks the marks {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{figures.strip()}\n{END}{after}"


def write_figures(measured: Measured) -> str:
    """Lay out every figure as Markdown."""
    sections = (
        _facts(measured.model),
        _training(measured.model, measured.stages),
        _evaluation(measured.evaluation),
        _controls(measured),
        ["## Under label noise"] if measured.comparisons else [],
        *(_comparison(table) for table in measured.comparisons),
        _end_to_end(measured.end_to_end, measured.evaluation),
        _reliability(measured.reliability),
        _flicker(measured.flicker),
        _share(measured.share),
        _clips(measured.clips),
        _commands(measured.commands),
    )
    return "\n".join(line for section in sections for line in (*section, "") if section)


def _facts(model: ModelFile) -> list[str]:
    spec, recipe = model.spec, model.spec.provenance.get("recipe", {})
    run = model.spec.provenance.get("run", {})
    method = recipe.get("method", "unknown")
    views = (
        "of the crop"
        if spec.ensemble == "none"
        else "of the crop and of its mirror image, averaged,"
    )
    return [
        "| | |",
        "|---|---|",
        f"| Name | `{spec.name}` |",
        f"| Answer | one aligned face crop in, a distribution over {', '.join(spec.labels)} out |",
        f"| Network | {recipe.get('backbone', 'unknown')}, {spec.input_size_px} px, {spec.color}, "
        f"{model.n_parameters / 1e6:.1f} million parameters, {model.size_bytes / 1e6:.1f} MB |",
        f"| Method | {_METHODS.get(method, method)} |",
        f"| Initialisation | {run.get('initialisation', 'unknown')} |",
        f"| Probabilities | logits {views} divided by T = {spec.temperature:.3f}, softmax |",
        *_offsets(spec),
        f"| Reliable | quality at least {spec.min_quality:.2f}, uncertainty at most "
        f"{spec.max_uncertainty:.2f} |",
        f"| sha256 | `{model.sha256}` |",
    ]


def _offsets(spec: ModelSpec) -> list[str]:
    offsets = spec.provenance.get("temperature_fitted_on", {}).get("offsets")
    if not offsets:
        return []
    pairs = ", ".join(
        f"{name} {value:+.2f}" for name, value in zip(spec.labels, offsets, strict=True)
    )
    return [f"| Offsets | in the network, fitted with T: {pairs} |"]


def _training(model: ModelFile, stages: Sequence[tuple[str, float]]) -> list[str]:
    provenance = model.spec.provenance
    run, recipe = provenance.get("run"), provenance.get("recipe")
    if not run or not recipe:
        return []
    extent = "Train and Valid" if run.get("is_trained_on_valid") else "Train"
    hours = [f"{seconds / 3600:.1f}" for _, seconds in stages]
    time = f"; {' and '.join(hours)} hours" if hours else ""
    commands = [command for command, _ in stages] or [run["command"]]
    fitted = provenance.get("temperature_fitted_on", {}).get("data")
    return [
        "## Training",
        "",
        f"{run['dataset']} {extent}, {run['n_train']:,} images, targets: {recipe['targets']}, "
        f"augmentation `{recipe['augment']}`, {recipe['epochs']} epochs of batch "
        f"{recipe['batch_size']}, {recipe['optimizer']}, seed {recipe['seed']}{time}. Shipped: the "
        f"weights of epoch {provenance.get('epoch', '?')} ({provenance.get('weights', '?')})."
        + (f" T was fitted on {fitted}." if fitted else ""),
        "",
        "```",
        *commands,
        "```",
    ]


def _evaluation(report: Report | None) -> list[str]:
    if report is None:
        return []
    readings = _by_classes(report["readings"])
    names = list(readings)
    lines = [
        "## Figures on single crops",
        "",
        f"{report['dataset']} {report['split']}, labels by {report['label_rule']} rule, crops "
        "aligned from the data set's own images, 95 % bootstrap intervals.",
        "",
        f"| | {' | '.join(_reading_title(n, readings[n]) for n in names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for key, title in _METRICS.items():
        if all(key in readings[name]["metrics"] for name in names):
            cells = [_interval(readings[name]["metrics"][key]) for name in names]
            lines.append(f"| {title} | {' | '.join(cells)} |")
    first = readings[names[0]]
    for label in first["confusion"]["labels"]:
        cells = [
            _interval(readings[name]["recall"][label], digits=2)
            if label in readings[name]["recall"]
            else "–"
            for name in names
        ]
        count = first["recall"][label]["n_images"]
        lines.append(f"| recall of {label} ({count} images) | {' | '.join(cells)} |")
    if "copies" in report:
        copies = report["copies"]
        lines += [
            "",
            f"{len(copies['images'])} images of the split, those without a label included, are "
            f"pixel for pixel an image of {copies['of_split']}; evaluate.json lists them.",
        ]
    return [*lines, "", _confusion_sentence(first["confusion"])]


def _reading_title(name: str, reading: Report) -> str:
    return f"{name}, {reading['n_images']:,} images"


def _by_classes(readings: Mapping[str, Report]) -> dict[str, Report]:
    """Order readings: all classes before fewer, all images before a part."""
    return dict(sorted(readings.items(), key=lambda item: (-int(item[0].split()[0]), item[0])))


def _main_reading(report: Report) -> tuple[str, Report]:
    """Return name and figures of the reading of all classes and images."""
    return next(iter(_by_classes(report["readings"]).items()))


def _confusion_sentence(confusion: Report) -> str:
    labels, counts = confusion["labels"], confusion["counts"]
    wrong = [
        (row[j] / max(1, sum(row)), row[j], sum(row), labels[i], labels[j])
        for i, row in enumerate(counts)
        for j in range(len(labels))
        if i != j and row[j]
    ]
    wrong.sort(key=lambda item: (-item[1], item[3]))
    parts = [f"{n} of {total} {a} taken for {b}" for _, n, total, a, b in wrong[:_N_CONFUSIONS]]
    return f"Most frequent confusions: {'; '.join(parts)}."


def _controls(measured: Measured) -> list[str]:
    if measured.evaluation is None or not measured.controls:
        return []
    rows = {"**this model**": measured.evaluation, **measured.controls}
    keys = ("accuracy", "macro_f1", "js", "spearman_uncertainty_votes", "aurc", "ece")
    titles = ("accuracy", "macro-F1", "recall of fear", "JS", "ρ", "AURC", "ECE")
    lines = [
        "## Against other networks of the same budget",
        "",
        f"{_main_reading(measured.evaluation)[0]}, the same images.",
        "",
        f"| | {' | '.join(titles)} |",
        "|---" * (len(titles) + 1) + "|",
    ]
    for name, report in rows.items():
        _, reading = _main_reading(report)
        cells = [_interval(reading["metrics"][key]) for key in keys if key in reading["metrics"]]
        fear = reading["recall"].get("fear")
        cells.insert(2, "–" if fear is None else _interval(fear, digits=2))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _comparison(table: Report) -> list[str]:
    if not table["cells"]:
        return []
    columns = list(dict.fromkeys(cell["column"] for cell in table["cells"]))
    rows = list(dict.fromkeys(cell["row"] for cell in table["cells"]))
    values = {
        (cell["row"], cell["column"]): f"{100 * cell['last']['mean']:.1f} ({len(cell['seeds'])})"
        for cell in table["cells"]
    }
    lines = [
        f"Accuracy (%) of the last epoch, seeds in brackets. {table['remark']}",
        "",
        f"| | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
    ]
    lines += [
        f"| {row} | {' | '.join(values.get((row, column), '–') for column in columns)} |"
        for row in rows
    ]
    return [*lines, "", "```", table["command"], "```"]


def _end_to_end(report: Report | None, direct: Report | None) -> list[str]:
    if report is None:
        return []
    name, reading = _main_reading(report)
    accuracy = reading["metrics"]["accuracy"]
    beside = ""
    if direct is not None:
        on_crops = _main_reading(direct)[1]["metrics"]["accuracy"]["value"]
        beside = f", {100 * (on_crops - accuracy['value']):.1f} points below that on single crops"
    sampled = report.get("n_sampled")
    part = "" if sampled is None else f" (a random {sampled})"
    return [
        "## End to end",
        "",
        f"The whole pictures, padded and enlarged, through the app's own face search{part}; a "
        f"missed face counts as an error. {name}: accuracy {_interval(accuracy)}{beside}; "
        f"{reading['n_missed_faces']} of {reading['n_images']:,} faces were missed.",
    ]


def _reliability(report: Report | None) -> list[str]:
    if report is None:
        return []
    chosen, curves = report["thresholds"], report["curves"]
    halves = chosen["chosen_on_one_half_measured_on_the_other"]
    parts = ("all", "clean", "spoiled")
    lines = [
        "## Does it know when it is wrong?",
        "",
        f"{report['n_pictures']:,} pictures, each clean and spoiled in one of twelve ways, through "
        f"the app: {report['n_trials']:,} trials, in {report['n_missed']} of which no face was "
        "found. Area under the risk–coverage curve (lower is better):",
        "",
        f"| estimates ordered by | {' | '.join(f'{part} trials' for part in parts)} |",
        "|---" * (len(parts) + 1) + "|",
    ]
    for name in sorted(curves["all"], key=lambda name: (name in _BOUNDS, name.count("+"), name)):
        cells = [f"{curves[part][name]['aurc']:.3f}" for part in parts]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    by_part = chosen["by_part"]
    return [
        *lines,
        "",
        f"The thresholds call {chosen['coverage']:.0%} of the estimates reliable, with an error of "
        f"{chosen['error']:.1%} where all have {chosen['error_of_all']:.1%}. Clean: "
        f"{by_part['clean']['coverage']:.0%} with {by_part['clean']['error']:.1%}; spoiled: "
        f"{by_part['spoiled']['coverage']:.0%} with {by_part['spoiled']['error']:.1%}. Chosen on "
        f"one half of the pictures, on the other half: {halves['coverage']:.0%} with "
        f"{halves['error']:.1%}.",
    ]


def _flicker(report: Report | None) -> list[str]:
    if report is None:
        return []
    lines = [
        "## Steadiness",
        "",
        f"Still faces ({report['n_faces']}, {report['n_frames']} frames each) before a simulated "
        "camera; mean total variation of the distribution from one frame to the next.",
        "",
        f"| camera | raw | worst face | smoothed ({report['time_constant_s']} s) |",
        "|---|---|---|---|",
    ]
    for name, row in report["cameras"].items():
        values = (row["raw"], row["raw_worst_face"], row["smoothed"])
        lines.append(f"| {name} | {' | '.join(f'{value:.4f}' for value in values)} |")
    lost = max(row["n_frames_without_face"] for row in report["cameras"].values())
    n_frames = report["n_faces"] * report["n_frames"]
    left_out = f" Frames without a found face, at most {lost} of {n_frames}, are left out."
    return [
        *lines,
        "",
        f"The smoothing covers 63 % of a step after {report['lag_63_s']:.2f} s."
        + (left_out if lost else ""),
    ]


def _share(report: Report | None) -> list[str]:
    if report is None:
        return []
    share, median = report["share_of_tracker"], report["median_ms"]
    width, height = report["frame_size_wh"]
    return [
        "## Cost",
        "",
        f"One crop takes {share['one crop']:.2f} of the tracker's time for a frame of "
        f"{width}x{height}, all views of an estimate {share['all views']:.2f} "
        f"({report['backend']}, medians of {report['n_frames']} frames in one run: "
        f"{median['one crop']:.1f}, {median['all views']:.1f} and {median['tracker']:.1f} ms on "
        f"{report['device']}).",
    ]


def _clips(report: Report | None) -> list[str]:
    if report is None:
        return []
    lines = [
        "## Clips, for judging by eye",
        "",
        "| file | frames with a face | face at x | named most | mean of the likeliest classes |",
        "|---|---|---|---|---|",
    ]
    for name, entry in report["files"].items():
        frames = f"{entry['n_with_face']} of {entry['n_frames']}"
        if not entry["faces"]:
            lines.append(f"| {name} | {frames} | – | – | – |")
        for face in entry["faces"]:
            likeliest = sorted(face["mean"].items(), key=lambda item: -item[1])[:3]
            words = ", ".join(f"{label} {value:.2f}" for label, value in likeliest)
            named = f"{face['expression']} ({face['share_of_frames']:.0%})"
            x = face["first_seen_at_x_px"]
            lines.append(f"| {name} | {frames} | {x} | {named} | {words} |")
    return lines


def _commands(commands: Sequence[str]) -> list[str]:
    if not commands:
        return []
    return ["## How these figures were taken", "", "```", *commands, "```"]


def _interval(value: Mapping[str, float | None], *, digits: int = 3) -> str:
    if value["value"] is None:
        return "–"
    text = f"{value['value']:.{digits}f}"
    if value["low"] is None or value["high"] is None:
        return text
    return f"{text} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"
