"""`lanet-train calibrate`: a model that is as sure as it is right on several data sets."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanet_trainer.evaluation.domain_calibration import Calibration, Domain

DEFAULT_ERROR_SHARE = 0.5
DEFAULT_DEGRADED = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="exported model")
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="DIR",
        help="prepared data sets, all of the same weight; the first is the model's home",
    )
    parser.add_argument(
        "--persons",
        type=Path,
        metavar="FILE.csv",
        help="columns path and person: what is fitted is measured on other persons",
    )
    parser.add_argument(
        "--faces", type=Path, metavar="DIR", help="keep the faces found here, for the next time"
    )
    parser.add_argument(
        "--degraded",
        type=int,
        default=DEFAULT_DEGRADED,
        metavar="N",
        help=f"pictures of each set that are degraded as well; default: {DEFAULT_DEGRADED}",
    )
    parser.add_argument("--split", choices=("valid", "test", "train"), default="valid")
    parser.add_argument(
        "--error-share",
        type=float,
        default=DEFAULT_ERROR_SHARE,
        metavar="SHARE",
        help="error of reliable estimates, at most this share of that of all; default: 0.5",
    )
    parser.add_argument(
        "--temperature-only",
        action="store_true",
        help="fit no offsets of the classes: the first classes stay what they are",
    )
    parser.add_argument("-o", "--model-out", type=Path, metavar="FILE.onnx", help="write the model")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of degrading and halves")


def run(args: argparse.Namespace) -> int:
    """Fit, measure on other persons and other data sets, and write report and model."""
    from lanet_engines.onnx_model.file import read_model_file
    from lanet_trainer.errors import ConfigError
    from lanet_trainer.evaluation.domain_calibration import (
        Rule,
        class_shares_of,
        fit_calibration,
        measure_calibrations,
    )
    from lanet_trainer.export.calibrated import write_calibrated
    from lanet_trainer.training.fit import plain_command
    from lanet_trainer.training.run_folder import library_versions, source_commit, write_json

    if not 0 < args.error_share <= 1:
        raise ConfigError("--error-share must lie above 0 and at most at 1.")
    if args.degraded < 0:
        raise ConfigError("--degraded must not be negative.")
    model = read_model_file(args.model)
    domains, present = _ask(args)
    rule = Rule(args.error_share, with_offsets=not args.temperature_only)
    ways = measure_calibrations(domains, present, rule, seed=args.seed)
    calibration = fit_calibration(list(domains.values()), rule)
    shares = class_shares_of(list(domains.values()), len(calibration.offsets))
    report = {
        "kind": "calibration",
        "model": model.spec.name,
        "measured_on_sha256": model.sha256,
        "labels": list(model.spec.labels),
        "data": {name: _counts(domain) for name, domain in domains.items()},
        "split": args.split,
        "error_share": args.error_share,
        "ways": ways,
        "calibration": {
            "offsets": dict(zip(model.spec.labels, calibration.offsets.tolist(), strict=True)),
            "temperature": calibration.temperature,
            "thresholds": None
            if calibration.thresholds is None
            else {
                "min_quality": calibration.thresholds.min_quality,
                "max_uncertainty": calibration.thresholds.max_uncertainty,
            },
            "class_shares": shares.tolist(),
        },
        "command": plain_command(sys.argv),
        "libraries": library_versions(),
        "commit": source_commit(),
    }
    page = to_markdown(report)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        write_json(args.out / "calibration.json", report)
        (args.out / "calibration.md").write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The report cannot be written: {error}") from error
    sys.stdout.write(page)
    if args.model_out is not None:
        write_calibrated(model, calibration, shares, report, args.model_out)
        sys.stdout.write(f"\nWritten: {args.model_out}\n")
    return 0


def _ask(args: argparse.Namespace) -> "tuple[dict[str, Domain], Calibration]":
    """Find the faces of every data set, ask the model, and say what it brings along."""
    import numpy as np

    from lanet_engines.registry import open_engine
    from lanet_trainer.datasets.prepared import open_prepared
    from lanet_trainer.errors import ConfigError
    from lanet_trainer.evaluation.domain_calibration import Calibration, Domain
    from lanet_trainer.evaluation.found_faces import join_faces, logits_of, read_persons
    from lanet_trainer.evaluation.kept_faces import find_or_read
    from lanet_trainer.evaluation.thresholds import Thresholds

    persons = {} if args.persons is None else read_persons(args.persons)
    engine = open_engine(args.model)
    domains: dict[str, Domain] = {}
    try:
        spec = engine.spec
        for folder in args.data:
            name = open_prepared(folder).name
            if name in domains:
                raise ConfigError(f"Two data sets are called '{name}'.")
            parts = [
                find_or_read(
                    folder,
                    split=args.split,
                    size_px=spec.input_size_px,
                    persons=persons,
                    keep_in=args.faces,
                    n_degraded=n_degraded,
                    seed=args.seed,
                )
                for n_degraded in dict.fromkeys((0, args.degraded))
            ]
            faces = join_faces(parts)
            if faces.class_names.tolist() != list(spec.labels):
                raise ConfigError(f"The data set {name} has other classes than the model.")
            domains[name] = Domain(faces, logits_of(engine, faces))
    finally:
        engine.close()
    thresholds = Thresholds(spec.min_quality, spec.max_uncertainty)
    return domains, Calibration(np.zeros(len(spec.labels)), spec.temperature, thresholds)


def _counts(domain: "Domain") -> dict[str, int]:
    return {
        "clean": int(domain.is_clean.sum()),
        "degraded": int((~domain.is_clean).sum()),
        "missed": int((~domain.faces.is_found).sum()),
    }


def to_markdown(report: Mapping[str, Any]) -> str:
    """Lay a report of calibration out as Markdown."""
    fitted = report["calibration"]
    thresholds = fitted["thresholds"]
    rule = (
        "no thresholds meet the conditions"
        if thresholds is None
        else f"reliable from quality {thresholds['min_quality']:.2f} and up to uncertainty "
        f"{thresholds['max_uncertainty']:.2f}"
    )
    counts = "; ".join(
        f"{name}: {n['clean']:,} clean, {n['degraded']:,} degraded, {n['missed']} without a face"
        for name, n in report["data"].items()
    )
    offsets = ", ".join(f"{name} {value:+.2f}" for name, value in fitted["offsets"].items())
    lines = [
        f"# Calibration of {report['model']} over data sets",
        "",
        f"```\n{report['command']}\n```",
        "",
        f"Pictures through the app's face search, split {report['split']}. {counts}.",
        "",
        f"Fitted on all: T = {fitted['temperature']:.3f}, offsets {offsets}; {rule}.",
        "",
    ]
    for part in ("clean", "degraded"):
        lines += _part_lines(report, part)
    return "\n".join(lines)


def _part_lines(report: Mapping[str, Any], part: str) -> Sequence[str]:
    names = list(report["data"])
    rows = []
    for way, by_domain in report["ways"].items():
        for name in names:
            values = by_domain[name].get(part)
            if values is not None:
                rows.append(f"| {way} | {name} | {' | '.join(_cells(values))} |")
    if not rows:
        return []
    return [
        f"## {part.capitalize()} pictures",
        "",
        "| | measured on | accuracy | AURC | ECE | above 0.9 | wrong among these | reliable "
        "| wrong among these | Spearman |",
        "|---" * 10 + "|",
        *rows,
        "",
    ]


def _cells(values: Mapping[str, float | None]) -> list[str]:
    percent = ("accuracy", "sure_share", "sure_error", "reliable_share", "reliable_error")
    order = ("accuracy", "aurc", "ece", *percent[1:], "spearman_uncertainty_votes")
    cells = []
    for name in order:
        value = values.get(name)
        if value is None:
            cells.append("–")
        else:
            cells.append(f"{100 * value:.1f} %" if name in percent else f"{value:.3f}")
    return cells
