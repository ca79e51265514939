"""Augmentation of one face: framing, light, sharpness, compression, noise, erasing.

What is drawn is separate from what is done with it: `draw` asks the generator, `cut_view` only
obeys, so that a draw can be inspected and repeated for a second view. The chip is sampled once,
with the framing composed into the alignment; the 19 points move along.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.face.alignment import cut_crop, jitter_crop, transform_points
from lanet_trainer.errors import ConfigError
from lanet_trainer.landmarks import MIRRORED

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

_ERASING_TRIES: Final = 10
_LOW_LIGHT: Final = (0.35, 0.75)
_LEVELS: Final = np.arange(256, dtype=np.float32) / 255


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a sample may be changed. Every range is drawn from uniformly; p is a probability.

    Attributes:
        scale: Range of the face's size in the crop; 1 is the alignment's.
        max_rotation_deg: Either way.
        max_shift: Either way, as a share of the crop's side.
        mirror_p: Mirror left to right.
        area: Range of the share of the crop that is cut out and resized back; None: off.
        aspect: Range of width over height of that part.
        brightness: Largest change, added to 1 as a factor.
        contrast: Likewise, about the middle grey.
        gamma: Range of the exponent; above 1 darkens.
        low_light_p: Darken by a further factor of 0.35 to 0.75.
        noise_p: Add Gaussian noise.
        noise_std: Range of its standard deviation, on the 0 to 255 scale.
        blur_p: Blur.
        blur_sigma: Range, as a share of the crop's side.
        sharpen_p: Sharpen instead, where it is not blurred: training pictures are often softer
            than a camera's.
        shrink_p: Make smaller and enlarge again.
        shrink_to: Range of the smaller side, as a share.
        jpeg_p: Compress.
        jpeg_quality: Range.
        erase_p: Erase a rectangle after normalisation, with 0, the mean colour.
        erase_area: Range of its share of the crop.
        has_one_of: Mirror and noise exclude each other, as in SCN and RUL.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    max_rotation_deg: float = 0.0
    max_shift: float = 0.0
    mirror_p: float = 0.0
    area: tuple[float, float] | None = None
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: tuple[float, float] = (1.0, 1.0)
    low_light_p: float = 0.0
    noise_p: float = 0.0
    noise_std: tuple[float, float] = (30**0.5, 30**0.5)
    blur_p: float = 0.0
    blur_sigma: tuple[float, float] = (0.004, 0.02)
    sharpen_p: float = 0.0
    shrink_p: float = 0.0
    shrink_to: tuple[float, float] = (0.35, 0.9)
    jpeg_p: float = 0.0
    jpeg_quality: tuple[int, int] = (30, 90)
    erase_p: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.25)
    has_one_of: bool = False


_STANDARD: Final[dict[str, Any]] = {
    "scale": (0.85, 1.15),
    "max_rotation_deg": 12.0,
    "max_shift": 0.06,
    "mirror_p": 0.5,
    "brightness": 0.2,
    "contrast": 0.2,
    "erase_p": 0.25,
    "erase_area": (0.02, 0.20),
}
PRESETS: Final[dict[str, Augmentation]] = {
    "none": Augmentation(),
    "standard": Augmentation(**_STANDARD),
    "live": Augmentation(
        **_STANDARD,
        gamma=(0.7, 1.5),
        low_light_p=0.1,
        noise_p=0.3,
        noise_std=(1.0, 8.0),
        blur_p=0.2,
        sharpen_p=0.3,
        shrink_p=0.2,
        jpeg_p=0.2,
    ),
    "lanet-paper": Augmentation(
        mirror_p=0.5,
        area=(0.75, 1.0),
        brightness=0.4,
        contrast=0.4,
        erase_p=0.2,
        erase_area=(0.02, 0.20),
    ),
    "scn": Augmentation(mirror_p=0.25, noise_p=0.25, erase_p=0.5, has_one_of=True),
    "rul": Augmentation(mirror_p=0.25, noise_p=0.25, erase_p=0.5, has_one_of=True),
    "eac": Augmentation(noise_p=0.5, erase_p=0.5),
    # Random 224 of 256 in training, the middle 224 in the test: relative to the test's framing the
    # size stays and the shift is up to 16 of 224 pixels.
    "slm": Augmentation(mirror_p=0.5, noise_p=0.5, max_shift=16 / 224),
}


def named_augmentation(name: str) -> Augmentation:
    """Return a preset.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in PRESETS:
        raise ConfigError(f"--augment must be one of {', '.join(PRESETS)}, got '{name}'.")
    return PRESETS[name]


@dataclass(frozen=True, slots=True)
class Draw:
    """What the generator chose for one sample.

    Attributes:
        chip_to_crop: The alignment with the change of framing, mirroring excluded, (2, 3).
        is_mirrored: Mirror the crop.
        levels: Look-up table of 256 grey levels, or None.
        shrink_to: Share of the side, or None.
        blur_sigma_px: Standard deviation, or None; negative sharpens.
        noise: Added on the 0 to 255 scale, (S, S), or None.
        jpeg_quality: Or None.
        erased: Top, left, height, width in crop pixels, or None.
    """

    chip_to_crop: F64Array
    is_mirrored: bool = False
    levels: U8Array | None = None
    shrink_to: float | None = None
    blur_sigma_px: float | None = None
    noise: F32Array | None = None
    jpeg_quality: int | None = None
    erased: tuple[int, int, int, int] | None = None


class Drawing:
    """Draws the changes of samples at one crop size."""

    def __init__(self, augmentation: Augmentation, *, size_px: int) -> None:
        self._a = augmentation
        self._size_px = size_px

    def draw(self, alignment: F64Array, generator: np.random.Generator) -> Draw:
        """Draw the changes of one sample.

        Args:
            alignment: Chip -> crop of side 1, (2, 3).
            generator: The sample's own.
        """
        a = self._a
        is_mirrored, is_noisy = self._draw_mirror_and_noise(generator)
        return Draw(
            chip_to_crop=self._draw_framing(alignment, generator),
            is_mirrored=is_mirrored,
            levels=self._draw_levels(generator),
            shrink_to=generator.uniform(*a.shrink_to) if _happens(a.shrink_p, generator) else None,
            blur_sigma_px=self._draw_blur(generator),
            noise=self._draw_noise(generator) if is_noisy else None,
            jpeg_quality=(
                int(generator.integers(*a.jpeg_quality, endpoint=True))
                if _happens(a.jpeg_p, generator)
                else None
            ),
            erased=self.draw_erased(generator),
        )

    def draw_erased(self, generator: np.random.Generator) -> tuple[int, int, int, int] | None:
        """Draw a rectangle as torchvision's RandomErasing does: area, then ratio in 0.3 to 3.3."""
        if not _happens(self._a.erase_p, generator):
            return None
        side = self._size_px
        for _ in range(_ERASING_TRIES):
            area = generator.uniform(*self._a.erase_area) * side * side
            ratio = np.exp(generator.uniform(np.log(0.3), np.log(3.3)))
            height, width = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
            if 0 < height < side and 0 < width < side:
                top = int(generator.integers(0, side - height, endpoint=True))
                left = int(generator.integers(0, side - width, endpoint=True))
                return top, left, height, width
        return None

    def _draw_mirror_and_noise(self, generator: np.random.Generator) -> tuple[bool, bool]:
        a = self._a
        if a.has_one_of:
            chance = generator.random()
            return chance < a.mirror_p, a.mirror_p <= chance < a.mirror_p + a.noise_p
        return _happens(a.mirror_p, generator), _happens(a.noise_p, generator)

    def _draw_framing(self, alignment: F64Array, generator: np.random.Generator) -> F64Array:
        a, side = self._a, self._size_px
        chip_to_crop = alignment * side
        if a.area is not None:
            chip_to_crop = _resized_part(chip_to_crop, a.area, a.aspect, side, generator)
        if a.scale == (1.0, 1.0) and not a.max_rotation_deg and not a.max_shift:
            return chip_to_crop
        shift = generator.uniform(-a.max_shift, a.max_shift, size=2)
        return jitter_crop(
            chip_to_crop,
            size_px=side,
            scale=generator.uniform(*a.scale),
            rotation_rad=np.deg2rad(generator.uniform(-1, 1) * a.max_rotation_deg),
            shift=(float(shift[0]), float(shift[1])),
        )

    def _draw_levels(self, generator: np.random.Generator) -> U8Array | None:
        """Draw one table for gamma, contrast, brightness and low light together."""
        a = self._a
        is_dark = _happens(a.low_light_p, generator)
        if not (a.brightness or a.contrast or a.gamma != (1.0, 1.0) or is_dark):
            return None
        curve = _LEVELS ** np.float32(generator.uniform(*a.gamma))
        contrast = 1 + generator.uniform(-a.contrast, a.contrast)
        brightness = 1 + generator.uniform(-a.brightness, a.brightness)
        if is_dark:
            brightness *= generator.uniform(*_LOW_LIGHT)
        curve = ((curve - 0.5) * contrast + 0.5) * brightness
        levels: U8Array = np.clip(curve * 255 + 0.5, 0, 255).astype(np.uint8)
        return levels

    def _draw_blur(self, generator: np.random.Generator) -> float | None:
        a = self._a
        is_blurred = _happens(a.blur_p, generator)
        if not is_blurred and not _happens(a.sharpen_p, generator):
            return None
        sigma = generator.uniform(*a.blur_sigma) * self._size_px
        return float(sigma if is_blurred else -sigma)

    def _draw_noise(self, generator: np.random.Generator) -> F32Array:
        std = np.float32(generator.uniform(*self._a.noise_std))
        size = (self._size_px, self._size_px)
        return generator.standard_normal(size, dtype=np.float32) * std


def cut_view(chip: U8Array, draw: Draw, *, size_px: int) -> U8Array:
    """Cut one crop and change it as drawn; erasing is left to `erase`, after normalisation.

    Args:
        chip: (H, W) or (H, W, 3).
        draw: What to do.
        size_px: Side of the crop.

    Returns:
        (S, S) or (S, S, 3), uint8.
    """
    affine = draw.chip_to_crop
    if draw.is_mirrored:
        affine = _mirror_affine(affine, size_px)
    crop = cut_crop(chip, affine, size_px=size_px)
    if draw.shrink_to is not None:
        small = max(4, round(size_px * draw.shrink_to))
        crop = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(crop, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    if draw.blur_sigma_px is not None:
        crop = _blur_or_sharpen(crop, draw.blur_sigma_px)
    if draw.levels is not None:
        crop = cv2.LUT(crop, draw.levels)
    if draw.noise is not None:
        noise = draw.noise if crop.ndim == 2 else draw.noise[:, :, None]
        crop = np.clip(crop + noise + 0.5, 0, 255).astype(np.uint8)
    if draw.jpeg_quality is not None:
        quality = [cv2.IMWRITE_JPEG_QUALITY, draw.jpeg_quality]
        encoded = cv2.imencode(".jpg", crop, quality)[1]
        crop = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_ANYCOLOR), dtype=np.uint8)
    return crop


def erase(planes: F32Array, erased: tuple[int, int, int, int] | None) -> None:
    """Set a rectangle of normalised planes, (3, S, S), to 0, in place."""
    if erased is not None:
        top, left, height, width = erased
        planes[:, top : top + height, left : left + width] = 0


def move_points(points_px: F32Array, draw: Draw, *, size_px: int) -> F32Array:
    """Carry the 19 points from the chip into the crop, (19, 2).

    In a mirrored crop the left and right points change places, so that "left brow" is again the
    brow on the left side of the picture.
    """
    moved = transform_points(draw.chip_to_crop, points_px)
    if draw.is_mirrored:
        moved = moved[MIRRORED]
        moved[:, 0] = size_px - moved[:, 0]
    return moved.astype(np.float32)


def _mirror_affine(chip_to_crop: F64Array, size_px: int) -> F64Array:
    """Compose an affine map, (2, 3), with mirroring the crop left to right."""
    mirrored = chip_to_crop.copy()
    mirrored[0] *= -1
    mirrored[0, 2] += size_px
    return mirrored


def _happens(probability: float, generator: np.random.Generator) -> bool:
    """Toss a coin; a change that is off asks the generator nothing."""
    return probability > 0 and bool(generator.random() < probability)


def _resized_part(
    chip_to_crop: F64Array,
    area: tuple[float, float],
    aspect: tuple[float, float],
    side: int,
    generator: np.random.Generator,
) -> F64Array:
    """Cut out a part of the crop, of random area and aspect, and stretch it to the whole crop."""
    share = generator.uniform(*area)
    ratio = np.exp(generator.uniform(*np.log(aspect)))
    size = np.minimum([np.sqrt(share * ratio), np.sqrt(share / ratio)], 1.0)  # (2,) width, height
    corner = generator.random(2) * (1 - size)
    stretched: F64Array = chip_to_crop / size[:, None]
    stretched[:, 2] -= corner * side / size
    return stretched


def _blur_or_sharpen(crop: U8Array, sigma_px: float) -> U8Array:
    blurred = cv2.GaussianBlur(crop, (0, 0), abs(sigma_px), borderType=cv2.BORDER_REPLICATE)
    if sigma_px > 0:
        return np.asarray(blurred, dtype=np.uint8)
    return np.asarray(cv2.addWeighted(crop, 2.0, blurred, -1.0, 0.0), dtype=np.uint8)
