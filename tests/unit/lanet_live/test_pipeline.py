from dataclasses import replace

import numpy as np
import pytest

from lanet_live.config import EstimatorConfig, PipelineConfig
from lanet_live.face.quality import REASONS
from lanet_live.records import FaceTrack
from lanet_live.run.pipeline import Pipeline
from tests.fakes import FakeEngine, FakeTracker, make_frame, make_spec, make_track


def make_pipeline(*tracks: FaceTrack, **config) -> Pipeline:
    return Pipeline(FakeTracker(tuple(tracks)), FakeEngine(), PipelineConfig(**config))


def test_process_estimates_every_face_in_its_order() -> None:
    pipeline = make_pipeline(make_track(2), make_track(5, center_xy=(90.0, 90.0)))
    result = pipeline.process(make_frame(3))
    assert [track.face_id for track in result.tracks] == [2, 5]
    assert [estimate.face_id for estimate in result.estimates] == [2, 5]
    assert result.frame.index == 3
    for estimate in result.estimates:
        assert estimate.probabilities.sum() == pytest.approx(1.0)
        assert 0 <= estimate.quality.value <= 1
        assert set(estimate.quality.reasons) <= set(REASONS)


def test_a_frame_without_a_face_has_an_empty_result() -> None:
    result = make_pipeline().process(make_frame())
    assert (result.tracks, result.estimates) == ((), ())


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_a_face_without_usable_landmarks_counts_as_not_found(value: float) -> None:
    broken = replace(make_track(0), landmarks_px=np.full((478, 2), value, dtype=np.float32))
    result = make_pipeline(broken, make_track(1)).process(make_frame())
    assert [track.face_id for track in result.tracks] == [1]
    assert [estimate.face_id for estimate in result.estimates] == [1]


def test_track_and_estimate_make_what_process_makes() -> None:
    frame = make_frame(4)
    whole = make_pipeline(make_track()).process(frame)
    pipeline = make_pipeline(make_track())
    parts = pipeline.estimate(frame, pipeline.track(frame), dropped_before=3)
    assert np.array_equal(whole.estimates[0].probabilities, parts.estimates[0].probabilities)
    assert (whole.dropped_before, parts.dropped_before) == (0, 3)


def test_the_time_of_every_stage_is_reported() -> None:
    pipeline = make_pipeline(make_track())
    stage_ms = pipeline.process(make_frame()).stage_ms
    assert set(stage_ms) == {"track", "align", "infer"}
    assert all(value > 0 for value in stage_ms.values())
    assert pipeline._track_ms == {}


def test_smoothing_is_beside_the_raw_values_and_can_be_switched() -> None:
    pipeline = make_pipeline(make_track(), smoothing_s=0.5)
    raw = make_pipeline(make_track())
    for index in range(3):
        smooth_result = pipeline.process(make_frame(index * 10))
        raw_result = raw.process(make_frame(index * 10))
    (smoothed,), (plain,) = smooth_result.estimates, raw_result.estimates
    assert plain.smoothed is None
    assert np.array_equal(smoothed.probabilities, plain.probabilities)
    assert smoothed.smoothed is not None
    assert not np.allclose(smoothed.smoothed, smoothed.probabilities)
    assert smoothed.smoothed.sum() == pytest.approx(1.0)
    pipeline.set_smoothing(None)
    assert pipeline.process(make_frame(40)).estimates[0].smoothed is None


def test_thresholds_in_force_are_told() -> None:
    engine = FakeEngine(make_spec(min_quality=0.1, max_uncertainty=0.2))
    config = PipelineConfig(EstimatorConfig(max_uncertainty=0.5))
    pipeline = Pipeline(FakeTracker(()), engine, config)
    assert (pipeline.min_quality, pipeline.max_uncertainty) == (0.1, 0.5)
    assert pipeline.spec is engine.spec
    assert pipeline.engine_info is engine.info


def test_close_closes_tracker_and_engine_and_may_be_called_twice() -> None:
    tracker, engine = FakeTracker(()), FakeEngine()
    pipeline = Pipeline(tracker, engine, PipelineConfig())
    pipeline.close()
    pipeline.close()
    assert tracker.is_closed
    assert engine.is_closed
