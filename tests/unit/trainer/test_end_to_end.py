"""Whole pictures through the app's face search: faces come out aligned, missed ones are missing."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lanet_trainer.evaluation.end_to_end import EndToEndBatches
from lanet_trainer.surroundings import surround

DEMO = Path(__file__).resolve().parents[3] / "assets" / "demo.mp4"


class _Pictures:
    def __init__(self, pictures: list[NDArray[np.uint8]]) -> None:
        self._pictures = pictures
        self.sample_ids = tuple(f"p{i}" for i in range(len(pictures)))

    def __len__(self) -> int:
        return len(self._pictures)

    def image(self, position: int) -> NDArray[np.uint8]:
        return self._pictures[position]


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    """A face cut out of the demo clip, small and grey like a FER+ image."""
    from lanet_live.face.still import StillFaceFinder

    with av.open(str(DEMO)) as container:
        frame = next(iter(container.decode(video=0))).to_ndarray(format="bgr24")
    finder = StillFaceFinder()
    landmarks = finder.find(frame)[0].landmarks_px
    finder.close()
    low, high = landmarks.min(axis=0).astype(int), landmarks.max(axis=0).astype(int)
    side = int((high - low).max())
    x, y = ((low + high - side) // 2).tolist()
    face = frame[max(0, y) : y + side, max(0, x) : x + side]
    return cv2.cvtColor(cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA), 6)


def test_small_pictures_get_surroundings_and_size() -> None:
    picture = np.full((48, 48, 3), 40, dtype=np.uint8)
    picture[10:20, 30:40] = 200
    big, back = surround(picture)
    assert big.shape == (288, 288, 3)
    assert np.ptp(big[:40], axis=(0, 1)).max() == 0  # A plain border.
    rows, columns = np.nonzero(big[:, :, 0] > 130)
    middle = back @ [columns.mean() + 0.5, rows.mean() + 0.5, 1]
    assert np.allclose(middle, [35, 15], atol=0.1)
    photo, back = surround(np.zeros((480, 640, 3), dtype=np.uint8))
    assert photo.shape == (720, 880, 3)
    assert np.allclose(back, [[1, 0, -120], [0, 1, -120]])


def test_found_faces_are_cropped_and_missed_ones_left_out(portrait: NDArray[np.uint8]) -> None:
    empty = np.full((64, 64), 128, dtype=np.uint8)
    batches = EndToEndBatches(_Pictures([portrait, empty, portrait]), size_px=64, batch_size=1)
    found = list(batches)
    assert [index.tolist() for index, _ in found] == [[0], [2]]
    assert batches.n_missed == 1
    assert np.array_equal(found[0][1], found[1][1])
    # Aligned, the face fills the crop about as it filled the picture it was cut from.
    crop = cv2.cvtColor(found[0][1][0], cv2.COLOR_BGR2GRAY).astype(float)
    similarity = np.corrcoef(crop[8:-8, 8:-8].ravel(), portrait[8:-8, 8:-8].astype(float).ravel())
    assert similarity[0, 1] > 0.6
