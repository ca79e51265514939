"""The second look: portraits the first one misses, and nothing where there is none."""

from collections.abc import Iterator

import av
import cv2
import numpy as np
import pytest

from lanet_live.config import TrackerConfig
from lanet_live.face.models import open_face_models
from lanet_live.face.portrait import PlausibleFace, Showing, show
from lanet_live.face.portrait_finder import PortraitFinder
from lanet_live.face.still import StillFaceFinder
from lanet_live.resources import asset_path
from tests.prepared_sets import face_landmarks


@pytest.fixture(scope="module")
def finder() -> Iterator[PortraitFinder]:
    opened = PortraitFinder(open_face_models(TrackerConfig()))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """The astronaut's head, 240 px wide."""
    with av.open(str(asset_path("demo.mp4"))) as container:
        image = next(container.decode(video=0)).to_ndarray(format="bgr24")
    still = StillFaceFinder(max_faces=1)
    landmarks = still.find(image)[0].landmarks_px
    still.close()
    centre = landmarks.mean(axis=0)
    half = 0.9 * float(np.ptp(landmarks, axis=0).max())
    x0, y0, x1, y1 = np.concatenate([centre - half, centre + half]).astype(int)
    part = image[max(y0, 0) : y1, max(x0, 0) : x1]
    return np.asarray(cv2.resize(part, (240, 240), interpolation=cv2.INTER_AREA))


def turned(image: np.ndarray, clockwise_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Turn a picture about its centre; also return the map of its points."""
    side = image.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), -clockwise_deg, 1.0)
    return cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), matrix


def test_a_head_on_its_side_is_found_by_the_second_look_alone(finder, portrait):
    upright = finder.find(portrait)
    assert upright is not None
    leaning, matrix = turned(portrait, 75)
    face = finder.find(leaning)
    assert face is not None
    expected = upright.landmarks_px @ matrix[:, :2].T + matrix[:, 2]
    assert np.linalg.norm(face.landmarks_px - expected, axis=1).mean() < 8
    assert face.pose_rad[2] - upright.pose_rad[2] == pytest.approx(np.radians(75), abs=0.15)
    assert 0 < face.score <= 1
    still = StillFaceFinder()
    assert len(still.find(leaning)) == 1
    still.close()


def test_a_large_picture_gives_landmarks_in_its_own_pixels(finder, portrait):
    small, large = finder.find(portrait), finder.find(cv2.resize(portrait, (1200, 1200)))
    assert small is not None
    assert large is not None
    assert np.linalg.norm(large.landmarks_px / 5 - small.landmarks_px, axis=1).mean() < 4
    assert np.allclose(large.pose_rad, small.pose_rad, atol=0.1)


def test_a_face_that_does_not_fill_the_picture_is_left_to_the_first_look(finder, portrait):
    wall = cv2.copyMakeBorder(portrait, 300, 300, 0, 600, cv2.BORDER_REPLICATE)
    assert finder.find(wall) is None


@pytest.mark.parametrize("size_hw", [(240, 320), (8, 8), (48, 48)])
def test_no_face_in_noise_and_in_a_plain_picture(finder, size_hw):
    noise = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    assert finder.find(noise) is None
    assert finder.find(np.full((*size_hw, 3), 90, dtype=np.uint8)) is None


def test_what_is_shown_and_its_map_agree():
    picture = np.zeros((60, 40, 3), dtype=np.uint8)
    picture[20:24, 10:14] = 255
    shown, to_shown = show(picture, Showing(0.25, 30))
    assert max(shown.shape[:2]) == 288
    rows, columns = np.nonzero(shown[:, :, 0] > 127)
    middle = to_shown @ [12, 22, 1]
    assert np.allclose([columns.mean() + 0.5, rows.mean() + 0.5], middle, atol=0.3)


def test_only_faces_that_fill_a_picture_are_plausible():
    limits = PlausibleFace((0.4, 1.3), 0.22, 1.4, 0.5)
    assert limits.allows(face_landmarks(centre_px=50, side_px=90), (100, 100))
    assert not limits.allows(face_landmarks(centre_px=50, side_px=30), (100, 100))
    assert not limits.allows(face_landmarks(centre_px=75, side_px=60), (100, 100))
    assert not limits.allows(np.zeros((478, 2)), (100, 100))
