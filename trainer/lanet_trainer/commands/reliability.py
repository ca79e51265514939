"""`lanet-train reliability`: trials on clean and degraded pictures, thresholds from them."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from lanet_trainer.evaluation.reliability import Trials

DEFAULT_ERROR_SHARE = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="run folder, .onnx or compiled engine"
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="prepared data set")
    parser.add_argument("--split", choices=("valid", "test", "train"), default="valid")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    parser.add_argument("--sample", type=int, metavar="N", help="only N pictures; default: all")
    parser.add_argument(
        "--error-share",
        type=float,
        default=DEFAULT_ERROR_SHARE,
        metavar="SHARE",
        help="error of reliable estimates, at most this share of that of all; default: 0.5",
    )
    parser.add_argument("--backend", default="auto", help="runtime for a model file")
    parser.add_argument("--weights", choices=("best", "last"), help="of a run; default: best")
    parser.add_argument("--seed", type=int, default=0, help="of sample, changes and halves")


def run(args: argparse.Namespace) -> int:
    """Run the trials, write the report and print what was chosen."""
    from lanet_trainer.errors import ConfigError
    from lanet_trainer.evaluation.reliability_report import write_reliability

    if not 0 < args.error_share <= 1:
        raise ConfigError("--error-share must lie above 0 and at most at 1.")
    report = _measure(args)
    try:
        files = write_reliability(report, args.out)
    except OSError as error:
        raise ConfigError(f"The report cannot be written: {error}") from error
    thresholds, present = report["thresholds"], report["present_thresholds"]
    lines = [
        f"{report['model']}: {report['n_trials']} trials, {report['n_missed']} without a face",
        f"present thresholds: {_sentence(present)}",
        f"chosen thresholds:  {_sentence(thresholds)}",
        f"Written to {args.out}: {', '.join(path.name for path in files)}. Store the thresholds "
        "with: lanet-train export MODEL.onnx -o MODEL.onnx --reliability "
        f"{args.out / files[0].name}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _measure(args: argparse.Namespace) -> dict[str, Any]:
    from lanet_trainer.datasets.prepared import open_prepared
    from lanet_trainer.evaluation.evaluate import draw_sample, model_details, open_model
    from lanet_trainer.evaluation.reliability_report import analyse
    from lanet_trainer.evaluation.thresholds import Thresholds
    from lanet_trainer.export.description import REPORT_KIND
    from lanet_trainer.training.fit import plain_command
    from lanet_trainer.training.run_folder import library_versions, source_commit

    dataset = open_prepared(args.data)
    split = draw_sample(dataset.split(args.split), args.sample, seed=args.seed)
    engine = open_model(args.model, weights=args.weights, backend=args.backend)
    spec, details = engine.spec, model_details(engine)
    trials = _run_trials(engine, split, args.seed)
    present = Thresholds(spec.min_quality, spec.max_uncertainty)
    return {
        "kind": REPORT_KIND,
        "model": f"{spec.name}, {details['backend']} {details['precision']}",
        "model_details": details,
        "dataset": dataset.name,
        "split": args.split,
        "n_pictures": len(split),
        "seed": args.seed,
        **analyse(trials, present=present, error_share=args.error_share, seed=args.seed),
        "command": plain_command(sys.argv),
        "libraries": library_versions(),
        "commit": source_commit(),
    }


def _run_trials(engine: Any, split: Any, seed: int) -> "Trials":
    from lanet_trainer.evaluation.reliability import run_trials

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Trials", total=2 * len(split))
        return run_trials(
            engine,
            split,
            seed=seed,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _sentence(rule: dict[str, Any]) -> str:
    error = "no" if rule["error"] is None else f"{rule['error']:.1%}"
    return (
        f"quality >= {rule['min_quality']:.2f} and uncertainty <= {rule['max_uncertainty']:.2f}: "
        f"{rule['coverage']:.1%} reliable with {error} errors (all: {rule['error_of_all']:.1%})"
    )
