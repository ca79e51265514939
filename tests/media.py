"""Small videos and sounds written on the spot, so that tests need no files of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class VideoPlan:
    """How a test video is written.

    Attributes:
        codec: "ffv1" keeps every pixel (mkv), "mpeg4" goes into any container.
        pixel_format: As stored.
        pts_ms: Time of each picture; None puts them 40 ms apart.
        time_base: In which they are written.
        turn: (degrees counterclockwise, mirror x, mirror y) written as the display matrix.
        pixel_aspect: Width of a pixel over its height.
        container_options: For the muxer.
    """

    codec: str = "mpeg4"
    pixel_format: str = "yuv420p"
    pts_ms: Sequence[int] | None = None
    time_base: Fraction = Fraction(1, 1000)
    turn: tuple[int, bool, bool] | None = None
    pixel_aspect: Fraction | None = None
    container_options: dict[str, str] | None = None


def four_colors(size_wh: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture whose quarters are blue, green, red and white, so that its orientation shows."""
    width, height = size_wh
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    image[: height // 2, width // 2 :] = (0, 255, 0)
    image[height // 2 :, : width // 2] = (0, 0, 255)
    image[height // 2 :, width // 2 :] = (255, 255, 255)
    return image


def gray_levels(n: int, size_wh: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Pictures of one grey level each, 20 apart, so that each can be told from the others."""
    width, height = size_wh
    return [np.full((height, width, 3), 20 + 20 * (i % 11), np.uint8) for i in range(n)]


def noise(n: int, size_wh: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Pictures that do not compress, so that a file has some length."""
    width, height = size_wh
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(n)]


def write_video(path: Path, images: Sequence[np.ndarray], plan: VideoPlan | None = None) -> Path:
    """Write pictures, (H, W, 3) BGR, as a video."""
    import av

    plan = plan or VideoPlan()
    pts_ms = plan.pts_ms or [40 * i for i in range(len(images))]
    options = plan.container_options or {}
    with av.open(str(path), "w", container_options=options) as container:
        stream = container.add_stream(plan.codec, rate=25)
        height, width = images[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, plan.pixel_format
        stream.codec_context.time_base = plan.time_base
        if plan.codec == "mpeg4":
            stream.options = {"qscale": "1"}
        if plan.turn:
            stream.set_display_rotation(*plan.turn)
        if plan.pixel_aspect:
            stream.codec_context.sample_aspect_ratio = plan.pixel_aspect
        for image, pts in zip(images, pts_ms, strict=True):
            picture = av.VideoFrame.from_ndarray(image, format="bgr24")
            # One thread: in slices, FFmpeg 8 gets rows of odd pictures wrong now and then.
            picture = picture.reformat(format=plan.pixel_format, threads=1)
            picture.pts = round(Fraction(pts, 1000) / plan.time_base)
            picture.time_base = plan.time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def write_sound(path: Path, *, cover: np.ndarray | None = None) -> Path:
    """Write a tenth of a second of silence, with a cover picture if one is given (mp3 only)."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp3" if path.suffix == ".mp3" else "aac", rate=44100)
        picture_stream = None
        if cover is not None:
            picture_stream = container.add_stream("png", rate=1)
            picture_stream.height, picture_stream.width = cover.shape[:2]
            picture_stream.pix_fmt = "rgb24"
            picture_stream.disposition = av.stream.Disposition.attached_pic
            picture = av.VideoFrame.from_ndarray(cover, format="bgr24").reformat(format="rgb24")
            picture.pts = 0
            container.mux(picture_stream.encode(picture))
            container.mux(picture_stream.encode(None))
        layout, sample_format = "mono", stream.format.name
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 4410), np.float32), format="fltp", layout=layout
        )
        sound.sample_rate = 44100
        resampler = av.AudioResampler(format=sample_format, layout=stream.layout, rate=44100)
        for piece in resampler.resample(sound):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path
