"""Train on your own pictures, a folder a class, and write a model the app opens.

    python examples/train_on_a_folder.py PICTURES --out runs/mine
    lanet-live --video clip.mp4 --model runs/mine/model.onnx --export csv

PICTURES/happiness/anything.jpg is a picture of class happiness. The three steps are the commands
`lanet-train prepare folder`, `fit` and `export`; `lanet-train COMMAND --help` has their options.
"""

import argparse
import sys
from pathlib import Path

from lanet_trainer.commands.main import main as lanet_train


def main() -> int:
    """Prepare, train, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/mine"))
    parser.add_argument("--method", default="lanet")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", default="96", help="side of the crops in pixels")
    parser.add_argument("--epochs", default="30")
    parser.add_argument("--batch-size", default="32")
    args = parser.parse_args()

    data, run = args.out / "data", args.out / "run"
    prepare = ["prepare", "folder", "--root", args.pictures, "--out", data, "--valid-share", "0.2"]
    fit = ["fit", "--data", data, "--out", run, "--resume", "--recipe", "quick"]
    for name in ("method", "backbone", "size", "epochs", "batch_size"):
        fit += [f"--{name.replace('_', '-')}", getattr(args, name)]
    export = ["export", run, "-o", args.out / "model.onnx"]
    for step in (prepare, fit, export):
        code = lanet_train([str(word) for word in step])
        if code:
            return code
    return 0


if __name__ == "__main__":  # Preparation starts processes, which import this file again.
    sys.exit(main())
