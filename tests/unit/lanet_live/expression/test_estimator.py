import numpy as np
import pytest

from lanet_engines.errors import EngineError
from lanet_live.config import EstimatorConfig
from lanet_live.expression.estimator import ExpressionEstimator
from lanet_live.expression.uncertainty import mutual_information, normalised_entropy, softmax
from lanet_live.face.alignment import align_face
from lanet_live.records import AlignedFace, Quality
from tests.fakes import FakeEngine, make_frame, make_landmarks, make_spec

IMAGE = make_frame(3).image_bgr


def make_face(face_id: int = 0, *, center_xy=(160.0, 120.0), quality: float = 0.9) -> AlignedFace:
    landmarks = make_landmarks(center_xy)
    crop, frame_to_crop = align_face(IMAGE, landmarks, size_px=32)
    return AlignedFace(face_id, crop, frame_to_crop, Quality(quality))


def estimate(engine: FakeEngine, *faces: AlignedFace, **config):
    return ExpressionEstimator(engine, EstimatorConfig(**config)).estimate(IMAGE, faces)


def test_no_face_needs_no_engine() -> None:
    engine = FakeEngine()
    assert estimate(engine) == ()
    assert engine.batches == []


def test_all_faces_and_views_go_through_one_batch() -> None:
    engine = FakeEngine(make_spec(ensemble="mirror"))
    estimate(engine, make_face(0), make_face(1), make_face(2), with_disagreement=True)
    assert [len(batch) for batch in engine.batches] == [18]


def test_probabilities_are_the_tempered_softmax_of_the_logits() -> None:
    engine = FakeEngine(make_spec(temperature=1.7))
    face = make_face()
    (answer,) = estimate(engine, face)
    expected = softmax(engine.infer(face.crop_bgr[None]), temperature=1.7)[0]
    assert np.allclose(answer.probabilities, expected)
    assert answer.uncertainty == pytest.approx(float(normalised_entropy(expected)))
    assert answer.labels == engine.spec.labels
    assert answer.smoothed is None


def test_mirror_ensemble_averages_the_logits_of_both_views() -> None:
    engine = FakeEngine(make_spec(ensemble="mirror"))
    face = make_face(center_xy=(200.0, 90.0))
    (answer,) = estimate(engine, face)
    both = np.stack([face.crop_bgr, face.crop_bgr[:, ::-1]])
    assert np.allclose(answer.probabilities, softmax(engine.infer(both).mean(axis=0)))


def test_answers_belong_to_the_faces_in_their_order() -> None:
    engine = FakeEngine()
    faces = [make_face(4, center_xy=(90.0, 80.0)), make_face(7, center_xy=(230.0, 150.0))]
    together = estimate(engine, *faces)
    assert [answer.face_id for answer in together] == [4, 7]
    for face, answer in zip(faces, together, strict=True):
        (alone,) = estimate(engine, face)
        assert np.allclose(alone.probabilities, answer.probabilities)


@pytest.mark.parametrize("ensemble", ["none", "mirror"])
def test_disagreement_leaves_the_probabilities_alone(ensemble: str) -> None:
    engine = FakeEngine(make_spec(ensemble=ensemble))
    (without,) = estimate(engine, make_face())
    (with_it,) = estimate(engine, make_face(), with_disagreement=True)
    assert without.disagreement is None
    assert np.allclose(without.probabilities, with_it.probabilities)
    assert 0 < with_it.disagreement < 1


def test_disagreement_is_the_mutual_information_of_six_distinct_views() -> None:
    engine = FakeEngine()
    (answer,) = estimate(engine, make_face(), with_disagreement=True)
    (batch,) = engine.batches
    assert len({crop.tobytes() for crop in batch}) == 6
    expected = mutual_information(softmax(engine.infer(batch)))
    assert answer.disagreement == pytest.approx(float(expected))


def test_disagreement_of_a_model_that_always_says_the_same_is_zero() -> None:
    engine = FakeEngine()
    engine._weights[:] = 0
    (answer,) = estimate(engine, make_face(), with_disagreement=True)
    assert answer.disagreement == pytest.approx(0.0, abs=1e-9)
    assert answer.uncertainty == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("config", "quality", "is_reliable"),
    [
        ({"min_quality": 0.5, "max_uncertainty": 1.0}, 0.5, True),
        ({"min_quality": 0.5, "max_uncertainty": 1.0}, 0.49, False),
        ({"min_quality": 0.0, "max_uncertainty": 0.0}, 1.0, False),
    ],
)
def test_reliable_means_within_both_thresholds(config, quality, is_reliable) -> None:
    (answer,) = estimate(FakeEngine(), make_face(quality=quality), **config)
    assert answer.is_reliable is is_reliable


def test_thresholds_come_from_the_model_unless_the_session_names_others() -> None:
    engine = FakeEngine(make_spec(min_quality=0.33, max_uncertainty=0.66))
    by_model = ExpressionEstimator(engine, EstimatorConfig())
    by_user = ExpressionEstimator(engine, EstimatorConfig(min_quality=0.0))
    assert (by_model.min_quality, by_model.max_uncertainty) == (0.33, 0.66)
    assert (by_user.min_quality, by_user.max_uncertainty) == (0.0, 0.66)


def test_answers_that_are_not_numbers_are_an_error() -> None:
    engine = FakeEngine()
    engine._weights[0, 0] = np.nan
    with pytest.raises(EngineError, match="not numbers"):
        estimate(engine, make_face())
