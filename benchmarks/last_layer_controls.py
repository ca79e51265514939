"""What each data set gives to a refitted last layer: with one of two sets left out, and with both.

    python benchmarks/last_layer_controls.py model.onnx --data data/ferplus data/wild

Every cell has the same number of training pictures, drawn at random for each seed, and is fitted by
the code of `lanet-train refit`. Measured on all validation crops of both sets, uncalibrated. The
features have seen what the model was trained on: only the last layer has a domain left out.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_live.expression.uncertainty import softmax
from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.export.refit import Lesson, Seen, class_weights, refit, see, trusted_partly
from lanet_trainer.metrics import Judged, accuracy, area_under_risk_coverage, mean_class_accuracy
from lanet_trainer.training.training_data import vote_shares

CELLS = {"first set only": (1.0, 0.0), "second set only": (0.0, 1.0), "both": (0.5, 0.5)}


def main() -> int:
    """Fit and measure every cell and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", nargs=2, required=True, metavar="DIR")
    parser.add_argument("--assumed-noise", nargs=2, type=float, default=[0.0, 0.2])
    parser.add_argument("--balance", nargs=2, type=float, default=[0.0, 0.25])
    parser.add_argument("--decay", type=float, default=4e-3)
    parser.add_argument("--pictures", type=int, default=6000, help="of a cell")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what the network sees here")
    args = parser.parse_args()
    model = read_model_file(args.model)
    train, valid = [], []
    for number, folder in enumerate(args.data):
        train.append(taught(model, folder, number, args))
        valid.append(look(model, folder, "valid", args.keep))
    names = [Path(folder).name for folder in args.data]
    heads = " | ".join(f"{name}: accuracy | mean class | AURC" for name in names)
    print(f"| {args.pictures} pictures, seed | {heads} |")
    print("|---" * 7 + "|")
    print(f"| as it is | {' | '.join(cells(*part) for part in valid)} |")
    for name, shares in CELLS.items():
        for seed in args.seeds:
            lessons = [
                part(lesson, round(share * args.pictures), seed)
                for lesson, share in zip(train, shares, strict=True)
                if share
            ]
            weight, bias = refit(lessons, decay=args.decay)
            changed = [
                (Seen(seen.features, seen.logits + seen.features @ weight.T + bias), labels)
                for seen, labels in valid
            ]
            print(f"| {name}, {seed} | {' | '.join(cells(*x) for x in changed)} |", flush=True)
    return 0


def look(
    model: ModelFile, folder: str, split_name: str, keep: Path | None
) -> tuple[Seen, np.ndarray]:
    """Return what the network sees of the labelled pictures of a split, and their labels."""
    split = open_prepared(folder).split(split_name).with_classes(model.spec.labels)
    split = split.select(np.flatnonzero(split.label >= 0))
    kept = None if keep is None else keep / f"{Path(folder).name}-{split_name}.npz"
    if kept is not None and kept.exists():
        with np.load(kept) as values:
            return Seen(values["features"], values["logits"]), split.label
    seen = see(model, split)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, features=seen.features, logits=seen.logits)
    return seen, split.label


def taught(model: ModelFile, folder: str, number: int, args: argparse.Namespace) -> Lesson:
    """Return what the training pictures of a set teach."""
    seen, labels = look(model, folder, "train", args.keep)
    split = open_prepared(folder).split("train").with_classes(model.spec.labels)
    targets = vote_shares(split.select(np.flatnonzero(split.label >= 0))).astype(np.float32)
    noise = args.assumed_noise[number]
    if noise:
        targets = trusted_partly(targets, seen, assumed_noise=noise)
    return Lesson(seen, targets, class_weights(labels, balance=args.balance[number]), 1.0)


def part(lesson: Lesson, n_pictures: int, seed: int) -> Lesson:
    """Draw so many pictures, each with its mirror image."""
    n = len(lesson.weights)
    chosen = np.random.default_rng(seed).choice(n, min(n, n_pictures), replace=False)
    both = np.concatenate([chosen, chosen + n])
    seen = Seen(lesson.seen.features[both], lesson.seen.logits[both])
    return Lesson(seen, lesson.targets[chosen], lesson.weights[chosen], lesson.weight)


def cells(seen: Seen, labels: np.ndarray) -> str:
    """Return the three figures of one data set; logits are averaged over the mirror image."""
    straight, mirrored = np.split(seen.logits, 2)
    judged = Judged(softmax((straight + mirrored) / 2), labels)
    return (
        f"{100 * accuracy(judged):.1f} % | {100 * mean_class_accuracy(judged):.1f} % | "
        f"{area_under_risk_coverage(judged):.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())
