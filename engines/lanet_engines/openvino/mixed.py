"""Keep the first half of a network in fp32 where OpenVINO computes the rest in bf16.

bf16 rounds to 8 bits. In the early layers, whose maps are large and whose channels are few, that
costs most of the accuracy (docs/engines.md has it layer by layer) and saves least, since most of
the weights lie behind them.
"""

import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import numpy as np
import openvino as ov

WEIGHTED_LAYERS: Final = ("Convolution", "GroupConvolution", "MatMul")
_STORED: Final = "Const"
# Written into OpenVINO's own file format, since its Python interface cannot set it: this layer's
# results are not to be converted to half precision, from whatever type. The CPU plugin takes it
# for bf16 as well.
_MARK: Final = {"name": "DisablePrecisionConversion", "version": "0", "value": "dynamic:f16"}


def keep_first_half(core: ov.Core, network: ov.Model) -> ov.Model:
    """Return the network with its layers up to the middle marked to be computed in fp32.

    The middle is counted in layers with weights, so that the rule fits any network.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        ov.serialize(network, path)
        root = ET.parse(path).getroot()
        weights = np.fromfile(path.with_suffix(".bin"), dtype=np.uint8)
    layers = root.findall("./layers/layer")
    n_weighted = sum(layer.get("type") in WEIGHTED_LAYERS for layer in layers)
    n_seen = 0
    for layer in layers:
        n_seen += layer.get("type") in WEIGHTED_LAYERS
        if n_seen > n_weighted // 2:
            break
        if layer.get("type") != _STORED:
            _mark(layer)
    return core.read_model(ET.tostring(root), ov.Tensor(weights))


def _mark(layer: ET.Element) -> None:
    info = layer.find("rt_info")
    if info is None:
        info = ET.Element("rt_info")
        layer.insert(0 if layer.find("data") is None else 1, info)
    ET.SubElement(info, "attribute", _MARK)
