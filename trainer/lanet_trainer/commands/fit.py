"""`lanet-train fit`: options of a training run."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanet_trainer.class_names import canonical_name
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.registry import method_entry, method_names
from lanet_trainer.training.config import (
    CONFIG_FILE,
    OPTIMIZERS,
    PRECISIONS,
    RULES,
    SCHEDULES,
    SELECTIONS,
    TARGETS,
    FitConfig,
    check_resumable,
    parse_settings,
)

if TYPE_CHECKING:
    from lanet_trainer.training.fit import FitResult

_EXIT_OK = 0
_EXIT_INTERRUPTED = 130
_DEFAULT_EMA = 0.999
_DEFAULT_METHOD = "lanet"
# Used where neither the command line nor the recipe says anything; fields of `FitConfig`.
_DEFAULTS: dict[str, Any] = {"backbone": "resnet18", "size_px": 96}
# From scratch on small crops in few epochs; the same for every method, for fair comparison.
QUICK_RECIPE: dict[str, Any] = {
    "batch_size": 128,
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "weight_decay": 0.05,
    "schedule": "one-cycle",
    "ema_decay": _DEFAULT_EMA,
    "clip_norm": 5.0,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; each is stored under the name of its field in `FitConfig`."""
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="DIR",
        help="prepared data set; with several, the first decides the classes and what epochs are "
        "chosen on, the others are measured apart",
    )
    parser.add_argument(
        "--share",
        nargs="+",
        type=float,
        metavar="SHARE",
        dest="shares",
        help="of an epoch, one number for each data set; default: by their sizes",
    )
    parser.add_argument(
        "--assumed-noise",
        nargs="+",
        type=float,
        metavar="SHARE",
        help="how many single labels are taken to be wrong, one number for each data set",
    )
    parser.add_argument(
        "--teacher",
        metavar="MODEL",
        help="ONNX model whose answers share out the assumed noise; default: evenly",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the run's checkpoint, with its options; starts the run if there is none",
    )
    parser.add_argument(
        "--method", help=f"one of {', '.join(method_names())}; default: {_DEFAULT_METHOD}"
    )
    parser.add_argument("--backbone", help="a timm name, resnets take @small; default: resnet18")
    parser.add_argument("--pretrained", metavar="NAME|FILE", help="package or file of weights")
    parser.add_argument(
        "--size", type=int, metavar="PX", dest="size_px", help="side of the crops; default: 96"
    )
    parser.add_argument("--color", choices=("gray", "rgb"), help="default: gray")
    parser.add_argument(
        "--targets",
        choices=TARGETS,
        help="hard labels (default), shares of all votes, or the data set's distribution rule",
    )
    parser.add_argument(
        "--rule",
        choices=RULES,
        help="how votes become hard training labels; default: the data set's own rule",
    )
    parser.add_argument(
        "--without",
        nargs="+",
        metavar="CLASS",
        type=canonical_name,
        help="leave classes out, e.g. contempt: FER+ with seven classes",
    )
    parser.add_argument(
        "--noise", metavar="KIND:RATE", help="e.g. symmetric:0.2, asymmetric:0.3; default: none"
    )
    parser.add_argument(
        "--noise-seed", type=int, metavar="N", help="draw the noise from it; default: --seed"
    )
    parser.add_argument("--augment", metavar="PRESET", help="default: standard")
    parser.add_argument("--seed", type=int, help="default: 0")
    parser.add_argument(
        "--include-valid",
        action="store_true",
        default=None,
        help="train on the validation split as well; then no epoch is chosen",
    )
    parser.add_argument(
        "--holdout",
        type=float,
        metavar="SHARE",
        help="choose the epoch on a share of the training images, set aside class by class, in "
        "place of the validation split",
    )
    parser.add_argument(
        "--report-split",
        metavar="SPLIT",
        help="measure this split after every epoch and never choose on it, e.g. test",
    )
    parser.add_argument(
        "--n-train",
        type=int,
        metavar="N",
        help="train on N random samples of each data set only, the same ones for every seed",
    )
    _add_optimisation(parser.add_argument_group("optimisation (default: the method's recipe)"))
    _add_running(parser.add_argument_group("running"))


def _add_optimisation(group: Any) -> None:
    group.add_argument(
        "--recipe",
        choices=("paper", "quick"),
        help="paper: the published protocol, augmentation, colour and size included; quick: AdamW, "
        "one-cycle, averaged weights, batch 128; default: the method's schedule alone",
    )
    group.add_argument("--epochs", type=int)
    group.add_argument("--batch-size", type=int, metavar="N", help="over all processes")
    group.add_argument("--optimizer", choices=OPTIMIZERS)
    group.add_argument("--lr", type=float, dest="learning_rate")
    group.add_argument("--weight-decay", type=float)
    group.add_argument("--schedule", choices=SCHEDULES)
    group.add_argument(
        "--sampler",
        metavar="NAME[:SHARE]",
        help="shuffle, balanced or progressive (towards balanced); with a share, e.g. "
        "progressive:0.3, only so much of an epoch is balanced",
    )
    group.add_argument("--clip-norm", type=float, help="largest norm of the gradient; 0: off")
    group.add_argument(
        "--drop-path", type=float, dest="drop_path_rate", metavar="RATE", help="stochastic depth"
    )
    group.add_argument(
        "--ema",
        type=float,
        nargs="?",
        const=_DEFAULT_EMA,
        metavar="DECAY",
        dest="ema_decay",
        help=f"average the weights for inference (decay {_DEFAULT_EMA}); 0: off",
    )
    group.add_argument(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        dest="assignments",
        help="hyper-parameter of the method",
    )


def _add_running(group: Any) -> None:
    group.add_argument("--precision", choices=PRECISIONS, help="default: auto")
    group.add_argument(
        "--select", choices=SELECTIONS, dest="selection", help="names the best; default: accuracy"
    )
    group.add_argument("--workers", type=int, help="processes preparing batches; default: 2")
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads of the network")
    group.add_argument("--log-every", type=int, default=20, metavar="STEPS")
    group.add_argument("--tensorboard", action="store_true", help="write TensorBoard logs as well")
    group.add_argument(
        "--compile",
        action="store_true",
        dest="is_compiled",
        help="let torch compile the backbone: a minute or two to start, then faster; needs a C++ "
        "compiler",
    )
    group.add_argument("--max-minutes", type=float, help="stop after the epoch that passes it")
    group.add_argument("--quiet", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Train, and say how it ended."""
    import torch

    from lanet_trainer.distributed import is_main, process_group
    from lanet_trainer.training.fit import FitOptions, fit
    from lanet_trainer.training.progress import ConsoleWatcher

    config = to_config(args)
    if args.log_every < 1 or (args.threads is not None and args.threads < 1):
        raise ConfigError("--log-every and --threads must be at least 1.")
    if args.threads:
        torch.set_num_threads(args.threads)
    options = FitOptions(
        should_resume=args.resume,
        max_minutes=args.max_minutes,
        has_tensorboard=args.tensorboard,
        is_compiled=args.is_compiled,
    )
    with process_group() as device:
        watcher = ConsoleWatcher(is_quiet=args.quiet or not is_main(), log_every=args.log_every)
        with watcher:
            result = fit(config, args.out, device=device, watcher=watcher, options=options)
        if is_main() and not (args.quiet and result.is_finished):
            sys.stderr.write(_closing_sentence(result, args.out))
    return _EXIT_INTERRUPTED if result.is_interrupted else _EXIT_OK


def to_config(args: argparse.Namespace) -> FitConfig:
    """Put the run's record together: what was given, then the recipe, then the defaults.

    A run that is resumed keeps its own record; what is given must agree with it.
    """
    names = {field.name for field in dataclasses.fields(FitConfig)}
    given = {k: v for k, v in vars(args).items() if k in names and v is not None}
    if "data" in given:
        given["data"], *more = given["data"]
        given["more_data"] = tuple(more)
    for name in ("without", "shares", "assumed_noise"):
        if name in given:
            given[name] = tuple(given[name])
    if args.resume and (args.out / CONFIG_FILE).is_file():
        saved = FitConfig.read(args.out)
        if args.assignments:
            given["settings"] = parse_settings(saved.method, args.assignments)
        config = dataclasses.replace(saved, **given)
        check_resumable(saved, config)
        return config
    if args.data is None:
        raise ConfigError("--data is needed: a folder made by 'lanet-train prepare'.")
    from lanet_trainer.pretrained import normalisation_of

    method = given.setdefault("method", _DEFAULT_METHOD)
    published = method_entry(method).recipe
    recipe = published.optimisation()
    if args.recipe == "quick":
        recipe |= QUICK_RECIPE
    elif args.recipe == "paper":
        recipe = published.published(given.get("backbone", _DEFAULTS["backbone"]))
    recipe |= normalisation_of(args.pretrained)
    given["settings"] = parse_settings(method, args.assignments or [])
    return FitConfig(**{**_DEFAULTS, **recipe, **given})


def _closing_sentence(result: "FitResult", out: Path) -> str:
    if result.is_interrupted:
        return f"Interrupted; the checkpoint is kept. Go on with --resume --out {out}\n"
    if not result.is_finished:
        return f"The time is up; the checkpoint is kept. Go on with --resume --out {out}\n"
    return f"Finished: {result.summary}. See {out / 'result.json'}\n"
