import numpy as np

from lanet_engines.spec import PredictionSets
from lanet_live.config import EstimatorConfig
from lanet_live.expression.estimator import ExpressionEstimator
from lanet_live.expression.prediction_sets import sets_of
from lanet_live.face.alignment import align_face
from lanet_live.records import AlignedFace, Quality
from tests.fakes import FakeEngine, make_frame, make_landmarks, make_spec

LABELS = ("neutral", "happiness", "surprise")


def test_a_set_holds_the_classes_that_are_probable_enough_the_first_one_first() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [0.05, 0.9, 0.05], [0.3, 0.3, 0.4]])
    assert sets_of(probabilities, np.array([0.25, 0.1, 0.3]), LABELS) == (
        ("happiness", "surprise"),
        ("happiness",),
        ("surprise", "neutral", "happiness"),
    )


def test_a_set_is_never_empty() -> None:
    assert sets_of(np.array([[0.2, 0.5, 0.3]]), np.full(3, 0.9), LABELS) == (("happiness",),)


def estimate(**changes):
    frame = make_frame()
    crop, frame_to_crop = align_face(frame.image_bgr, make_landmarks(), size_px=32)
    face = AlignedFace(0, crop, frame_to_crop, Quality(0.9))
    estimator = ExpressionEstimator(FakeEngine(make_spec(**changes)), EstimatorConfig())
    return estimator.estimate(frame.image_bgr, [face])[0]


def test_estimates_carry_the_sets_of_their_model() -> None:
    found = estimate(prediction_sets=PredictionSets(0.9, (0.0,) * 8))
    ranked = [found.labels[k] for k in np.argsort(-found.probabilities)]
    assert list(found.prediction_set) == ranked
    single = estimate(prediction_sets=PredictionSets(0.9, (1.0,) * 8))
    assert single.prediction_set == (single.expression,)


def test_a_model_without_sets_makes_none() -> None:
    assert estimate().prediction_set == ()
