"""`lanet-train fit`: options of a training run."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.config import (
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    SELECTIONS,
    TARGETS,
    FitConfig,
    parse_settings,
)
from trainer.methods.registry import METHODS, method_entry

if TYPE_CHECKING:
    from trainer.fit import FitResult

_EXIT_OK = 0
_EXIT_INTERRUPTED = 130
_DEFAULT_EMA = 0.999
# Options that fall back on the method's published recipe: option -> field of the recipe.
_FROM_RECIPE = {
    "epochs": "epochs",
    "batch_size": "batch_size",
    "optimizer": "optimizer",
    "lr": "learning_rate",
    "weight_decay": "weight_decay",
    "schedule": "schedule",
    "sampler": "sampler",
}
# From scratch on small crops in few epochs; the same for every method, for fair comparison.
_QUICK: dict[str, Any] = {
    "batch_size": 128,
    "optimizer": "adamw",
    "lr": 2e-3,
    "weight_decay": 0.05,
    "schedule": "one-cycle",
    "ema": _DEFAULT_EMA,
    "clip_norm": 5.0,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--data", required=True, metavar="DIR", help="prepared data set")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument("--method", default="lanet", help=f"one of {', '.join(METHODS)}")
    parser.add_argument("--backbone", default="resnet18", help="a timm name; resnets take @small")
    parser.add_argument("--pretrained", metavar="NAME|FILE", help="package or file of weights")
    parser.add_argument("--size", type=int, default=96, metavar="PX", help="side of the crops")
    parser.add_argument("--color", choices=("gray", "rgb"), default="gray")
    parser.add_argument("--targets", choices=TARGETS, default="hard", help="labels or votes")
    parser.add_argument(
        "--noise", default="none", metavar="KIND:RATE", help="e.g. symmetric:0.2, asymmetric:0.3"
    )
    parser.add_argument("--augment", default="standard", metavar="PRESET")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--include-valid", action="store_true", help="train on valid as well")
    _add_optimisation(parser.add_argument_group("optimisation (default: the method's recipe)"))
    running = parser.add_argument_group("running")
    running.add_argument("--precision", choices=PRECISIONS, default="auto")
    running.add_argument("--select", choices=SELECTIONS, default="accuracy", help="names the best")
    running.add_argument("--workers", type=int, default=2, help="processes preparing batches")
    running.add_argument("--log-every", type=int, default=20, metavar="STEPS")
    running.add_argument("--threads", type=int, metavar="N", help="CPU threads of the network")
    running.add_argument("--max-minutes", type=float, help="stop after the epoch that passes it")
    running.add_argument("--quiet", action="store_true")


def _add_optimisation(group: Any) -> None:
    group.add_argument(
        "--recipe",
        choices=("paper", "quick"),
        default="paper",
        help="paper: the method's own; quick: AdamW, one-cycle, averaged weights, batch 128",
    )
    group.add_argument("--epochs", type=int)
    group.add_argument("--batch-size", type=int, metavar="N", help="over all processes")
    group.add_argument("--optimizer", choices=OPTIMIZERS)
    group.add_argument("--lr", type=float)
    group.add_argument("--weight-decay", type=float)
    group.add_argument("--schedule", choices=SCHEDULES)
    group.add_argument("--sampler", choices=("shuffle", "balanced", "progressive"))
    group.add_argument("--clip-norm", type=float, help="largest norm of the gradient; 0: off")
    group.add_argument("--drop-path", type=float, default=0.0, help="stochastic depth")
    group.add_argument(
        "--ema",
        type=float,
        nargs="?",
        const=_DEFAULT_EMA,
        metavar="DECAY",
        help=f"average the weights for inference (decay {_DEFAULT_EMA}); 0: off",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="assignments",
        help="hyper-parameter of the method",
    )


def run(args: argparse.Namespace) -> int:
    """Train, and say how it ended."""
    import torch

    from trainer.distributed import is_main, process_group
    from trainer.fit import FitOptions, fit
    from trainer.progress import ConsoleWatcher

    config = to_config(args)
    if args.threads:
        torch.set_num_threads(args.threads)
    with process_group() as device:
        watcher = ConsoleWatcher(is_quiet=args.quiet or not is_main(), log_every=args.log_every)
        with watcher:
            result = fit(
                config,
                args.out,
                device=device,
                watcher=watcher,
                options=FitOptions(should_resume=args.resume, max_minutes=args.max_minutes),
            )
        if is_main():
            sys.stderr.write(_closing_sentence(result, args.out))
    return _EXIT_INTERRUPTED if result.is_interrupted else _EXIT_OK


def to_config(args: argparse.Namespace) -> FitConfig:
    """Fill what was not given from the recipe, and check the whole."""
    recipe = method_entry(args.method).recipe
    if args.recipe == "quick":
        for option, value in _QUICK.items():
            if getattr(args, option) is None:
                setattr(args, option, value)
    chosen = {
        name: getattr(recipe, name) if getattr(args, option) is None else getattr(args, option)
        for option, name in _FROM_RECIPE.items()
    }
    return FitConfig(
        data=args.data,
        method=args.method,
        backbone=args.backbone,
        pretrained=args.pretrained,
        size_px=args.size,
        color=args.color,
        mean=recipe.mean,
        std=recipe.std,
        targets=args.targets,
        noise=args.noise,
        augment=args.augment,
        seed=args.seed,
        include_valid=args.include_valid,
        precision=args.precision,
        selection=args.select,
        workers=args.workers,
        clip_norm=args.clip_norm or 0.0,
        ema_decay=args.ema or 0.0,
        drop_path_rate=args.drop_path,
        settings=parse_settings(args.method, args.assignments),
        **chosen,
    )


def _closing_sentence(result: "FitResult", out: Path) -> str:
    if result.is_interrupted:
        return f"Interrupted; the checkpoint is kept. Go on with --resume --out {out}\n"
    if not result.is_finished:
        return f"The time is up; the checkpoint is kept. Go on with --resume --out {out}\n"
    return f"Finished: {result.summary}. See {out / 'result.json'}\n"
