from pathlib import Path

import cv2
import numpy as np
import pytest

from lanet_live.config import TrackerConfig
from lanet_live.face.matching import landmark_box
from lanet_live.face.mesh import BLENDSHAPE_NAMES
from lanet_live.face.models import open_face_models
from lanet_live.face.still import StillFaceFinder


@pytest.fixture(scope="module")
def group_bgr(shared_dir: Path) -> np.ndarray:
    image = cv2.imread(str(shared_dir / "clips" / "multi_face.jpg"))
    assert image is not None
    return image


def test_group_photo_gives_its_five_faces(group_bgr):
    models = open_face_models(TrackerConfig(), with_blendshapes=True)
    finder = StillFaceFinder(models)
    try:
        faces = finder.find(group_bgr)
    finally:
        finder.close()
    assert len(faces) == 5
    lefts = sorted(float(landmark_box(f.landmarks_px)[0]) for f in faces)
    assert np.allclose(lefts, [214, 313, 437, 532, 683], atol=15)
    for face in faces:
        assert face.landmarks_px.shape == (478, 2)
        assert face.blendshapes.shape == (len(BLENDSHAPE_NAMES),)
        assert 0.5 <= face.score <= 1.0
        assert np.abs(face.pose_rad).max() < 0.7


def test_picture_without_a_face_gives_none():
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    finder = StillFaceFinder()
    try:
        assert finder.find(noise) == ()
        assert finder.find(np.zeros((8, 8, 3), np.uint8)) == ()
    finally:
        finder.close()
