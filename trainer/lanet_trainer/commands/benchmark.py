"""`lanet-train benchmark`: the papers' comparisons, cell by cell."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.registry import METHODS

_EXIT_OK = 0
_EXIT_INTERRUPTED = 130
_BUDGETS = ("smoke", "cpu", "paper")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand a comparison."""
    kinds = parser.add_subparsers(dest="kind", metavar="COMPARISON", required=True)
    table = kinds.add_parser("table1", help="methods under label noise, as LA-Net's Table 1")
    _add_common(table)
    table.add_argument(
        "--methods",
        nargs="+",
        default=list(METHODS),
        metavar="METHOD",
        help="columns; METHOD:NAME=VALUE is a variant, e.g. lanet:use_landmarks=false",
    )
    table.add_argument("--rates", nargs="+", type=float, default=[0.1, 0.2, 0.3], metavar="RATE")
    table.add_argument("--noise", choices=("symmetric", "asymmetric"), default="asymmetric")
    table.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="SEED")
    table.add_argument(
        "--one-seed", nargs="+", default=[], metavar="METHOD", help="these take the first seed only"
    )
    grid = kinds.add_parser("grid", help="LA-Net's hyper-parameters, one changed at a time")
    _add_common(grid)
    grid.add_argument("--noise", default="asymmetric:0.2", metavar="KIND:RATE")
    grid.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="SEED")


def _add_common(parser: Any) -> None:
    parser.add_argument(
        "--dataset", "--data", required=True, metavar="DIR", dest="data", help="prepared data set"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--budget", choices=_BUDGETS, default="cpu")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="METHOD:NAME=VALUE",
        help="change the runs of a method, or of all with '*', e.g. '*:epochs=8'",
    )
    parser.add_argument(
        "--split",
        choices=("test", "valid"),
        help="what the table is about; never chosen on (default: test, where the data set has it)",
    )
    parser.add_argument(
        "--holdout",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="share of the training images set aside to choose epochs on (default: %(default)s)",
    )
    parser.add_argument(
        "--noise-seed", type=int, metavar="N", help="one draw of the noise for all seeds"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of the network")
    parser.add_argument("--quiet", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Run the cells that are not finished and write the table so far."""
    import torch

    from lanet_trainer.comparison.benchmark import check_cells, run_cells
    from lanet_trainer.comparison.cells import BUDGETS, Option
    from lanet_trainer.comparison.report import write_grid, write_table
    from lanet_trainer.distributed import is_main, process_group
    from lanet_trainer.training.fit import plain_command
    from lanet_trainer.training.progress import ConsoleWatcher

    if args.threads is not None:
        if args.threads < 1:
            raise ConfigError("--threads must be at least 1.")
        torch.set_num_threads(args.threads)
    budget = BUDGETS[args.budget]
    cells = _cells(args, [Option.parse(text) for text in args.option])
    check_cells(cells)
    with process_group() as device:
        watcher = ConsoleWatcher(is_quiet=args.quiet or not is_main())
        with watcher:
            results = run_cells(cells, args.out, device=device, watcher=watcher)
        if is_main():
            args.out.mkdir(parents=True, exist_ok=True)
            write = write_table if args.kind == "table1" else write_grid
            title = _TITLES[args.kind]
            path = write(
                results, args.out, title=title, budget=budget, command=plain_command(sys.argv)
            )
            sys.stdout.write(f"{len(results)} of {len(cells)} cells are finished: {path}\n")
    if len(results) < len(cells):
        sys.stderr.write("Interrupted; the same command goes on from here.\n")
        return _EXIT_INTERRUPTED
    return _EXIT_OK


_TITLES = {
    "table1": "Methods under label noise",
    "grid": "LA-Net's hyper-parameters, one changed at a time",
}


def _cells(args: argparse.Namespace, options: list[Any]) -> list[Any]:
    from lanet_trainer.comparison.benchmark import choose_split
    from lanet_trainer.comparison.cells import BUDGETS, grid_cells, split_variant, table_cells
    from lanet_trainer.datasets.prepared import open_prepared

    budget = BUDGETS[args.budget]
    if not 0 < args.holdout < 1:
        raise ConfigError("--holdout must lie between 0 and 1.")
    fixed = {
        "holdout": args.holdout,
        "report_split": choose_split(open_prepared(args.data), args.split),
        "noise_seed": args.noise_seed,
    }
    if args.kind == "grid":
        return [
            cell
            for seed in args.seeds
            for cell in grid_cells(
                args.data,
                noise=args.noise,
                seed=seed,
                budget=budget,
                options=options,
                fixed=fixed,
            )
        ]
    for column in (*args.methods, *args.one_seed):
        split_variant(column)
    if not all(0 <= rate <= 1 for rate in args.rates):
        raise ConfigError("--rates lie in 0 to 1.")
    seeds = tuple(args.seeds)
    return table_cells(
        args.data,
        noises=[f"{args.noise}:{rate:g}" if rate else "none" for rate in args.rates],
        seeds_of={m: seeds[:1] if m in args.one_seed else seeds for m in args.methods},
        budget=budget,
        options=options,
        fixed=fixed,
    )
