"""The proof beside a built engine that it computes the same model: `parity.json`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lanet_engines.base import U8Array
from lanet_engines.errors import BackendUnavailable, EngineError
from lanet_engines.onnx_model.file import ModelFile
from lanet_engines.options import OpenOptions
from lanet_engines.parity import ParityReport, compare
from lanet_engines.registry import open_with_options
from lanet_engines.spec import ModelSpec
from lanet_engines.storage.artefact import read_artefact

REPORT_NAME: Final = "parity.json"


@dataclass(frozen=True, slots=True)
class BuildParity:
    """What was found out about a built engine.

    Attributes:
        report: The built engine against the reference; None if it does not run here.
        reason: Why it was not measured; else empty.
        graph_report: For TensorRT: the graph it was given, with its precision written in, computed
            by ONNX Runtime; shows what the precision costs where there is no GPU.
        crops: Where the crops came from.
    """

    report: ParityReport | None
    reason: str
    graph_report: ParityReport | None
    crops: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "engine": self.report.to_dict() if self.report else None,
            "not_measured_because": self.reason,
            "graph_on_onnxruntime": self.graph_report.to_dict() if self.graph_report else None,
            "crops": self.crops,
        }


def measure_parity(
    folder: Path, model: ModelFile, crops_bgr: U8Array, *, crops_source: str
) -> BuildParity:
    """Compare a built engine with ONNX Runtime in fp32 and write `parity.json` beside it.

    Args:
        folder: A built engine.
        model: The model it was built from.
        crops_bgr: (N, S, S, 3) uint8.
        crops_source: What they are, for the report.

    Returns:
        The findings.

    Raises:
        ArtefactError: The folder is not a usable built engine.
        EngineError: The engine opens but fails while running.
    """
    artefact = read_artefact(folder)
    try:
        from lanet_engines.onnxruntime.engine import open_reference
    except ImportError:
        reason = "the reference is missing; install it with: pip install 'lanet-live[onnxruntime]'"
        return _write(folder, BuildParity(None, reason, None, crops_source))
    reference = open_reference(model)
    try:
        report, reason = None, ""
        try:
            engine = open_with_options(folder, OpenOptions(max_batch=artefact.max_batch))
        except BackendUnavailable as error:
            reason = str(error)
        else:
            report = compare(engine, reference, crops_bgr)
            engine.close()
        graph_report = None
        if artefact.backend == "tensorrt":
            graph_report = _compare_graph(model, artefact.precision, reference, crops_bgr)
    finally:
        reference.close()
    return _write(folder, BuildParity(report, reason, graph_report, crops_source))


def make_probe_crops(spec: ModelSpec, *, n: int = 64, seed: int = 0) -> U8Array:
    """Make smooth random pictures, for when no faces are at hand, (n, S, S, 3) uint8."""
    rng = np.random.default_rng(seed)
    side = spec.input_size_px
    coarse = rng.uniform(0, 255, (n, 6, 6, 3))
    # Linear interpolation of 6x6 random colours: contrasts at the scale of a face's parts.
    position = np.linspace(0, 5, side)
    left = np.minimum(position.astype(int), 4)
    weight = (position - left)[:, None, None]
    rows = coarse[:, left] * (1 - weight) + coarse[:, left + 1] * weight  # (n, S, 6, 3)
    weight = (position - left)[:, None]
    crops = rows[:, :, left] * (1 - weight) + rows[:, :, left + 1] * weight  # (n, S, S, 3)
    pictures: U8Array = crops.astype(np.uint8, order="C")
    return pictures


def _compare_graph(
    model: ModelFile, precision: str, reference: Any, crops_bgr: U8Array
) -> ParityReport | None:
    from lanet_engines.onnxruntime.engine import open_graph
    from lanet_engines.tensorrt.build import prepare_onnx

    try:
        graph = open_graph(model, prepare_onnx(model, precision), precision)
    except EngineError:
        return None  # this build of ONNX Runtime does not compute in the precision
    report = compare(graph, reference, crops_bgr)
    graph.close()
    return report


def _write(folder: Path, parity: BuildParity) -> BuildParity:
    text = json.dumps(parity.to_dict(), indent=2)
    (folder / REPORT_NAME).write_text(text + "\n", encoding="utf-8")
    return parity
