"""A network: named arrays in, named arrays out, on one runtime.

`lanet_engines.base.Engine` is the expression model, with its labels and its calibration. This is
less: what any model needs that an application runs beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import EngineInfo

F32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PictureInput:
    """An input that is a picture; it is given as uint8 and the runtime converts it.

    Attributes:
        low: What the network is to see for 0.
        high: What it is to see for 255.
    """

    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A network as it is shipped.

    Attributes:
        name: For messages.
        content: Of a TensorFlow Lite file whose first axis, of every input and output, counts the
            items of a batch.
        sha256: Of the file it came in, hex.
        pictures: Its inputs that are pictures, by name: (N, H, W, 3), which the network takes in
            RGB and the caller gives in BGR.
        batch_sizes: Batches it is compiled for, ascending, beginning with 1; larger ones are put
            together out of them. A network of fixed shape has 1 alone.
    """

    name: str
    content: bytes
    sha256: str
    pictures: Mapping[str, PictureInput]
    batch_sizes: tuple[int, ...] = (1,)


class Network(Protocol):
    """One network on one runtime. Opened, used and closed by one thread at a time."""

    @property
    def info(self) -> EngineInfo:
        """What runs it."""
        ...

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, F32Array]:
        """Run the network on a batch.

        Args:
            arrays: Every input by name, (N, ...), N >= 1, C-contiguous; uint8 for pictures, float32
                for the rest.

        Returns:
            Every output by name, the items of the batch along the first axis; owned by the caller.

        Raises:
            EngineInputError: An input is missing, or of another shape or dtype.
            EngineError: The runtime failed.
        """
        ...

    def close(self) -> None:
        """Free the runtime's resources. May be called twice."""
        ...
