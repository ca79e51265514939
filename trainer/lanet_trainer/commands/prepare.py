"""`lanet-train prepare`: a data set on disk becomes a folder that training reads."""

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lanet_engines.plugins import find_plugin, find_plugins
from lanet_trainer.datasets.affectnet import N_CLASSES, read_affectnet
from lanet_trainer.datasets.base import LABEL_RULES, DatasetListing, hold_out
from lanet_trainer.datasets.ferplus import RULES as FERPLUS_RULES
from lanet_trainer.datasets.ferplus import read_ferplus
from lanet_trainer.datasets.ferplus_tables import PIXELS_FILE, VOTES_FILE, read_ferplus_tables
from lanet_trainer.datasets.files import find_base, open_source
from lanet_trainer.datasets.folder import read_folder
from lanet_trainer.datasets.layout import WITHOUT_FACE_FILE
from lanet_trainer.datasets.rafdb import read_rafdb
from lanet_trainer.errors import ConfigError, TrainerError

_EXIT_OK = 0
# Entry points of other packages: functions from `SourceFiles` to `DatasetListing`.
DATASET_GROUP: Final = "lanet_train.datasets"

Reader = Callable[[argparse.Namespace], DatasetListing]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand a data set."""
    datasets = parser.add_subparsers(dest="dataset", metavar="DATASET", required=True)
    ferplus = _add_dataset(
        datasets, "ferplus", "FER+: official folders, or fer2013.csv + fer2013new.csv", _ferplus
    )
    ferplus.add_argument(
        "--rule", choices=FERPLUS_RULES, default="majority", help="labels of the train split"
    )
    rafdb = _add_dataset(datasets, "rafdb", "RAF-DB basic, aligned faces", _rafdb)
    affectnet = _add_dataset(datasets, "affectnet", "AffectNet, either release", _affectnet)
    affectnet.add_argument(
        "--classes", type=int, choices=N_CLASSES, default=8, help="7 leaves contempt out"
    )
    folder = _add_dataset(
        datasets, "folder", "your own: a folder a class (as SFEW 2.0), or labels.csv", _folder
    )
    folder.add_argument("--name", help="name in results (default: the folder's)")
    folder.add_argument("--rule", choices=LABEL_RULES, help="how votes become labels")
    folder.add_argument(
        "--face-crops", action="store_true", help="every picture is filled by one face"
    )
    own = set(datasets.choices)
    plugins = {plugin.name: plugin for plugin in find_plugins(DATASET_GROUP)}
    added = [
        _add_dataset(datasets, name, f"added by {plugin.package}", _plugin)
        for name, plugin in plugins.items()
        if name not in own
    ]
    for dataset_parser in (rafdb, affectnet, folder, *added):
        dataset_parser.add_argument(
            "--valid-share",
            type=float,
            metavar="SHARE",
            help="hold out a share of the training pictures as validation split",
        )


def run(args: argparse.Namespace) -> int:
    """Prepare, and say what came out."""
    from lanet_trainer.datasets.preparation import PreparationOptions, prepare

    if args.processes < 1:
        raise ConfigError("--processes must be at least 1.")
    listing = args.read(args)
    options = PreparationOptions(n_processes=args.processes, skip_damaged=args.skip_damaged)
    with _progress(is_quiet=args.quiet) as bar:
        task = bar.add_task("finding faces", visible=False)
        summary = prepare(
            listing,
            args.out,
            options=options,
            on_progress=lambda done, total: bar.update(
                task, completed=done, total=total, visible=True
            ),
        )
    if args.quiet:
        return _EXIT_OK
    if summary.was_up_to_date:
        _say(f"{args.out} is up to date: nothing to do.")
    if summary.n_resumed:
        _say(f"{summary.n_resumed} pictures were taken over from the interrupted preparation.")
    for split, counts in summary.counts.items():
        share = counts["without_face"] / max(1, counts["pictures"])
        damaged = f", {counts['damaged']} damaged and left out" if counts["damaged"] else ""
        _say(
            f"{split}: {counts['pictures']} pictures, no face found in "
            f"{counts['without_face']} ({share:.1%}){damaged}."
        )
    _say(f"Pictures without a face are kept, cut as usual: {args.out / WITHOUT_FACE_FILE}.")
    return _EXIT_OK


def _add_dataset(datasets: Any, name: str, summary: str, read: Reader) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = datasets.add_parser(name, help=summary, description=summary)
    parser.set_defaults(read=read)
    parser.add_argument(
        "--root", required=True, type=Path, metavar="DIR_OR_ZIP", help="the data set as distributed"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="workers (2)")
    parser.add_argument(
        "--skip-damaged", action="store_true", help="leave out pictures that cannot be decoded"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")
    return parser


def _ferplus(args: argparse.Namespace) -> DatasetListing:
    files = open_source(args.root)
    base = find_base(files, (PIXELS_FILE, VOTES_FILE))
    if base is not None:
        return read_ferplus_tables(files, base, rule=args.rule)
    return read_ferplus(files, rule=args.rule)


def _rafdb(args: argparse.Namespace) -> DatasetListing:
    return _with_valid(read_rafdb(open_source(args.root)), args)


def _affectnet(args: argparse.Namespace) -> DatasetListing:
    return _with_valid(read_affectnet(open_source(args.root), n_classes=args.classes), args)


def _folder(args: argparse.Namespace) -> DatasetListing:
    name = args.name or args.root.stem
    listing = read_folder(open_source(args.root), name=name, rule=args.rule)
    return _with_valid(replace(listing, does_face_fill_picture=args.face_crops), args)


def _plugin(args: argparse.Namespace) -> DatasetListing:
    plugin = find_plugin(DATASET_GROUP, args.dataset)
    if plugin is None:
        raise ConfigError(f"The package that added the data set {args.dataset} is gone.")
    read = plugin.load()
    files = open_source(args.root)
    with plugin.blamed("cannot read the data set", TrainerError):
        listing = read(files)
    if not isinstance(listing, DatasetListing):
        raise plugin.refuse(f"returned no DatasetListing but a {type(listing).__name__}")
    return _with_valid(listing, args)


def _with_valid(listing: DatasetListing, args: argparse.Namespace) -> DatasetListing:
    return listing if args.valid_share is None else hold_out(listing, args.valid_share)


def _progress(*, is_quiet: bool) -> AbstractContextManager[Any]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=is_quiet,
    )


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
