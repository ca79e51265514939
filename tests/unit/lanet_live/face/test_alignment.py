import cv2
import numpy as np
import pytest

from lanet_live.face.alignment import (
    align_face,
    cut_crop,
    estimate_frame_to_crop,
    jitter_crop,
    transform_points,
)
from lanet_live.face.template import TEMPLATE_INDICES, TEMPLATE_UNIT

RNG = np.random.default_rng(0)


def similarity(scale: float, angle_rad: float, offset: tuple[float, float]) -> np.ndarray:
    cosine, sine = scale * np.cos(angle_rad), scale * np.sin(angle_rad)
    return np.array([[cosine, -sine, offset[0]], [sine, cosine, offset[1]]])


def inverse(affine: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(affine[:, :2])
    return np.hstack([linear, (-linear @ affine[:, 2])[:, None]])


def template_landmarks(crop_to_frame: np.ndarray, size_px: int) -> np.ndarray:
    """Landmarks that lie exactly where the template says, seen through a known transform."""
    landmarks = np.zeros((478, 2))
    landmarks[TEMPLATE_INDICES] = transform_points(crop_to_frame, TEMPLATE_UNIT * size_px)
    return landmarks


def smooth_picture(height: int = 240, width: int = 320) -> np.ndarray:
    noise = RNG.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("scale", [0.05, 0.4, 1.0, 3.7])
@pytest.mark.parametrize("angle_rad", [-2.0, 0.0, 0.3])
def test_a_similarity_is_recovered_exactly(scale: float, angle_rad: float) -> None:
    frame_to_crop = similarity(scale, angle_rad, (31.5, -12.25))
    landmarks = template_landmarks(inverse(frame_to_crop), 112)
    assert np.allclose(estimate_frame_to_crop(landmarks, size_px=112), frame_to_crop, atol=1e-8)


def test_the_template_is_its_own_mirror_image() -> None:
    mirrored = TEMPLATE_UNIT * [-1, 1] + [1, 0]
    distances = np.linalg.norm(TEMPLATE_UNIT[:, None] - mirrored[None], axis=2)
    assert distances.min(axis=1).max() < 1e-9
    partner = distances.argmin(axis=1)
    assert np.array_equal(partner[partner], np.arange(len(partner)))
    assert len(set(TEMPLATE_INDICES.tolist())) == len(TEMPLATE_INDICES)


@pytest.mark.parametrize("index", range(3))
def test_landmarks_that_fit_no_face_are_refused(index: int) -> None:
    wrong = [np.zeros((468, 2)), np.full((478, 2), np.nan), np.full((478, 2), 5.0)][index]
    with pytest.raises(ValueError, match="landmarks_px"):
        estimate_frame_to_crop(wrong, size_px=64)


def test_points_are_mapped_as_the_crop_is() -> None:
    """A dot drawn in the frame appears in the crop where its mapped centre says."""
    image = np.zeros((200, 300), np.uint8)
    image[99:101, 149:151] = 255  # centred on the pixel corner (150, 100)
    frame_to_crop = similarity(1.5, 0.4, (0.0, 0.0))
    frame_to_crop[:, 2] = [40.2, 55.7] - frame_to_crop[:, :2] @ [150.0, 100.0]
    crop = cut_crop(image, frame_to_crop, size_px=96).astype(float)
    rows, columns = np.mgrid[:96, :96] + 0.5
    centre = [(columns * crop).sum() / crop.sum(), (rows * crop).sum() / crop.sum()]
    assert np.allclose(transform_points(frame_to_crop, np.array([150.0, 100.0])), [40.2, 55.7])
    assert np.allclose(centre, [40.2, 55.7], atol=0.05)


@pytest.mark.parametrize("scale", [0.11, 0.24, 0.37, 0.55, 0.72, 0.9, 1.0])
def test_scaling_down_keeps_the_place_of_things(scale: float) -> None:
    """Averaging in blocks and sampling densely must not shift the picture."""
    size_px = 48
    centre = np.array([400.3, 300.7])
    rows, columns = np.mgrid[:600, :800] + 0.5
    radius = 10 / scale
    blob = np.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2 * (radius / 2) ** 2))
    image = np.round(250 * blob).astype(np.uint8)
    frame_to_crop = similarity(scale, 0.2, (0.0, 0.0))
    frame_to_crop[:, 2] = size_px / 2 - frame_to_crop[:, :2] @ centre
    crop = cut_crop(image, frame_to_crop, size_px=size_px).astype(float)
    rows, columns = np.mgrid[:size_px, :size_px] + 0.5
    found = [(columns * crop).sum() / crop.sum(), (rows * crop).sum() / crop.sum()]
    assert np.allclose(found, size_px / 2, atol=0.03)


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.45, 0.55, 0.7])
@pytest.mark.parametrize("is_colour", [False, True])
def test_scaling_down_does_not_alias(scale: float, is_colour: bool) -> None:
    """The finest chequerboard must turn into even grey, whatever the ratio."""
    rows, columns = np.mgrid[:700, :700]
    image = np.where((rows + columns) % 2 == 0, 255, 0).astype(np.uint8)
    if is_colour:
        image = np.repeat(image[:, :, None], 3, axis=2)
    frame_to_crop = similarity(scale, 0.1, (0.0, 0.0))
    frame_to_crop[:, 2] = 32 - frame_to_crop[:, :2] @ [350.0, 350.0]
    crop = cut_crop(image, frame_to_crop, size_px=64)
    assert crop.shape == ((64, 64, 3) if is_colour else (64, 64))
    assert crop.mean() == pytest.approx(127.5, abs=2)
    assert crop.std() < 25  # nearest-pixel sampling gives 127


def test_a_crop_at_full_size_is_a_plain_cut() -> None:
    image = smooth_picture()
    crop = cut_crop(image, similarity(1.0, 0.0, (-40.0, -30.0)), size_px=100)
    assert np.array_equal(crop, image[30:130, 40:140])


def test_outside_the_frame_its_border_is_repeated() -> None:
    image = smooth_picture()
    crop = cut_crop(image, similarity(1.0, 0.0, (50.0, 0.0)), size_px=100)
    assert np.array_equal(crop[:, 50:], image[:100, :50])
    assert np.array_equal(crop[:, :50], np.repeat(image[:100, :1], 50, axis=1))


@pytest.mark.parametrize("scale", [0.2, 0.35])
def test_outside_the_frame_its_border_is_repeated_when_scaling_down(scale: float) -> None:
    image = np.full((301, 401), 40, np.uint8)
    image[:, 200:] = 200
    frame_to_crop = similarity(scale, 0.0, (0.0, 0.0))
    frame_to_crop[:, 2] = 24 - frame_to_crop[:, :2] @ [401.0, 301.0]
    crop = cut_crop(image, frame_to_crop, size_px=48)
    assert (crop == 200).all()


@pytest.mark.parametrize("mirror", [False, True])
def test_a_jittered_crop_equals_warping_twice(mirror: bool) -> None:
    image = smooth_picture()
    size_px = 96
    frame_to_crop = similarity(0.9, 0.2, (-70.0, -60.0))
    change = {"scale": 1.1, "rotation_rad": -0.15, "shift": (0.04, -0.03), "mirror": mirror}
    once = cut_crop(image, jitter_crop(frame_to_crop, size_px=size_px, **change), size_px=size_px)
    first = cut_crop(image, frame_to_crop, size_px=size_px)
    identity = similarity(1.0, 0.0, (0.0, 0.0))
    twice = cut_crop(first, jitter_crop(identity, size_px=size_px, **change), size_px=size_px)
    inner = slice(16, -16)
    difference = np.abs(once[inner, inner].astype(int) - twice[inner, inner])
    assert difference.mean() < 2.0


def test_no_jitter_changes_nothing_and_mirroring_twice_neither() -> None:
    frame_to_crop = similarity(0.7, 0.3, (5.0, 6.0))
    assert np.allclose(jitter_crop(frame_to_crop, size_px=64), frame_to_crop)
    mirrored = jitter_crop(frame_to_crop, size_px=64, mirror=True)
    assert np.allclose(jitter_crop(mirrored, size_px=64, mirror=True), frame_to_crop)
    image = smooth_picture()
    plain = cut_crop(image, frame_to_crop, size_px=64)
    assert np.abs(cut_crop(image, mirrored, size_px=64)[:, ::-1].astype(int) - plain).max() <= 2


def test_jitter_moves_the_face_as_its_names_say() -> None:
    size_px = 100
    identity = similarity(1.0, 0.0, (0.0, 0.0))
    centre, right = np.array([50.0, 50.0]), np.array([60.0, 50.0])

    def moved(point: np.ndarray, **change) -> np.ndarray:
        return transform_points(jitter_crop(identity, size_px=size_px, **change), point)

    assert np.allclose(moved(centre, scale=1.2), centre)
    assert np.allclose(moved(right, scale=1.2), [62, 50])  # larger
    assert np.allclose(moved(centre, shift=(0.1, 0.2)), [60, 70])  # right and down
    assert np.allclose(moved(right, rotation_rad=np.pi / 2), [50, 60])  # clockwise on the screen


def test_align_face_returns_the_crop_of_its_transform() -> None:
    image = smooth_picture()
    landmarks = template_landmarks(similarity(1.4, 0.1, (60.0, 20.0)), 112)
    crop, frame_to_crop = align_face(image, landmarks, size_px=112)
    assert np.array_equal(crop, cut_crop(image, frame_to_crop, size_px=112))
    assert np.allclose(
        transform_points(frame_to_crop, landmarks[TEMPLATE_INDICES]), TEMPLATE_UNIT * 112
    )


def test_the_frame_is_not_written_to() -> None:
    image = smooth_picture()
    image.setflags(write=False)
    for scale in (0.2, 0.6, 1.0):
        cut_crop(image, similarity(scale, 0.0, (0.0, 0.0)), size_px=32)
