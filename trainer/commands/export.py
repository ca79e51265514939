"""`lanet-train export`: a run becomes an ONNX model for the app."""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a training run")
    parser.add_argument("-o", "--out", required=True, type=Path, metavar="FILE.onnx")
    parser.add_argument("--weights", choices=("best", "last"), help="default: best, else last")
    parser.add_argument("--name", help="shown to the user; default: method, backbone and size")
    parser.add_argument(
        "--ensemble",
        choices=("none", "mirror"),
        default="none",
        help="mirror: average the logits of the crop and of its mirror image",
    )
    parser.add_argument(
        "--calibrate",
        metavar="DIR",
        help="prepared data set whose validation votes (or labels) the temperature is fitted on",
    )
    parser.add_argument(
        "--calibrate-by",
        choices=("js", "nll"),
        help="what the temperature makes small; default: js against votes, nll against labels",
    )
    parser.add_argument("--max-uncertainty", type=float, help="default threshold of the model")
    parser.add_argument("--min-quality", type=float, help="default threshold of the model")


def run(args: argparse.Namespace) -> int:
    """Export, and say what was checked."""
    from trainer.export import ExportOptions, export_run

    options = ExportOptions(
        weights=args.weights,
        name=args.name,
        ensemble=args.ensemble,
        calibration_data=args.calibrate,
        calibration_measure=args.calibrate_by,
        max_uncertainty=args.max_uncertainty,
        min_quality=args.min_quality,
    )
    summary = export_run(args.run_folder, args.out, options)
    sys.stdout.write(
        f"{args.out}: {summary.size_bytes / 1e6:.1f} MB, temperature "
        f"{summary.spec.temperature:.3f}, logits within {summary.difference:.1e} of the network's "
        f"(allowed: {summary.tolerance:.0e}).\n"
    )
    return 0
