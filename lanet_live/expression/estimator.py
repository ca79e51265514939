"""From aligned faces to calibrated expression distributions with their uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lanet_engines.base import Engine
from lanet_engines.errors import EngineError
from lanet_live.config import EstimatorConfig
from lanet_live.expression.prediction_sets import sets_of
from lanet_live.expression.uncertainty import mutual_information, normalised_entropy, softmax
from lanet_live.face.alignment import cut_crop, jitter_crop
from lanet_live.records import AlignedFace, ExpressionEstimate, F32Array, U8Array


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at a face: a change of framing on top of its alignment.

    Attributes:
        scale: Above 1 the face gets larger in the crop.
        shift: Right and down, as shares of the crop's side.
        is_mirrored: Left and right are swapped.
    """

    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    is_mirrored: bool = False


_STRAIGHT = View()
_MIRRORED = View(is_mirrored=True)
# Added when the disagreement is asked for: changes a human would not notice, so that an answer that
# depends on them is the model's own doubt.
_PERTURBED = (
    View(scale=1.05),
    View(scale=0.95, is_mirrored=True),
    View(shift=(0.03, 0.02)),
    View(shift=(-0.03, -0.02), is_mirrored=True),
)


class ExpressionEstimator:
    """Asks one engine about all faces of a frame at once.

    The probabilities come from the views the model was calibrated with (`ModelSpec.ensemble`) and
    do not change when the disagreement is switched on.
    """

    def __init__(self, engine: Engine, config: EstimatorConfig) -> None:
        spec = engine.spec
        self._engine = engine
        self._labels = spec.labels
        self._size_px = spec.input_size_px
        self._temperature = spec.temperature
        sets = spec.prediction_sets
        self._min_probabilities = None if sets is None else np.array(sets.min_probabilities)
        self.min_quality = spec.min_quality if config.min_quality is None else config.min_quality
        self.max_uncertainty = (
            spec.max_uncertainty if config.max_uncertainty is None else config.max_uncertainty
        )
        main_views = (_STRAIGHT, _MIRRORED) if spec.ensemble == "mirror" else (_STRAIGHT,)
        self._n_main_views = len(main_views)
        self._views = main_views
        if config.with_disagreement:
            mirror_if_missing = () if _MIRRORED in main_views else (_MIRRORED,)
            self._views = (*main_views, *mirror_if_missing, *_PERTURBED)

    def estimate(
        self, image_bgr: U8Array, faces: Sequence[AlignedFace]
    ) -> tuple[ExpressionEstimate, ...]:
        """Estimate the expression of every face with one engine call.

        Args:
            image_bgr: The frame the faces were cut from, (H, W, 3) uint8; the perturbed views of
                the disagreement are sampled from it.
            faces: Any number of them.

        Returns:
            One estimate per face, in the same order; `smoothed` is None.

        Raises:
            EngineError: The engine failed, or answered with values that are not finite.
        """
        if not faces:
            return ()
        crops = [self._cut_view(image_bgr, face, view) for view in self._views for face in faces]
        logits = self._engine.infer(np.stack(crops))
        if not np.isfinite(logits).all():
            raise EngineError(
                f"The model {self._engine.spec.name} answered with values that are not numbers; "
                "choose another precision or engine."
            )
        by_view = logits.reshape(len(self._views), len(faces), -1)  # (V, N, C)
        return self._judge(by_view, faces)

    def _judge(
        self, logits: F32Array, faces: Sequence[AlignedFace]
    ) -> tuple[ExpressionEstimate, ...]:
        """Turn the logits of all views, (V, N, C), into one estimate per face."""
        mean_logits = logits[: self._n_main_views].astype(np.float64).mean(axis=0)  # (N, C)
        probabilities = softmax(mean_logits, temperature=self._temperature)
        uncertainty = normalised_entropy(probabilities)  # (N,)
        sets: Sequence[tuple[str, ...]] = [()] * len(faces)
        if self._min_probabilities is not None:
            sets = sets_of(probabilities, self._min_probabilities, self._labels)
        disagreement = None
        if len(self._views) > self._n_main_views:
            disagreement = mutual_information(softmax(logits, temperature=self._temperature))
        return tuple(
            ExpressionEstimate(
                face_id=face.face_id,
                probabilities=probabilities[i],
                smoothed=None,
                uncertainty=float(uncertainty[i]),
                disagreement=None if disagreement is None else float(disagreement[i]),
                quality=face.quality,
                is_reliable=bool(
                    face.quality.value >= self.min_quality
                    and uncertainty[i] <= self.max_uncertainty
                ),
                labels=self._labels,
                prediction_set=sets[i],
            )
            for i, face in enumerate(faces)
        )

    def _cut_view(self, image_bgr: U8Array, face: AlignedFace, view: View) -> U8Array:
        """Return the crop of one view; the plain ones need no new sampling."""
        if view.scale == 1.0 and view.shift == (0.0, 0.0):
            return face.crop_bgr[:, ::-1] if view.is_mirrored else face.crop_bgr
        changed = jitter_crop(
            face.frame_to_crop,
            size_px=self._size_px,
            scale=view.scale,
            shift=view.shift,
            mirror=view.is_mirrored,
        )
        return cut_crop(image_bgr, changed, size_px=self._size_px)
