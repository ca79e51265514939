"""Build `assets/demo.mp4` from a public-domain portrait.

The portrait is NASA's photograph of astronaut Eileen Collins, as it ships with scikit-image
(`pip install scikit-image`). A virtual camera moves over it; then the picture is blurred, darkened
and covered, one after the other and each coming and going, so that the timeline of the demo shows
how quality and uncertainty react.

    python scripts/make_demo_clip.py assets/demo.mp4
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

U8Array = NDArray[np.uint8]

FPS = 25
DURATION_S = 9.0
SIZE_WH = (640, 360)
FACE_CENTRE = (226.0, 128.0)
BLUR_S = (2.2, 3.8)
DARKNESS_S = (4.2, 5.8)
OCCLUSION_S = (6.2, 8.2)


def _strength(time_s: float, span_s: tuple[float, float]) -> float:
    """Rise from 0 to 1 and fall back to 0 over a span of time."""
    start, end = span_s
    if not start < time_s < end:
        return 0.0
    return float(np.sin(np.pi * (time_s - start) / (end - start)))


def _camera_view(portrait: U8Array, time_s: float) -> U8Array:
    """Move, zoom and tilt a virtual camera over the portrait."""
    zoom = 1.75 + 0.2 * np.sin(2 * np.pi * time_s / 5.0)
    tilt_deg = 5.0 * np.sin(2 * np.pi * time_s / 4.0)
    centre = (
        FACE_CENTRE[0] + 30 * np.sin(2 * np.pi * time_s / 6.0),
        FACE_CENTRE[1] + 10 * np.sin(2 * np.pi * time_s / 3.5),
    )
    matrix = cv2.getRotationMatrix2D(centre, tilt_deg, zoom)
    matrix[:, 2] += np.array(SIZE_WH) / 2 - centre
    return cv2.warpAffine(
        portrait, matrix, SIZE_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


def _degrade(view: U8Array, time_s: float) -> U8Array:
    blur = _strength(time_s, BLUR_S)
    if blur > 0:
        view = cv2.GaussianBlur(view, (0, 0), 0.1 + 9 * blur)
    darkness = _strength(time_s, DARKNESS_S)
    if darkness > 0:
        noise = np.random.default_rng(round(time_s * FPS)).normal(0, 6 * darkness, view.shape)
        view = np.clip(view * (1 - 0.96 * darkness) + noise, 0, 255).astype(np.uint8)
    start, end = OCCLUSION_S
    if start < time_s < end:
        # A plain dark board is carried across the face, from left to right.
        left = int(-260 + (time_s - start) / (end - start) * (SIZE_WH[0] + 260))
        view = cv2.rectangle(view.copy(), (left, 0), (left + 250, SIZE_WH[1]), (58, 52, 46), -1)
    return view


def write_clip(path: Path) -> None:
    """Render the clip as H.264 in MP4, index first."""
    portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "24"})
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for index in range(round(DURATION_S * FPS)):
            time_s = index / FPS
            view = _degrade(_camera_view(portrait, time_s), time_s)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(view), format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def main() -> None:
    """Read the command line and write the clip."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path, nargs="?", default=Path("assets/demo.mp4"))
    path = parser.parse_args().path
    write_clip(path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
