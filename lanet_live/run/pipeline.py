"""One frame in, one result out. The same object serves the window and the command line."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from lanet_engines.base import Engine, EngineInfo
from lanet_engines.spec import ModelSpec
from lanet_live.capture.base import SourceFacts
from lanet_live.config import FITTED, PipelineConfig
from lanet_live.expression.estimator import ExpressionEstimator
from lanet_live.expression.prior import Prior, resolve_prior
from lanet_live.expression.smoothing import ProbabilitySmoother
from lanet_live.expression.uncertainty import normalised_entropy
from lanet_live.face.alignment import cut_crop, estimate_frame_to_crop
from lanet_live.face.models import TrackerInfo
from lanet_live.face.quality import measure_quality
from lanet_live.records import (
    AlignedFace,
    ExpressionEstimate,
    F64Array,
    FaceTrack,
    Frame,
    FrameResult,
    PriorCorrected,
)
from lanet_live.sinks.metadata import RunSetup


class Tracker(Protocol):
    """What the pipeline needs of `lanet_live.face.tracker.FaceTracker`."""

    @property
    def info(self) -> TrackerInfo:
        """What runs the face models."""
        ...

    def update(self, frame: Frame) -> tuple[FaceTrack, ...]:
        """Return the faces of a frame by ascending id."""
        ...

    def close(self) -> None:
        """Release the landmarker. May be called twice."""
        ...


class Pipeline:
    """Tracks the faces of a frame, aligns them and estimates their expressions.

    `track` and `estimate` may be called from two threads, each always from the same one, so that
    the tracker works on the next frame while the engine works on this one.

    Args:
        tracker: For this source only; closed with the pipeline.
        engine: Ready to run; closed with the pipeline.
        config: Thresholds, views, smoothing and class shares.

    Raises:
        ConfigError: The model does not fit the class shares.
    """

    def __init__(self, tracker: Tracker, engine: Engine, config: PipelineConfig) -> None:
        self._tracker = tracker
        self._engine = engine
        self._estimator = ExpressionEstimator(engine, config.estimator)
        self._smoother: ProbabilitySmoother | None = None
        self.set_smoothing(config.smoothing_s)
        self._prior = resolve_prior(config.prior, engine.spec)
        # Written by the tracking thread, taken out by the estimating one.
        self._track_ms: dict[int, float] = {}

    @property
    def spec(self) -> ModelSpec:
        """The model's own description."""
        return self._engine.spec

    @property
    def engine_info(self) -> EngineInfo:
        """What runs the model."""
        return self._engine.info

    @property
    def tracker_info(self) -> TrackerInfo:
        """What finds and measures the faces."""
        return self._tracker.info

    @property
    def min_quality(self) -> float:
        """The threshold in force: below it an estimate is not reliable."""
        return self._estimator.min_quality

    @property
    def max_uncertainty(self) -> float:
        """The threshold in force: above it an estimate is not reliable."""
        return self._estimator.max_uncertainty

    def set_smoothing(self, time_constant_s: float | None) -> None:
        """Change the smoothing from the next frame on; None switches it off.

        Call it in the thread that calls `estimate`.
        """
        self._smoother = None if time_constant_s is None else ProbabilitySmoother(time_constant_s)

    @property
    def prior(self) -> Prior | None:
        """The class shares that are corrected to; None when they are left as fitted."""
        return self._prior

    def set_prior(self, prior: Prior | None) -> None:
        """Correct to other class shares from the next frame on; None leaves them as fitted.

        Call it in the thread that calls `estimate`.
        """
        self._prior = prior

    def describe(self, facts: SourceFacts) -> RunSetup:
        """Return what is known of the run now that source and pipeline are open."""
        prior = self._prior
        return RunSetup(
            facts=facts,
            spec=self.spec,
            engine=self.engine_info,
            tracker=self.tracker_info,
            min_quality=self.min_quality,
            max_uncertainty=self.max_uncertainty,
            prior=FITTED if prior is None else prior.name,
            prior_shares=None if prior is None else tuple(prior.shares.tolist()),
        )

    def process(self, frame: Frame) -> FrameResult:
        """Analyse one frame."""
        return self.estimate(frame, self.track(frame))

    def track(self, frame: Frame) -> tuple[FaceTrack, ...]:
        """Find the faces of a frame that can be aligned, by ascending id."""
        started_s = time.perf_counter()
        tracks = tuple(track for track in self._tracker.update(frame) if _is_alignable(track))
        self._track_ms[frame.index] = (time.perf_counter() - started_s) * 1000
        return tracks

    def estimate(
        self, frame: Frame, tracks: tuple[FaceTrack, ...], dropped_before: int = 0
    ) -> FrameResult:
        """Estimate the expressions of the faces `track` found in this frame.

        Args:
            frame: The frame.
            tracks: What `track` returned for it.
            dropped_before: Frames lost between the previous result and this one.
        """
        started_s = time.perf_counter()
        faces = [self._align(frame, track) for track in tracks]
        aligned_s = time.perf_counter()
        estimates = self._estimator.estimate(frame.image_bgr, faces)
        estimates = self._smooth(frame.timestamp_s, estimates)
        if self._prior is not None:
            estimates = _with_prior(estimates, self._prior)
        inferred_s = time.perf_counter()
        return FrameResult(
            frame=frame,
            tracks=tracks,
            estimates=estimates,
            stage_ms={
                "track": self._track_ms.pop(frame.index, 0.0),
                "align": (aligned_s - started_s) * 1000,
                "infer": (inferred_s - aligned_s) * 1000,
            },
            dropped_before=dropped_before,
        )

    def close(self) -> None:
        """Close the tracker and the engine. May be called twice."""
        try:
            self._tracker.close()
        finally:
            self._engine.close()

    def _align(self, frame: Frame, track: FaceTrack) -> AlignedFace:
        size_px = self._engine.spec.input_size_px
        frame_to_crop: F64Array = estimate_frame_to_crop(track.landmarks_px, size_px=size_px)
        return AlignedFace(
            face_id=track.face_id,
            crop_bgr=cut_crop(frame.image_bgr, frame_to_crop, size_px=size_px),
            frame_to_crop=frame_to_crop,
            quality=measure_quality(frame.image_bgr, track, frame_to_crop=frame_to_crop),
        )

    def _smooth(
        self, timestamp_s: float, estimates: tuple[ExpressionEstimate, ...]
    ) -> tuple[ExpressionEstimate, ...]:
        smoother = self._smoother
        if smoother is None:
            return estimates
        smoother.forget_gone(timestamp_s)
        return tuple(
            replace(
                estimate,
                smoothed=smoother.update(estimate.face_id, timestamp_s, estimate.probabilities),
            )
            for estimate in estimates
        )


def _with_prior(
    estimates: tuple[ExpressionEstimate, ...], prior: Prior
) -> tuple[ExpressionEstimate, ...]:
    corrected = [prior.correct(estimate.probabilities) for estimate in estimates]
    return tuple(
        replace(estimate, prior_corrected=PriorCorrected(row, float(normalised_entropy(row))))
        for estimate, row in zip(estimates, corrected, strict=True)
    )


PipelineFactory = Callable[[SourceFacts], Pipeline]
"""Called in the worker thread once the source is open; opens the tracker and the engine there."""


def _is_alignable(track: FaceTrack) -> bool:
    """Whether the landmarks span an area. Without one there is no crop, so there is no face."""
    landmarks = track.landmarks_px
    return bool(np.isfinite(landmarks).all() and np.ptp(landmarks, axis=0).min() > 1.0)
