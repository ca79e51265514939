"""An engine of your own, and how to see that it computes what OpenVINO computes.

    python examples/add_an_engine.py

This one lets onnx's reference implementation run the graph in numpy: slow, but complete. `probe`
and `open_model` are all that a plug-in engine offers. Move them into a package with the lines

    [project.entry-points."lanet_live.engines"]
    numpy = "your_package.your_module"

in its pyproject.toml, and `lanet-live --engine numpy` uses it (docs/plugins.md).
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from lanet_engines.base import Engine, EngineInfo, F32Array, U8Array
from lanet_engines.errors import BackendUnavailable
from lanet_engines.onnx_model.file import ModelFile, read_model_file
from lanet_engines.options import OpenOptions
from lanet_engines.preprocessing import preprocess
from lanet_engines.registry import open_engine

SHIPPED = Path(__file__).resolve().parents[1] / "assets" / "models" / "lanet-live.onnx"


def probe() -> tuple[str, tuple[str, ...]]:
    """Return the runtime's version and its devices."""
    return onnx.__version__, ("CPU",)


def open_model(model: ModelFile, options: OpenOptions) -> Engine:
    """Open a model that was read and checked."""
    if options.precision not in (None, "fp32"):
        raise BackendUnavailable(f"numpy computes in fp32 only, not in {options.precision}.")
    return NumpyEngine(model)


class NumpyEngine:
    """One model in numpy. Meets `lanet_engines.base.Engine`."""

    def __init__(self, model: ModelFile) -> None:
        self.spec = model.spec
        self.info = EngineInfo("numpy", "CPU", "fp32", onnx.__version__, model.sha256)
        self._session = ReferenceEvaluator(onnx.load_from_string(model.content))

    def infer(self, crops_bgr: U8Array) -> F32Array:
        """Return the logits, (N, C), of crops, (N, S, S, 3) uint8."""
        crops = preprocess(crops_bgr, self.spec)
        logits: F32Array = self._session.run(None, {"crops": crops})[0].astype(np.float32)
        return logits

    def close(self) -> None:
        """Hold nothing that must be freed."""


def main() -> None:
    """Compare the engine with OpenVINO on random crops."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED)
    args = parser.parse_args()

    mine = open_model(read_model_file(args.model), OpenOptions())
    theirs = open_engine(args.model, backend="openvino")
    side = mine.spec.input_size_px
    crops = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    difference = np.abs(mine.infer(crops) - theirs.infer(crops)).max()
    print(f"Greatest difference of a logit: {difference:.2g}")
    theirs.close()
    mine.close()


if __name__ == "__main__":
    main()
