"""A run's network behind the app's engine interface, so that both are measured by one code."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lanet_engines.base import EngineInfo, F32Array, U8Array
from lanet_engines.preprocessing import preprocess
from lanet_engines.spec import ModelSpec
from lanet_trainer.training.run_folder import load_network


class TorchEngine:
    """Runs a network in float32."""

    def __init__(self, network: nn.Module, spec: ModelSpec, *, weights_sha256: str = "") -> None:
        self._network = network
        self._device = next(network.parameters()).device
        self._spec = spec
        self._info = EngineInfo(
            backend="torch",
            device=str(self._device),
            precision="fp32",
            runtime_version=torch.__version__,
            model_sha256=weights_sha256,
        )

    @classmethod
    def from_run(cls, folder: Path, *, weights: str = "best") -> "TorchEngine":
        """Open the network of a run."""
        network, spec = load_network(folder, weights=weights)
        content = (folder / f"{weights}.safetensors").read_bytes()
        return cls(network, spec, weights_sha256=hashlib.sha256(content).hexdigest())

    @property
    def spec(self) -> ModelSpec:
        """The model's description."""
        return self._spec

    @property
    def info(self) -> EngineInfo:
        """What runs it."""
        return self._info

    def infer(self, crops_bgr: U8Array) -> F32Array:
        """Run the network on crops, (N, S, S, 3) uint8; logits, (N, C) float32."""
        batch = torch.from_numpy(preprocess(crops_bgr, self._spec)).to(self._device)
        with torch.inference_mode():
            logits = self._network(batch).float().cpu().numpy()
        return np.asarray(logits, dtype=np.float32)

    def close(self) -> None:
        """Nothing is held that needs freeing."""
