"""MediaPipe's face landmarker and face detector behind plain arrays.

Only this module talks to MediaPipe. It is imported when the first task is created: the import
costs most of a second, and the command line's help must not wait for it.
"""

import ctypes
import logging
from enum import Enum
from typing import Any, ClassVar
from weakref import finalize

import cv2
import numpy as np
from numpy.typing import NDArray

from lanet_live.errors import FaceModelError
from lanet_live.face.mesh import FaceDetection, FaceMesh
from lanet_live.face.model_file import read_detector_model, read_face_model
from lanet_live.face.offline import offline_options, route_uploads_nowhere
from lanet_live.face.quiet import capture_native_stderr

logger = logging.getLogger(__name__)

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]


class RunningMode(Enum):
    """How the landmarker is fed."""

    IMAGE = "image"  # every picture on its own
    VIDEO = "video"  # follows faces from picture to picture; smooths when it follows one face


class FaceLandmarker:
    """Landmarks and blendshapes of the faces in a picture.

    Opened, used and closed in one thread. In VIDEO mode one landmarker serves one video.
    """

    def __init__(
        self,
        mode: RunningMode,
        *,
        max_faces: int = 1,
        min_detection_confidence: float = 0.5,
        min_presence_confidence: float = 0.5,
    ) -> None:
        from mediapipe.tasks.python.vision import face_landmarker
        from mediapipe.tasks.python.vision.core import vision_task_running_mode

        options = face_landmarker.FaceLandmarkerOptions(
            base_options=offline_options(read_face_model()),
            running_mode=vision_task_running_mode.VisionTaskRunningMode[mode.name],
            num_faces=max_faces,
            min_face_detection_confidence=min_detection_confidence,
            min_face_presence_confidence=min_presence_confidence,
            output_face_blendshapes=True,
        )
        self._mode = mode
        self._last_timestamp_ms = -1
        self._result_type = face_landmarker.MpFaceLandmarkerResultC
        self._task = _create(face_landmarker.FaceLandmarker, options)
        # MediaPipe's own detect() hands each call to a thread of its own and turns each of the 478
        # landmarks into a Python object, which costs more than a millisecond a face while other
        # threads want the interpreter; the same C function is called here, and its memory is read
        # as one array.
        self._library = self._task._lib._lib
        self._closer = finalize(self, _close, self._task)

    def find(self, image_bgr: U8Array) -> tuple[FaceMesh, ...]:
        """Find faces in one picture; IMAGE mode only.

        Args:
            image_bgr: (H, W, 3) uint8.
        """
        if self._mode is not RunningMode.IMAGE:
            raise ValueError("find() needs a landmarker in IMAGE mode")
        return self._run("MpFaceLandmarkerDetectImage", image_bgr)

    def follow(self, image_bgr: U8Array, *, timestamp_ms: int) -> tuple[FaceMesh, ...]:
        """Follow faces into the next picture; VIDEO mode only.

        Args:
            image_bgr: (H, W, 3) uint8; the view must not move between calls.
            timestamp_ms: Greater than at the call before.
        """
        if self._mode is not RunningMode.VIDEO:
            raise ValueError("follow() needs a landmarker in VIDEO mode")
        if timestamp_ms <= self._last_timestamp_ms:
            raise ValueError(
                f"timestamp_ms must increase: {timestamp_ms} after {self._last_timestamp_ms}"
            )
        self._last_timestamp_ms = timestamp_ms
        return self._run("MpFaceLandmarkerDetectForVideo", image_bgr, timestamp_ms)

    def close(self) -> None:
        """Free the landmarker. May be called twice."""
        self._closer()

    def _run(self, function: str, image_bgr: U8Array, *timestamp: int) -> tuple[FaceMesh, ...]:
        if not self._closer.alive:
            raise ValueError("the landmarker is closed")
        image = _to_mediapipe(image_bgr)
        result, message = self._result_type(), ctypes.c_char_p()
        status = getattr(self._library, function)(
            self._task._handle,
            image._image_ptr,
            None,
            *timestamp,
            ctypes.byref(result),
            ctypes.byref(message),
        )
        if status != 0:
            raise FaceModelError(
                f"MediaPipe failed on a frame: {_take_message(self._library, message)}"
            )
        try:
            size_wh = np.array([image_bgr.shape[1], image_bgr.shape[0]], dtype=np.float32)
            return tuple(_read_mesh(result, i, size_wh) for i in range(result.face_landmarks_count))
        finally:
            self._library.MpFaceLandmarkerCloseResult(ctypes.byref(result))


class FaceDetector:
    """MediaPipe's short-range face detector, the landmarker's own first stage, with its scores.

    The landmarker keeps these scores to itself. Opened, used and closed in one thread.
    """

    # Once per process, mostly on the first picture, it warns that it copies its input.
    _has_warned: ClassVar[bool] = False

    def __init__(self, *, min_confidence: float = 0.5) -> None:
        from mediapipe.tasks.python.vision import face_detector

        options = face_detector.FaceDetectorOptions(
            base_options=offline_options(read_detector_model()),
            min_detection_confidence=min_confidence,
        )
        self._task = _create(face_detector.FaceDetector, options)
        self._closer = finalize(self, _close, self._task)
        self.detect(np.zeros((128, 128, 3), dtype=np.uint8))  # Fails here, if it fails at all.

    def detect(self, image_bgr: U8Array) -> tuple[FaceDetection, ...]:
        """Find faces wider than about an eighth of the picture.

        Args:
            image_bgr: (H, W, 3) uint8.
        """
        if not self._closer.alive:
            raise ValueError("the detector is closed")
        image = _to_mediapipe(image_bgr)
        try:
            if FaceDetector._has_warned:
                result = self._task.detect(image)
            else:
                with capture_native_stderr() as lines:
                    result = self._task.detect(image)
                FaceDetector._has_warned = bool(lines)
        except (RuntimeError, ValueError) as exc:
            raise FaceModelError(f"MediaPipe failed on a frame: {exc}") from exc
        size_wh = np.array([image_bgr.shape[1], image_bgr.shape[0]], dtype=np.float32)
        return tuple(_read_detection(detection, size_wh) for detection in result.detections)

    def close(self) -> None:
        """Free the detector. May be called twice."""
        self._closer()


def _create(task_type: Any, options: Any) -> Any:
    route_uploads_nowhere()
    with capture_native_stderr():
        try:
            return task_type.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as exc:
            raise FaceModelError(f"MediaPipe cannot open its face model: {exc}") from exc


def _close(task: Any) -> None:
    with capture_native_stderr():
        try:
            task.close()
        except RuntimeError as exc:
            # The interpreter is going down and takes no more calls; without its handle the task's
            # own __del__ does not try again and print a traceback.
            logger.debug("MediaPipe task left to the operating system: %s", exc)
            task._handle = None


def _take_message(library: Any, message: ctypes.c_char_p) -> str:
    """Copy an error message of the C library and free it."""
    if message.value is None:
        return "it gives no reason"
    text = message.value.decode("utf-8", errors="replace")
    library.MpErrorFree(message)
    return text


def _to_mediapipe(image_bgr: U8Array) -> Any:
    from mediapipe.tasks.python.vision.core.image import Image, ImageFormat

    # cvtColor returns a contiguous copy, as MediaPipe wants it, for a view into a frame as well.
    return Image(image_format=ImageFormat.SRGB, data=cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB))


def _read_mesh(result: Any, index: int, size_wh: F32Array) -> FaceMesh:
    points = result.face_landmarks[index]
    categories = result.face_blendshapes[index]
    blendshapes = _structs_as_array(categories.categories, categories.categories_count, ("score",))
    xyz = _structs_as_array(points.landmarks, points.landmarks_count, ("x", "y", "z"))  # (478, 3)
    return FaceMesh(
        landmarks_px=xyz[:, :2] * size_wh,
        blendshapes=blendshapes[:, 0],
        depth_px=xyz[:, 2] * size_wh[0],  # MediaPipe counts depth in widths of the picture.
    )


def _structs_as_array(pointer: Any, count: int, fields: tuple[str, ...]) -> F32Array:
    """Copy float fields of a C array of structs into a (count, len(fields)) array."""
    struct = pointer._type_
    layout = np.dtype(
        {
            "names": list(fields),
            "formats": [np.float32] * len(fields),
            "offsets": [getattr(struct, name).offset for name in fields],
            "itemsize": ctypes.sizeof(struct),
        }
    )
    raw = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_uint8))
    records = np.ctypeslib.as_array(raw, shape=(count * layout.itemsize,)).view(layout)
    return np.stack([records[name] for name in fields], axis=1)  # (count, len(fields)), a copy


def _read_detection(detection: Any, size_wh: F32Array) -> FaceDetection:
    box = detection.bounding_box
    x, y = float(box.origin_x), float(box.origin_y)
    return FaceDetection(
        box_xyxy_px=np.array([x, y, x + box.width, y + box.height], dtype=np.float32),
        keypoints_px=np.array([(k.x, k.y) for k in detection.keypoints], dtype=np.float32)
        * size_wh,
        score=float(detection.categories[0].score),
    )
