"""Measure a model in every way the model card reports, and write the card's figures.

    python scripts/model_card.py --data data/ferplus --run runs/lanet \
        --control "Baseline=runs/baseline" --clips ../clips/a.mp4 photo.jpg

Thresholds come first: they are chosen from trials and stored in the model file. Then single crops,
end to end, control networks, flicker, cost and clips. The reports stay in --results, beside the
figures they draw; what was already measured on this very model is not measured again.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanet_engines.errors import EngineError
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_trainer.errors import ConfigError, TrainerError
from lanet_trainer.evaluation.model_card import Measured, replace_figures, write_figures

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "assets/models/lanet-live.onnx"
RESULTS = ROOT / "docs/results/model"
RELIABILITY = "reliability/reliability.json"
_CONTROL = "control-"


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement.

    Attributes:
        report: The JSON file it writes, relative to the results.
        words: The command: `lanet-train` or a script of the project, and its options.
    """

    report: str
    words: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The command as the card shows it, without folders outside the project."""
        return " ".join(_without_folder(word) for word in self.words)

    @property
    def argv(self) -> list[str]:
        """What is executed."""
        if self.words[0] == "lanet-train":
            return [sys.executable, "-m", "lanet_trainer.commands.main", *self.words[1:]]
        return [sys.executable, *self.words[1:]]


def main() -> int:
    """Measure what is missing and write the card."""
    args = parse_arguments()
    try:
        args.results.mkdir(parents=True, exist_ok=True)
        if not args.only_write:
            settle_thresholds(args)
            for step in steps(args):
                measure(step, args)
        card = args.card.read_text(encoding="utf-8")
        args.card.write_text(replace_figures(card, write_figures(gather(args))), encoding="utf-8")
    except (TrainerError, EngineError, OSError) as error:
        print(f"model_card: {error}", file=sys.stderr)
        return 2
    print(f"Figures written to {args.card}.")
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=_full_path, required=True, help="prepared data set")
    parser.add_argument("--model", type=_full_path, default=MODEL)
    parser.add_argument("--results", type=_full_path, default=RESULTS, help="folder of the reports")
    parser.add_argument("--card", type=_full_path, default=ROOT / "assets/models/MODEL_CARD.md")
    parser.add_argument(
        "--run",
        type=_full_path,
        nargs="+",
        default=[],
        metavar="RUN",
        help="folders of the training runs one after the other, for commands and duration",
    )
    parser.add_argument(
        "--control",
        action="append",
        default=[],
        metavar="NAME=RUN",
        help="another network of the same budget: run folder or .onnx",
    )
    parser.add_argument(
        "--comparison",
        type=_full_path,
        nargs="+",
        default=[],
        metavar="TABLE",
        help="table.json of lanet-train benchmark",
    )
    parser.add_argument(
        "--clips", type=_full_path, nargs="+", default=[], help="clips and pictures"
    )
    parser.add_argument(
        "--trials", type=int, metavar="N", help="choose the thresholds on N pictures; default: all"
    )
    parser.add_argument("--again", action="store_true", help="measure also what is there")
    parser.add_argument("--only-write", action="store_true", help="measure nothing")
    return parser.parse_args()


def settle_thresholds(args: argparse.Namespace) -> None:
    """Choose the thresholds from trials of this model and store them in it."""
    model, path = read_model_file(args.model), args.results / RELIABILITY
    if args.again or _measured_on(path) not in _known_as(model):
        _execute(reliability_step(args))
    report = read_report(path)
    if report is not None and report["model_details"]["sha256"] == model.sha256:
        words = ("lanet-train", "export", str(args.model), "-o", str(args.model))
        _execute(Step("", (*words, "--reliability", str(path))))


def reliability_step(args: argparse.Namespace) -> Step:
    """The trials the thresholds are chosen from."""
    words = ["lanet-train", "reliability", str(args.model), "--data", str(args.data)]
    sample = () if args.trials is None else ("--sample", str(args.trials))
    return Step(RELIABILITY, (*words, "--out", str(args.results / "reliability"), *sample))


def steps(args: argparse.Namespace) -> list[Step]:
    """Everything that is measured on the model as it is shipped, then the control networks."""
    results, model, data = args.results, str(args.model), str(args.data)
    evaluate = ("lanet-train", "evaluate")

    def to(name: str) -> tuple[str, str]:
        return "--json", str(results / name)

    chosen = [
        Step(
            "evaluate.json",
            (*evaluate, model, "--data", data, "--duplicates-of", "train", *to("evaluate.json")),
        ),
        Step(
            "end-to-end.json",
            (*evaluate, model, "--data", data, "--end-to-end", *to("end-to-end.json")),
        ),
        Step(
            "flicker.json",
            ("python", "benchmarks/flicker.py", model, "--data", data, *to("flicker.json")),
        ),
        Step("share.json", ("python", "benchmarks/model_share.py", model, *to("share.json"))),
    ]  # fmt: skip
    if args.clips:
        clips = ("python", "benchmarks/clip_faces.py", *map(str, args.clips), "--model", model)
        chosen.append(Step("clips.json", (*clips, *to("clips.json"))))
    for name, path in controls(args):
        report = control_report(name)
        chosen.append(Step(report, (*evaluate, path, "--data", data, *to(report))))
    return chosen


def controls(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Names and paths of the control networks.

    Raises:
        ConfigError: One is not given as NAME=RUN.
    """
    pairs = [tuple(word.rsplit("=", 1)) for word in args.control]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ConfigError("--control takes NAME=RUN.")
    return [(name, str(_full_path(path))) for name, path in pairs]


def control_report(name: str) -> str:
    """The file name of a control network's report."""
    plain = "".join(sign if sign.isalnum() else "-" for sign in name.lower())
    return f"{_CONTROL}{plain}.json"


def measure(step: Step, args: argparse.Namespace) -> None:
    """Run a step unless its report is there and was taken on this very model."""
    path = args.results / step.report
    if step.report.startswith(_CONTROL):
        is_there = path.is_file()
    else:
        is_there = _measured_on(path) in _known_as(read_model_file(args.model))
    if args.again or not is_there:
        _execute(step)


def gather(args: argparse.Namespace) -> Measured:
    """Read every report that belongs to the model.

    Raises:
        ConfigError: A report was taken on another model.
    """
    model = read_model_file(args.model)
    reports = {
        name: read_report(args.results / file)
        for name, file in {
            "evaluation": "evaluate.json",
            "end_to_end": "end-to-end.json",
            "reliability": RELIABILITY,
            "flicker": "flicker.json",
            "share": "share.json",
            "clips": "clips.json",
        }.items()
    }
    for name, report in reports.items():
        if report is not None and _sha256_in(report) not in _known_as(model):
            raise ConfigError(
                f"The report of {name.replace('_', ' ')} in '{args.results}' was taken on another "
                "model; run this without --only-write."
            )
    others = {name: read_report(args.results / control_report(name)) for name, _ in controls(args)}
    taken = [
        s for s in (reliability_step(args), *steps(args)) if (args.results / s.report).is_file()
    ]
    return Measured(
        model=model,
        controls={name: report for name, report in others.items() if report is not None},
        comparisons=[table for path in args.comparison if (table := read_report(path))],
        stages=[stage for run in args.run if (stage := _stage(run))],
        commands=[step.shown for step in taken],
        **reports,
    )


def read_report(path: Path) -> dict[str, Any] | None:
    """Read a report; None where there is none.

    Raises:
        ConfigError: It is damaged.
    """
    if not path.is_file():
        return None
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"The report '{path}' is damaged: {error}") from error
    return report


def _full_path(text: str) -> Path:
    """The measurements run in the project's folder, wherever this was started."""
    return Path(text).resolve()


def _known_as(model: ModelFile) -> tuple[str, ...]:
    """The hash of the model, and that of the same network before its thresholds were stored."""
    chosen_on = model.spec.provenance.get("thresholds_chosen_on", {})
    return (model.sha256, str(chosen_on.get("measured_on_sha256", model.sha256)))


def _measured_on(path: Path) -> str | None:
    report = read_report(path)
    return None if report is None else _sha256_in(report)


def _sha256_in(report: dict[str, Any]) -> str:
    return str(report.get("sha256") or report.get("model_details", {}).get("sha256"))


def _stage(run: Path) -> tuple[str, float] | None:
    """The command of a training run and how long it took, in seconds."""
    facts, result = read_report(run / "run.json"), read_report(run / "result.json")
    if facts is None or result is None:
        return None
    return str(facts["command"]), float(result["elapsed_s"])


def _execute(step: Step) -> None:
    print(f"$ {step.shown}", flush=True)
    finished = subprocess.run(step.argv, cwd=ROOT, check=False)
    if finished.returncode != 0:
        raise ConfigError(f"'{step.words[0]} {step.words[1]}' failed; see above.")


def _without_folder(word: str) -> str:
    path = Path(word)
    if not path.is_absolute():
        return word
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


if __name__ == "__main__":
    sys.exit(main())
