"""OpenVINO's devices: what they can compute in, and how a network is compiled for them."""

from typing import Final

import openvino as ov

from lanet_engines.errors import BackendUnavailable
from lanet_engines.options import OpenOptions
from lanet_engines.storage.cache import EngineCache

BACKEND: Final = "openvino"
# Types that OpenVINO converts an fp32 model to when it compiles it.
HINTS: Final = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}
_CAPABILITIES: Final = {"fp32": "FP32", "fp16": "FP16", "bf16": "BF16", "int8": "INT8"}


def choose_precision(core: ov.Core, device: str, wanted: str | None) -> str:
    """Return the precision to compute in: fp32 by default, fp16 where a device has no fp32."""
    names = core.available_devices
    if device not in names and device not in {name.split(".")[0] for name in names}:
        raise BackendUnavailable(
            f"OpenVINO has no device {device!r} here; it has {', '.join(names)}."
        )
    offered = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    if wanted is None:
        return "fp32" if "FP32" in offered else "fp16"
    if _CAPABILITIES[wanted] not in offered:
        possible = [name for name, capability in _CAPABILITIES.items() if capability in offered]
        raise BackendUnavailable(
            f"{describe_device(core, device)} does not compute in {wanted}; "
            f"it computes in {', '.join(possible)}."
        )
    return wanted


def runtime_properties(device: str, precision: str, options: OpenOptions) -> dict[str, object]:
    """Return what a network is compiled with."""
    properties: dict[str, object] = {
        "PERFORMANCE_HINT": options.hint.upper(),
        # Written out because OpenVINO takes bf16 by itself on CPUs that have it.
        # What an int8 model leaves unquantised stays fp32.
        "INFERENCE_PRECISION_HINT": HINTS.get(precision, "f32"),
    }
    if not device.startswith("CPU"):
        # Compiling for a GPU or an NPU takes many seconds. For a CPU it takes a tenth of one, and
        # the cache, a second copy of the weights, saves half of that at best.
        properties["CACHE_DIR"] = str(EngineCache(options.cache_folder).runtime_folder(BACKEND))
    elif options.threads is not None:
        properties["INFERENCE_NUM_THREADS"] = options.threads
        # Pinned, the threads of two networks would share the first core and leave the others idle.
        properties["ENABLE_CPU_PINNING"] = False
    return properties


def describe_device(core: ov.Core, device: str) -> str:
    """Return a device's short and full name."""
    return f"{device} ({core.get_property(device, 'FULL_DEVICE_NAME').strip()})"


def version() -> str:
    """Return OpenVINO's version."""
    return str(ov.__version__).split("-")[0]


def first_line(error: Exception) -> str:
    """OpenVINO's errors begin with the place in its sources; the last line names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
