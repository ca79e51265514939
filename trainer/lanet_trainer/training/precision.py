"""Number formats of training: float32, or autocast to bfloat16 or float16."""

import contextlib
from dataclasses import dataclass
from typing import Any

import torch

from lanet_trainer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Precision:
    """A number format on a device.

    Attributes:
        name: "fp32", "bf16" or "fp16".
        device_type: "cpu" or "cuda".
    """

    name: str
    device_type: str

    @classmethod
    def choose(cls, name: str, device: torch.device) -> "Precision":
        """Check a format by name; "auto" takes bfloat16 where the hardware multiplies in it.

        Raises:
            ConfigError: float16 without a GPU: its gradients underflow and the CPU gains nothing.
        """
        if name == "fp16" and device.type != "cuda":
            raise ConfigError("--precision fp16 needs a GPU; take bf16 or fp32 on the CPU.")
        if name == "auto":
            name = "bf16" if _has_fast_bfloat16(device) else "fp32"
        return cls(name, device.type)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context a forward pass runs in."""
        dtype = torch.float16 if self.name == "fp16" else torch.bfloat16
        return torch.autocast(self.device_type, dtype=dtype, enabled=self.name != "fp32")

    def scaler(self) -> torch.amp.GradScaler:
        """Return the loss scaler; it does nothing except for float16."""
        return torch.amp.GradScaler(self.device_type, enabled=self.name == "fp16")


def _has_fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
