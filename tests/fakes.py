"""Stand-ins that keep the real protocols, for tests that need no model, camera or face."""

import functools
import time

import numpy as np

from lanet_engines.base import EngineInfo
from lanet_engines.preprocessing import check_batch
from lanet_engines.spec import ModelSpec
from lanet_live.capture.base import SourceFacts, SourceReport
from lanet_live.face.models import TrackerInfo
from lanet_live.face.template import TEMPLATE_ID, TEMPLATE_INDICES, TEMPLATE_UNIT
from lanet_live.records import (
    ExpressionEstimate,
    FaceTrack,
    Frame,
    FrameResult,
    Quality,
)

LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


def make_spec(**changes) -> ModelSpec:
    """A usable model description with some fields changed."""
    values = {
        "name": "fake",
        "labels": LABELS,
        "input_size_px": 32,
        "color": "gray",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.25, 0.25, 0.25),
        "alignment": TEMPLATE_ID,
    }
    return ModelSpec(**(values | changes))


class FakeEngine:
    """An engine whose logits are a fixed linear map of each crop's column means."""

    def __init__(self, spec: ModelSpec | None = None) -> None:
        self.spec = spec or make_spec()
        self.info = EngineInfo(
            backend="fake",
            device="CPU",
            precision="fp32",
            runtime_version="1",
            model_sha256="0" * 64,
        )
        self.batches: list[np.ndarray] = []
        self.is_closed = False
        shape = (self.spec.input_size_px, len(self.spec.labels))
        self._weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    def infer(self, crops_bgr: np.ndarray) -> np.ndarray:
        check_batch(crops_bgr, self.spec)
        self.batches.append(crops_bgr)
        columns = crops_bgr.astype(np.float32).mean(axis=(1, 3)) / 64  # (N, S)
        return columns @ self._weights

    def close(self) -> None:
        self.is_closed = True


def make_landmarks(
    center_xy: tuple[float, float] = (160.0, 120.0), side_px: float = 100.0
) -> np.ndarray:
    """Landmarks of an upright face, (478, 2) float32: the template, other points in its middle."""
    unit = np.full((478, 2), 0.5)
    unit[TEMPLATE_INDICES] = TEMPLATE_UNIT
    return ((unit - 0.5) * side_px + np.array(center_xy)).astype(np.float32)


def make_track(face_id: int = 0, *, center_xy=(160.0, 120.0), side_px: float = 100.0) -> FaceTrack:
    landmarks = make_landmarks(center_xy, side_px)
    return FaceTrack(
        face_id=face_id,
        box_xyxy_px=np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)]),
        score=0.9,
        landmarks_px=landmarks,
        blendshapes=np.linspace(0, 1, 52, dtype=np.float32),
        pose_rad=np.array([0.1, -0.2, 0.05], dtype=np.float32),
    )


class FakeTracker:
    """A tracker that answers with given tracks, frame after frame, the last one for ever."""

    def __init__(self, *tracks_by_frame: tuple[FaceTrack, ...]) -> None:
        self._tracks_by_frame = tracks_by_frame
        self.n_updates = 0
        self.is_closed = False

    @property
    def info(self) -> TrackerInfo:
        return TrackerInfo("fake", "1.0", "CPU", "fp32")

    def update(self, frame: Frame) -> tuple[FaceTrack, ...]:
        index = min(self.n_updates, len(self._tracks_by_frame) - 1)
        self.n_updates += 1
        return self._tracks_by_frame[index]

    def close(self) -> None:
        self.is_closed = True


def make_frame(index: int = 0, *, timestamp_s: float | None = None, size_wh=(320, 240)) -> Frame:
    """A frame of smooth colour that moves with the index."""
    return Frame(
        image_bgr=_make_image(index % 50, *size_wh),
        index=index,
        timestamp_s=index / 25 if timestamp_s is None else timestamp_s,
        captured_at_s=time.perf_counter(),
        source_id="fake",
    )


@functools.lru_cache(maxsize=100)
def _make_image(index: int, width: int, height: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [(columns + 3 * index) % 256, (rows + 5 * index) % 256, (rows + columns) % 256]
    image_bgr = np.stack(planes, axis=-1).astype(np.uint8)
    image_bgr.setflags(write=False)
    return image_bgr


def make_estimate(
    face_id: int = 0, *, probabilities=None, labels=LABELS, is_reliable: bool = True, **changes
) -> ExpressionEstimate:
    if probabilities is None:
        probabilities = np.arange(1, len(labels) + 1) / sum(range(1, len(labels) + 1))
    values = {
        "face_id": face_id,
        "probabilities": np.asarray(probabilities, dtype=np.float64),
        "smoothed": None,
        "uncertainty": 0.25,
        "disagreement": None,
        "quality": Quality(0.8, ()),
        "is_reliable": is_reliable,
        "labels": labels,
    }
    return ExpressionEstimate(**(values | changes))


def make_result(
    index: int = 0, *, face_ids: tuple[int, ...] = (0,), timestamp_s: float | None = None, **changes
) -> FrameResult:
    """The result of one frame with the named faces; changes go to their estimates."""
    return FrameResult(
        frame=make_frame(index, timestamp_s=timestamp_s),
        tracks=tuple(make_track(i, center_xy=(80.0 + 60 * i, 120.0)) for i in face_ids),
        estimates=tuple(make_estimate(i, **changes) for i in face_ids),
    )


def make_facts(**changes) -> SourceFacts:
    values = {
        "source_id": "fake",
        "kind": "video",
        "width_px": 320,
        "height_px": 240,
        "nominal_fps": 25.0,
        "n_frames_expected": None,
        "duration_s": None,
        "is_live": False,
        "has_independent_frames": False,
        "details": {},
    }
    return SourceFacts(**(values | changes))


class FakeSource:
    """A source of a given number of frames; it may break off or fail to open."""

    def __init__(self, n_frames: int = 10, *, fps: float = 25.0, ending: Exception | None = None):
        self._n_frames = n_frames
        self._fps = fps
        self._ending = ending
        self._index = 0
        self.is_closed = False

    def open(self) -> SourceFacts:
        return make_facts(nominal_fps=self._fps, n_frames_expected=self._n_frames)

    def read(self) -> Frame | None:
        if self._index >= self._n_frames:
            if self._ending is not None:
                raise self._ending
            return None
        frame = make_frame(self._index, timestamp_s=self._index / self._fps)
        self._index += 1
        return frame

    def report(self) -> SourceReport:
        return SourceReport(n_decoded=self._index)

    def close(self) -> None:
        self.is_closed = True


class ListSink:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.results: list[FrameResult] = []
        self.is_closed = False

    def write(self, result: FrameResult) -> None:
        self.results.append(result)

    def close(self) -> None:
        self.is_closed = True
