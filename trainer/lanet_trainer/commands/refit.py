"""`lanet-train refit`: the classifier of an exported model, fitted anew on further data sets."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lanet_trainer.errors import ConfigError

if TYPE_CHECKING:
    from lanet_engines.onnx_model.file import ModelFile
    from lanet_trainer.export.refit import Lesson

DEFAULT_DECAY = 1e-3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="exported model")
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="DIR",
        help="prepared data sets; the first is the model's home, which it must not forget",
    )
    parser.add_argument(
        "--weight",
        nargs="+",
        type=float,
        default=[],
        metavar="W",
        help="of each set, whatever its size; default: 1 for all",
    )
    parser.add_argument(
        "--assumed-noise",
        nargs="+",
        type=float,
        default=[],
        metavar="SHARE",
        help="how many single labels of each set are taken to be wrong; default: 0 for all",
    )
    parser.add_argument(
        "--balance",
        nargs="+",
        type=float,
        default=[],
        metavar="POWER",
        help="weigh samples of a class with n of them by n**-POWER, for each set; default: 0",
    )
    parser.add_argument(
        "--decay",
        type=float,
        default=DEFAULT_DECAY,
        help="penalty on the change, on standardised features; default: %(default)g",
    )
    parser.add_argument("-o", "--model-out", required=True, type=Path, metavar="FILE.onnx")


def run(args: argparse.Namespace) -> int:
    """Fit and write the model; its confidence is to be fitted afterwards with `calibrate`."""
    from lanet_engines.onnx_model.file import read_model_file
    from lanet_trainer.export.refit import iterate_sets, refit, write_refitted
    from lanet_trainer.training.fit import plain_command

    if args.decay < 0 or any(value < 0 for value in (*args.weight, *args.balance)):
        raise ConfigError("--decay, --weight and --balance must not be negative.")
    if any(not 0 <= share < 1 for share in args.assumed_noise):
        raise ConfigError("--assumed-noise must lie in 0 to 1, 1 excluded.")
    model = read_model_file(args.model)
    numbers = [
        iterate_sets(args.data, values, default)
        for values, default in ((args.weight, 1.0), (args.assumed_noise, 0.0), (args.balance, 0.0))
    ]
    lessons = []
    for path, weight, noise, balance in zip(args.data, *numbers, strict=True):
        lesson = _prepare(model, path, weight=weight, assumed_noise=noise, balance=balance)
        lessons.append(lesson)
    change = refit(lessons, decay=args.decay)
    note = {
        "command": plain_command(sys.argv),
        "data": [Path(path).name for path in args.data],
        "n_samples": [len(lesson.weights) for lesson in lessons],
    }
    write_refitted(model, change, args.model_out, note=note)
    sys.stdout.write(
        f"Wrote {args.model_out}. Fit its confidence next: lanet-train calibrate {args.model_out}\n"
    )
    return 0


def _prepare(
    model: "ModelFile", path: str, *, weight: float, assumed_noise: float, balance: float
) -> "Lesson":
    """See a training split through the model and say what it teaches."""
    from lanet_trainer.datasets.prepared import open_prepared
    from lanet_trainer.export.refit import Lesson, class_weights, see, trusted_partly
    from lanet_trainer.training.training_data import vote_shares

    split = open_prepared(path).split("train").with_classes(model.spec.labels)
    if split.votes is None:
        kept = np.flatnonzero(split.label >= 0)
    else:
        kept = np.flatnonzero(split.votes.sum(axis=1) > split.n_ignored_votes)
    if not len(kept):
        raise ConfigError(f"The data set '{path}' has no labelled training sample.")
    split = split.select(kept)
    sys.stderr.write(f"{Path(path).name}: {len(split):,} training samples\n")
    seen = see(model, split)
    targets = vote_shares(split).astype(np.float32)
    if assumed_noise:
        targets = trusted_partly(targets, seen, assumed_noise=assumed_noise)
    labels = targets.argmax(axis=1)
    return Lesson(seen, targets, class_weights(labels, balance=balance), weight)
