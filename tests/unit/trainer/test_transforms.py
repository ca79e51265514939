import cv2
import numpy as np
import pytest

from lanet_live.face.alignment import cut_crop, estimate_frame_to_crop
from lanet_live.face.template import TEMPLATE_INDICES, TEMPLATE_UNIT
from lanet_trainer.errors import ConfigError
from lanet_trainer.landmarks import MESH_POINTS, MIRRORED
from lanet_trainer.transforms import (
    PRESETS,
    Augmentation,
    Draw,
    Drawing,
    cut_view,
    erase,
    move_points,
    named_augmentation,
)
from tests.prepared_sets import face_landmarks

SIDE = 64


def _alignment() -> np.ndarray:
    return estimate_frame_to_crop(face_landmarks(centre_px=24, side_px=44), size_px=1)


def _chip(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (48, 48), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def _draw(augmentation: Augmentation, seed: int = 0) -> Draw:
    generator = np.random.default_rng(seed)
    return Drawing(augmentation, size_px=SIDE).draw(_alignment(), generator)


def test_without_augmentation_the_crop_is_the_apps() -> None:
    crop = cut_view(_chip(), _draw(PRESETS["none"]), size_px=SIDE)
    expected = cut_crop(_chip(), _alignment() * SIDE, size_px=SIDE)
    np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize("name", PRESETS)
def test_same_generator_gives_same_view(name: str) -> None:
    a, b = (cut_view(_chip(), _draw(PRESETS[name], seed=3), size_px=SIDE) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert a.shape == (SIDE, SIDE)
    assert a.dtype == np.uint8


@pytest.mark.parametrize("name", PRESETS)
def test_colour_chips_stay_coloured(name: str) -> None:
    chip = np.dstack([_chip(0), _chip(1), _chip(2)])
    crop = cut_view(chip, _draw(PRESETS[name], seed=3), size_px=SIDE)
    assert crop.shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["standard", "lanet-paper"])
def test_points_stay_on_the_spots_they_mark(name: str, seed: int) -> None:
    """A bright dot drawn at a point is found where the moved point says."""
    augmentation = PRESETS[name]
    for point in (0, 8, 16):
        points = np.full((19, 2), 24, dtype=np.float32)
        points[point] = [15.5, 30.5] if point != 16 else [24.5, 35.5]
        chip = np.zeros((48, 48), dtype=np.uint8)
        chip[int(points[point, 1]), int(points[point, 0])] = 255
        draw = _draw(augmentation, seed)
        still = Draw(draw.chip_to_crop, draw.is_mirrored)
        crop = cut_view(chip, still, size_px=SIDE).astype(float)
        where = MIRRORED[point] if draw.is_mirrored else point
        ys, xs = np.mgrid[0:SIDE, 0:SIDE] + 0.5
        seen = np.array([(crop * xs).sum(), (crop * ys).sum()]) / crop.sum()
        np.testing.assert_allclose(move_points(points, draw, size_px=SIDE)[where], seen, atol=0.3)


def test_mirroring_twice_is_the_identity_for_image_and_points() -> None:
    framing = _alignment() * SIDE
    points = np.random.default_rng(0).uniform(5, 40, (19, 2)).astype(np.float32)
    plain, mirrored = Draw(framing), Draw(framing, is_mirrored=True)
    crop = cut_view(_chip(), plain, size_px=SIDE)
    flipped = cut_view(_chip(), mirrored, size_px=SIDE)
    assert np.abs(flipped[:, ::-1].astype(int) - crop).max() <= 1
    moved = move_points(points, mirrored, size_px=SIDE)[MIRRORED]
    moved[:, 0] = SIDE - moved[:, 0]
    np.testing.assert_allclose(moved, move_points(points, plain, size_px=SIDE), atol=1e-4)


def test_mirror_permutation_swaps_left_and_right_and_keeps_the_middle() -> None:
    assert (MIRRORED[MIRRORED] == np.arange(19)).all()
    assert MIRRORED[0] == 5
    for i, (name, _) in enumerate(MESH_POINTS):
        other = MESH_POINTS[MIRRORED[i]][0]
        swapped = name.replace("left", "?").replace("right", "left").replace("?", "right")
        expected = {"nose, left": "nose, right", "mouth, left": "mouth, right"}.get(name, swapped)
        assert other == expected


def test_mesh_points_lie_where_the_layout_says() -> None:
    """Those of them that the face template knows: left is left, brows above eyes above mouth."""
    position = dict(zip(TEMPLATE_INDICES.tolist(), TEMPLATE_UNIT.tolist(), strict=True))
    known = {
        name: np.mean([position[m] for m in mesh if m in position], axis=0)
        for name, mesh in MESH_POINTS
        if any(m in position for m in mesh)
    }
    assert len(known) >= 12
    for name, (x, _) in known.items():
        if "left" in name:
            assert x < 0.5, name
        if "right" in name:
            assert x > 0.5, name
    assert known["left brow, middle"][1] < known["left eye, outer"][1] < known["mouth, left"][1]
    assert known["left eye, outer"][0] < known["left eye, inner"][0]
    assert known["mouth, left"][1] < known["chin"][1]


def test_erasing_fills_with_the_mean_and_stays_inside_its_area() -> None:
    drawing = Drawing(PRESETS["eac"], size_px=SIDE)
    shares = []
    for seed in range(200):
        erased = drawing.draw_erased(np.random.default_rng(seed))
        planes = np.ones((3, SIDE, SIDE), dtype=np.float32)
        erase(planes, erased)
        if erased is not None:
            shares.append((planes == 0).mean())
    assert 70 <= len(shares) <= 130  # p = 0.5
    assert min(shares) >= 0.015
    assert max(shares) <= 0.26


def test_one_of_mirror_and_noise_excludes_the_other() -> None:
    draws = [_draw(PRESETS["scn"], seed) for seed in range(300)]
    mirrored = np.array([d.is_mirrored for d in draws])
    noisy = np.array([d.noise is not None for d in draws])
    assert not (mirrored & noisy).any()
    assert 45 <= mirrored.sum() <= 105
    assert 45 <= noisy.sum() <= 105


def test_noise_has_the_published_variance() -> None:
    draw = next(d for s in range(20) if (d := _draw(PRESETS["eac"], s)).noise is not None)
    assert draw.noise is not None
    assert 25 < draw.noise.var() < 35


def test_resized_part_keeps_at_least_three_quarters_of_the_crop() -> None:
    for seed in range(50):
        draw = _draw(PRESETS["lanet-paper"], seed)
        ratio = np.linalg.det(draw.chip_to_crop[:, :2]) / np.linalg.det(_alignment()[:, :2] * SIDE)
        assert 1 - 1e-9 <= ratio <= 1 / 0.75 + 1e-9


def test_unknown_preset_is_named() -> None:
    with pytest.raises(ConfigError, match="standart"):
        named_augmentation("standart")
