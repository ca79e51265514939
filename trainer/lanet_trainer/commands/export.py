"""`lanet-train export`: a run becomes an ONNX model for the app, or a model is described anew."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lanet_engines.spec import ModelSpec

DEFAULT_COVERAGE = 0.9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="RUN|MODEL.onnx",
        help="folder of a training run, or an exported model that gets another description",
    )
    parser.add_argument("-o", "--out", required=True, type=Path, metavar="FILE.onnx")
    parser.add_argument("--weights", choices=("best", "last"), help="default: best, else last")
    parser.add_argument("--name", help="shown to the user; default: method, backbone and size")
    parser.add_argument(
        "--ensemble",
        choices=("none", "mirror"),
        help="none (default), or mirror: average the logits of the crop and of its mirror image",
    )
    parser.add_argument(
        "--calibrate",
        metavar="DIR",
        help="prepared data set whose validation votes (or labels) the temperature is fitted on",
    )
    parser.add_argument(
        "--calibrate-by",
        choices=("js", "nll", "label", "label+offsets"),
        help="what the temperature makes small: divergence (js, the default) or cross-entropy "
        "(nll) to the votes, or cross-entropy to the label (label, the default without votes); "
        "label+offsets also gives every class an offset, which helps rare ones",
    )
    parser.add_argument(
        "--reliability",
        type=Path,
        metavar="FILE.json",
        help="of 'lanet-train reliability' on this MODEL.onnx: take the thresholds it chose",
    )
    parser.add_argument(
        "--class-shares",
        type=Path,
        metavar="DIR|FILE",
        help="of a MODEL.onnx: store how frequent the classes are where it is calibrated, counted "
        "in the validation split of a prepared data set, or from a CSV (class,share) or JSON; "
        "'lanet-live --prior' needs it",
    )
    parser.add_argument(
        "--prediction-sets",
        nargs="+",
        metavar="DIR",
        help="of a MODEL.onnx: fit sets of possible answers on the validation splits of prepared "
        "data sets, on each by itself, and store the widest",
    )
    parser.add_argument(
        "--coverage",
        type=float,
        metavar="SHARE",
        help=f"of sets that hold the right class, as promised; default: {DEFAULT_COVERAGE:g}",
    )
    parser.add_argument("--max-uncertainty", type=float, help="default threshold of the model")
    parser.add_argument("--min-quality", type=float, help="default threshold of the model")


def run(args: argparse.Namespace) -> int:
    """Export, and say what was checked."""
    from lanet_trainer.errors import ConfigError

    if args.source.suffix.lower() == ".onnx":
        return _describe_anew(args)
    if args.reliability is not None:
        raise ConfigError(
            "--reliability goes with the .onnx file the report was measured on, not with a run."
        )
    for name in ("class_shares", "prediction_sets", "coverage"):
        if getattr(args, name) is not None:
            raise ConfigError(
                f"--{name.replace('_', '-')} goes with an exported .onnx file, not with a run."
            )
    return _export(args)


def _export(args: argparse.Namespace) -> int:
    from lanet_trainer.export.export import ExportOptions, export_run

    options = ExportOptions(
        weights=args.weights,
        name=args.name,
        ensemble=args.ensemble or "none",
        calibration_data=args.calibrate,
        calibration_measure=args.calibrate_by,
        max_uncertainty=args.max_uncertainty,
        min_quality=args.min_quality,
    )
    summary = export_run(args.source, args.out, options)
    sys.stdout.write(
        f"{args.out}: {summary.size_bytes / 1e6:.1f} MB, temperature "
        f"{summary.spec.temperature:.3f}, logits within {summary.difference:.1e} of the network's "
        f"(allowed: {summary.tolerance:.0e}).\n"
    )
    return 0


def _describe_anew(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from lanet_engines.onnx_model.file import read_model_file
    from lanet_trainer.errors import ConfigError
    from lanet_trainer.export.description import (
        apply_reliability,
        read_reliability,
        write_described,
    )
    from lanet_trainer.export.promises import declare_shares, fit_sets

    for name in ("weights", "ensemble", "calibrate", "calibrate_by"):
        if getattr(args, name) is not None:
            raise ConfigError(
                f"--{name.replace('_', '-')} needs the training run; an exported model can be "
                "given --name, --reliability, --class-shares, --prediction-sets, "
                "--max-uncertainty and --min-quality."
            )
    if args.coverage is not None and args.prediction_sets is None:
        raise ConfigError("--coverage works together with --prediction-sets only.")
    model = read_model_file(args.source)
    spec = model.spec
    if args.reliability is not None:
        spec = apply_reliability(model, read_reliability(args.reliability))
    if args.class_shares is not None:
        spec = declare_shares(spec, args.class_shares)
    if args.prediction_sets is not None:
        coverage = DEFAULT_COVERAGE if args.coverage is None else args.coverage
        spec = fit_sets(model, spec, args.prediction_sets, coverage)
    given = {name: getattr(args, name) for name in ("name", "max_uncertainty", "min_quality")}
    spec = replace(spec, **{name: value for name, value in given.items() if value is not None})
    write_described(model, spec, args.out)
    sys.stdout.write(
        f"{args.out}: {spec.name}, reliable from quality {spec.min_quality:.2f} and up to "
        f"uncertainty {spec.max_uncertainty:.2f}; {_promises(spec)}the network is unchanged.\n"
    )
    return 0


def _promises(spec: "ModelSpec") -> str:
    said = ""
    if spec.class_shares is not None:
        pairs = zip(spec.labels, spec.class_shares, strict=True)
        said += f"class shares {', '.join(f'{label} {share:.3f}' for label, share in pairs)}; "
    if spec.prediction_sets is not None:
        said += f"sets that hold the right class in {spec.prediction_sets.coverage:.0%}; "
    return said
