"""Write an inference network as one ONNX file that brings its own description, and prove it."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from engines.onnx_file import INPUT_NAME, OUTPUT_NAME, read_model_file
from engines.registry import open_engine
from engines.spec import METADATA_KEY, ModelSpec
from trainer.errors import ConfigError, TrainerError
from trainer.torch_engine import TorchEngine

# Read by OpenVINO, ONNX Runtime and TensorRT alike.
OPSET = 18
# Largest difference of a logit, relative to the largest logit: float32 sums in another order.
TOLERANCE = 1e-4
_N_PROBES = 5


def export_onnx(network: nn.Module, spec: ModelSpec, path: Path) -> float:
    """Write the network and its description; check the file against the network.

    Args:
        network: In evaluation mode, on the CPU.
        spec: Goes into the file.
        path: The `.onnx` file; it appears only when everything was right.

    Returns:
        The largest difference of a logit between file and network, relative to the largest logit.

    Raises:
        ConfigError: The file cannot be written.
        TrainerError: The file does not compute what the network computes.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            draft = Path(folder) / path.name
            _write(network, spec, draft)
            difference = measure_difference(network, spec, draft)
            if difference > TOLERANCE:
                raise TrainerError(
                    f"The exported model differs from the network by {difference:.1e} of its "
                    f"largest logit ({TOLERANCE:.0e} is allowed); '{path}' was not written."
                )
            draft.replace(path)
    except OSError as error:
        raise ConfigError(f"The model cannot be written to '{path}': {error}") from error
    return difference


def _write(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    side = spec.input_size_px
    example = torch.zeros(2, 3, side, side)
    with warnings.catch_warnings():
        # The exporter warns of its own internals; what it wrote is checked below.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            path,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    del model.metadata_props[:]
    for node in model.graph.node:
        # The exporter notes down where each operator came from, with paths of this machine.
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, spec.to_json()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def measure_difference(network: nn.Module, spec: ModelSpec, path: Path) -> float:
    """Run random crops through network and file; return the largest relative difference."""
    side = spec.input_size_px
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (_N_PROBES, side, side, 3), dtype=np.uint8)
    wanted = TorchEngine(network, spec).infer(crops)
    if read_model_file(path).spec != spec:
        raise TrainerError("The exported model does not carry the description it was given.")
    engine = open_engine(path, backend="onnxruntime")
    try:
        found = np.concatenate([engine.infer(crops[:1]), engine.infer(crops[1:])])
    finally:
        engine.close()
    return float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max()))
