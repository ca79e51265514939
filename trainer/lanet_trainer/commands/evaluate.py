"""`lanet-train evaluate`: measure a model on one split."""

import argparse
import sys
from pathlib import Path

from lanet_trainer.training.config import RULES

_SHOWN = (
    "accuracy",
    "mean_class_accuracy",
    "macro_f1",
    "js",
    "spearman_uncertainty_votes",
    "aurc",
    "ece",
    "nll",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="run folder, .onnx, compiled engine, or .csv of predictions",
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="prepared data set")
    parser.add_argument("--split", choices=("valid", "test", "train"), default="valid")
    parser.add_argument(
        "--end-to-end",
        action="store_true",
        help="whole images through the app's face search and alignment; a missed face is an error",
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="measure only N images, drawn with the seed"
    )
    parser.add_argument(
        "--rule", choices=RULES, help="how votes become labels; default: the data's own"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="report; Markdown and figures too"
    )
    parser.add_argument(
        "--predictions", type=Path, metavar="FILE.csv", help="a row for every image"
    )
    parser.add_argument("--weights", choices=("best", "last"), help="of a run; default: best")
    parser.add_argument("--backend", default="auto", help="runtime for a model file")
    parser.add_argument(
        "--duplicates-of",
        choices=("train", "valid", "test"),
        metavar="SPLIT",
        help="measure also without the images that are pixel for pixel in this split",
    )
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0, help="of bootstrap and sample")


def run(args: argparse.Namespace) -> int:
    """Measure, write what was asked for, and print the figures."""
    from lanet_trainer.errors import ConfigError
    from lanet_trainer.evaluation.evaluate import EvaluateOptions, evaluate, headline, write_table
    from lanet_trainer.evaluation.report import write_report

    if args.resamples < 1:
        raise ConfigError("--resamples must be at least 1.")
    options = EvaluateOptions(
        model=args.model,
        data=args.data,
        split=args.split,
        is_end_to_end=args.end_to_end,
        n_sampled=args.sample,
        weights=args.weights,
        backend=args.backend,
        rule=args.rule,
        duplicates_of=args.duplicates_of,
        n_resamples=args.resamples,
        seed=args.seed,
    )
    report, predictions = evaluate(options)
    try:
        if args.predictions is not None:
            write_table(args.predictions, predictions, options)
        if args.json is not None:
            write_report(report, args.json)
    except OSError as error:
        raise ConfigError(f"The report cannot be written: {error}") from error
    sys.stdout.write("\n".join([f"{report['model']}:", *headline(report, _SHOWN)]) + "\n")
    return 0
