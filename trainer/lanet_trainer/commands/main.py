"""The command `lanet-train`.

Every subcommand lives in a module of its own with `add_arguments(parser)` and `run(args) -> int`;
only the module of the chosen one is imported, so that help is quick and a missing package is named
by the command that needs it.
"""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from types import ModuleType

from lanet_engines.errors import EngineError
from lanet_engines.storage.library_caches import keep_library_caches_together
from lanet_live import __version__
from lanet_live.errors import LanetLiveError
from lanet_trainer.errors import TrainerError

EXIT_OK = 0
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130

# Name -> (module, summary).
_COMMANDS = {
    "prepare": ("lanet_trainer.commands.prepare", "turn a data set on disk into training crops"),
    "fit": ("lanet_trainer.commands.fit", "train a network"),
    "evaluate": ("lanet_trainer.commands.evaluate", "measure a run, a model file or a table"),
    "judge": (
        "lanet_trainer.commands.judge",
        "measure several models side by side on several data sets",
    ),
    "refit": (
        "lanet_trainer.commands.refit",
        "fit the classifier of an exported model anew on further data sets",
    ),
    "calibrate": (
        "lanet_trainer.commands.calibrate",
        "fit a model's confidence and thresholds on several data sets",
    ),
    "reliability": (
        "lanet_trainer.commands.reliability",
        "find out when a model knows that it is wrong, and choose its thresholds",
    ),
    "export": (
        "lanet_trainer.commands.export",
        "write a run's network as an ONNX model for the app",
    ),
    "build": ("lanet_trainer.commands.build", "compile an ONNX model for a runtime"),
    "benchmark": ("lanet_trainer.commands.benchmark", "repeat the papers' comparisons"),
    "labels": ("lanet_trainer.commands.labels", "report suspect labels of a LA-Net run"),
}
# Packages of the [train] extra, by the name they are imported under.
_TRAIN_EXTRA = (
    "torch",
    "torchvision",
    "timm",
    "torchmetrics",
    "safetensors",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "pandas",
    "matplotlib",
    "tensorboard",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        0 when it did its work, 2 when it refused with one sentence, 130 when it was interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    keep_library_caches_together()
    try:
        parser, module = _build_parser(arguments)
        args = parser.parse_args(arguments)
        if module is None:
            parser.print_help()
            return EXIT_REFUSED
        code: int = module.run(args)
    except (TrainerError, LanetLiveError, EngineError) as error:
        sys.stderr.write(f"lanet-train: {error}\n")
        return EXIT_REFUSED
    except ModuleNotFoundError as error:
        sys.stderr.write(f"lanet-train: {_name_missing_extra(error)}\n")
        return EXIT_REFUSED
    except KeyboardInterrupt:
        sys.stderr.write("lanet-train: interrupted.\n")
        return EXIT_INTERRUPTED
    return code


def _build_parser(arguments: list[str]) -> tuple[argparse.ArgumentParser, ModuleType | None]:
    """Build the parser, with the options of the chosen subcommand only."""
    parser = argparse.ArgumentParser(
        prog="lanet-train",
        description="Train, measure and export expression models that bear label noise.",
        epilog="'lanet-train COMMAND --help' explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"lanet-train {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    module = None
    for name, (module_name, summary) in _COMMANDS.items():
        sentence = f"{summary[0].upper()}{summary[1:]}."
        subparser = subparsers.add_parser(name, help=summary, description=sentence)
        if name == chosen:
            module = importlib.import_module(module_name)
            module.add_arguments(subparser)
    return parser, module


def _name_missing_extra(error: ModuleNotFoundError) -> str:
    """Say what to install; anything but a package of the extra is a bug and is raised again."""
    package = (error.name or "").partition(".")[0]
    if package not in _TRAIN_EXTRA:
        raise error
    return (
        f"The package {package} is not installed; training needs the [train] extra: "
        "pip install 'lanet-live[train]'."
    )


if __name__ == "__main__":
    sys.exit(main())
