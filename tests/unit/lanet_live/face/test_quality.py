"""Each flaw, added step by step to a real face, must lower the quality and be named."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from lanet_live.face.alignment import estimate_frame_to_crop
from lanet_live.face.matching import landmark_box
from lanet_live.face.quality import REASONS, measure_quality
from lanet_live.face.still import StillFaceFinder
from lanet_live.records import FaceTrack, Quality
from lanet_live.resources import asset_path

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def portrait() -> tuple[np.ndarray, FaceTrack]:
    """The first picture of the demo clip, where the astronaut is seen well, and her face."""
    with av.open(str(asset_path("demo.mp4"))) as container:
        image = next(container.decode(video=0)).to_ndarray(format="bgr24")
    finder = StillFaceFinder(max_faces=1)
    (face,) = finder.find(image)
    finder.close()
    return image, FaceTrack(
        face_id=0,
        box_xyxy_px=landmark_box(face.landmarks_px),
        score=face.score,
        landmarks_px=face.landmarks_px,
        blendshapes=face.blendshapes,
        pose_rad=face.pose_rad,
    )


def judge(image: np.ndarray, track: FaceTrack, *, size_px: int = 112) -> Quality:
    frame_to_crop = estimate_frame_to_crop(track.landmarks_px, size_px=size_px)
    return measure_quality(image, track, frame_to_crop=frame_to_crop)


def scaled(image: np.ndarray, track: FaceTrack, factor: float) -> tuple[np.ndarray, FaceTrack]:
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return small, replace(track, landmarks_px=(track.landmarks_px * factor).astype(np.float32))


def blur(image, track, step):
    return cv2.GaussianBlur(image, (0, 0), 2.2 * step), track


def darken(image, track, step):
    return np.round(image * (1 - 0.19 * step)).astype(np.uint8), track


def overexpose(image, track, step):
    return np.clip(image * (1 + 0.5 * step), 0, 255).astype(np.uint8), track


def flatten(image, track, step):
    return np.round(128 + (image.astype(float) - 128) * (1 - 0.19 * step)).astype(np.uint8), track


def shrink(image, track, step):
    return scaled(image, track, 0.55**step)


def turn(image, track, step):
    return image, replace(track, pose_rad=np.array([0.1, 0.3 * step, 0], np.float32))


def doubt(image, track, step):
    return image, replace(track, score=0.9 - 0.17 * step)


def push_out(image, track, step):
    shift = (0.1 * step * np.ptp(track.landmarks_px[:, 0])) + track.landmarks_px[:, 0].min()
    moved = cv2.warpAffine(
        image, np.array([[1.0, 0, -shift], [0, 1, 0]]), image.shape[1::-1],
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    landmarks = track.landmarks_px - np.array([shift, 0], np.float32)
    return moved, replace(track, landmarks_px=landmarks)


FLAWS: dict[str, Callable] = {
    "blur": blur,
    "dark": darken,
    "overexposed": overexpose,
    "low_contrast": flatten,
    "small_face": shrink,
    "extreme_pose": turn,
    "low_landmark_confidence": doubt,
    "cut_by_border": push_out,
}


def test_every_flaw_is_tested() -> None:
    assert set(FLAWS) == set(REASONS)


def test_a_good_portrait_has_full_quality_and_no_reasons(portrait) -> None:
    quality = judge(*portrait)
    assert quality.value == pytest.approx(1.0)
    assert quality.reasons == ()


@pytest.mark.parametrize("reason", sorted(FLAWS))
def test_quality_falls_with_each_flaw_and_names_it(portrait, reason: str) -> None:
    image, track = portrait
    steps = [judge(*FLAWS[reason](image, track, step)) for step in range(1, 6)]
    values = [judge(image, track).value, *[quality.value for quality in steps]]
    assert all(later <= earlier + 0.02 for earlier, later in pairwise(values)), values
    assert values[-1] < 0.35
    assert reason in steps[-1].reasons
    assert set(steps[-1].reasons) <= set(REASONS)


def test_the_worst_flaw_is_named_first(portrait) -> None:
    image, track = portrait
    both = replace(track, score=0.45, pose_rad=np.array([0, 1.1, 0], np.float32))
    assert judge(image, both).reasons == ("extreme_pose", "low_landmark_confidence")


@pytest.mark.parametrize("factor", [0.7, 0.5, 0.4])
def test_sharpness_does_not_depend_on_the_size_of_the_face(portrait, factor: float) -> None:
    image, track = portrait
    # Blurred by the same share of the face, so that every size shows the same picture.
    blurred = cv2.GaussianBlur(image, (0, 0), 6.5)
    small = judge(*scaled(blurred, track, factor))
    large = judge(blurred, track)
    assert 0.2 < large.value < 0.8
    assert small.value == pytest.approx(large.value, abs=0.15)


def test_sharpness_does_not_depend_on_the_light(portrait) -> None:
    image, track = portrait
    dim = np.round(image * 0.5).astype(np.uint8)
    assert "blur" not in judge(dim, track).reasons


@pytest.mark.parametrize("size_px", [48, 64, 224])
def test_the_size_of_the_given_crop_does_not_matter(portrait, size_px: int) -> None:
    image, track = portrait
    blurred = cv2.GaussianBlur(image, (0, 0), 6.5)
    expected = judge(blurred, track).value
    assert judge(blurred, track, size_px=size_px).value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_an_even_grey_picture_is_worth_nothing(portrait, level: int) -> None:
    image, track = portrait
    quality = judge(np.full_like(image, level), track)
    assert quality.value == 0
    assert "low_contrast" in quality.reasons


def test_a_face_outside_the_frame_is_judged_without_an_error(portrait) -> None:
    image, track = portrait
    for offset in ([900.0, 0.0], [-900.0, -900.0]):
        away = replace(track, landmarks_px=track.landmarks_px + np.array(offset, np.float32))
        quality = judge(image, away)
        assert quality.value == 0
        assert "cut_by_border" in quality.reasons
