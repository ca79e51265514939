"""Prove that two engines compute the same model: same crops in, answers compared."""

from dataclasses import asdict, dataclass

import numpy as np

from lanet_engines.base import Engine, F32Array, U8Array


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How far an engine's answers lie from the reference's.

    Attributes:
        backend: Engine that was compared.
        precision: Its precision.
        device: Its device.
        reference: Backend and precision it was compared with.
        n: Crops compared.
        max_abs_dp: Largest difference of any calibrated probability.
        top1_agreement: Share of crops with the same most probable class, 0 to 1.
    """

    backend: str
    precision: str
    device: str
    reference: str
    n: int
    max_abs_dp: float
    top1_agreement: float

    @property
    def sentence(self) -> str:
        """The figures in words, after "against"."""
        return (
            f"{self.reference}: max |dp| {self.max_abs_dp:.1e}, "
            f"top-1 {self.top1_agreement:.2%} on {self.n} crops"
        )

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the report as plain values for JSON."""
        return asdict(self)


def compare(engine: Engine, reference: Engine, crops_bgr: U8Array) -> ParityReport:
    """Run the same crops through both engines.

    Args:
        engine: The one to judge.
        reference: As a rule ONNX Runtime in fp32.
        crops_bgr: (N, S, S, 3) uint8; real faces, since random pixels hide rounding.

    Returns:
        The differences of the probabilities the app shows: over the views the model averages, with
        its temperature.

    Raises:
        EngineInputError: The crops do not fit the model.
        ValueError: The engines run different models.
    """
    if engine.info.model_sha256 != reference.info.model_sha256:
        raise ValueError("the engines run different models")
    given = answer(engine, crops_bgr)
    wanted = answer(reference, crops_bgr)
    return ParityReport(
        backend=engine.info.backend,
        precision=engine.info.precision,
        device=engine.info.device,
        reference=f"{reference.info.backend} {reference.info.precision}",
        n=len(crops_bgr),
        max_abs_dp=float(np.abs(given - wanted).max()),
        top1_agreement=float((given.argmax(axis=1) == wanted.argmax(axis=1)).mean()),
    )


def answer(engine: Engine, crops_bgr: U8Array) -> F32Array:
    """Compute the calibrated probabilities of crops, (N, C), over the views the model averages."""
    logits = engine.infer(crops_bgr)
    if engine.spec.ensemble == "mirror":
        logits = (logits + engine.infer(crops_bgr[:, :, ::-1])) / np.float32(2)
    return softmax(logits, engine.spec.temperature)


def softmax(logits: F32Array, temperature: float) -> F32Array:
    """Divide by the temperature and apply softmax along the last axis, (N, C) float32."""
    scaled = logits / np.float32(temperature)
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    probabilities: F32Array = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
