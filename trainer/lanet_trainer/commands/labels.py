"""`lanet-train labels`: suspect training labels, and how near the mined ones are to votes."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanet_trainer.labels.mined import MinedLabels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folder of a LA-Net or SLM-AEA run; of several on the same labels the mean is taken",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    parser.add_argument("--data", metavar="DIR", help="prepared data set, if it was moved")
    parser.add_argument(
        "--final-network",
        action="store_true",
        help="LA-Net: estimate once more with the finished network, neighbours among all images",
    )
    parser.add_argument("--no-gallery", action="store_true", help="write no pictures of people")


def run(args: argparse.Namespace) -> int:
    """Write the report and print its figures."""
    from lanet_trainer.labels.mined import mean_of_runs, read_mined_labels
    from lanet_trainer.labels.report import SUSPECTS_FILE, write_labels_report

    # All are read first, so that a mismatch is reported before the long work.
    mined = [read_mined_labels(run, data=args.data) for run in args.runs]
    mean = mean_of_runs(mined)
    if args.final_network:
        mean = mean_of_runs(_estimate_again(mined, args.runs))
    report = write_labels_report(mean, args.out, has_gallery=not args.no_gallery)
    lines = [f"{report['n_contradicted']} suspect labels: {args.out / SUSPECTS_FILE}"]
    if "js_to_votes" in report:
        distances = report["js_to_votes"]
        lines.append(
            f"JS to votes: labels {distances['one_hot_labels']['value']:.4f}, mined "
            f"{distances['mined_distributions']['value']:.4f} ({distances['reduction']:.1%} closer)"
        )
    if "against_known_flips" in report:
        shares = report["against_known_flips"]["precision_at"]
        figures = ", ".join(f"{share:.1%} of the first {k}" for k, share in shares.items())
        lines.append(f"truly flipped: {figures}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _estimate_again(mined: "list[MinedLabels]", runs: list[Path]) -> "list[MinedLabels]":
    from rich.console import Console
    from rich.progress import track

    from lanet_trainer.labels.final_estimate import estimate_again, open_finished_run

    console = Console(stderr=True)

    def show(items: Iterable[Any], total: int) -> Iterable[Any]:
        is_hidden = not console.is_terminal
        return track(items, "Asking", total, console=console, transient=True, disable=is_hidden)

    # All are opened first, as they were read.
    finished = [open_finished_run(one, run) for one, run in zip(mined, runs, strict=True)]
    estimates = []
    for one, run in zip(finished, runs, strict=True):
        console.print(
            f"Asking the network of {run} about {len(one.mined.labels)} images ...",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        estimates.append(estimate_again(one, track=show))
    return estimates
