"""The three networks of the shipped face model, opened on an engine."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_engines.base import EngineInfo
from lanet_engines.errors import EngineError
from lanet_engines.network import Network, NetworkFile, PictureInput
from lanet_engines.options import OpenOptions
from lanet_engines.registry import open_network
from lanet_live.errors import FaceModelError
from lanet_live.face.alignment import N_LANDMARKS
from lanet_live.face.model_file import FACE_MODEL_SHA256, read_member
from lanet_live.face.networks.anchors import INPUT_SIZE_PX
from lanet_live.face.networks.region import Region, cut_region

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

MESH_SIZE_PX: Final = 256
# Members of the bundle and names inside them.
_DETECTOR: Final = ("face_detector.tflite", "input", "regressors", "classificators")
_MESH: Final = ("face_landmarks_detector.tflite", "input_12", "Identity", "Identity_1")
_SHAPES: Final = (
    "face_blendshapes.tflite",
    "serving_default_input_points:0",
    "StatefulPartitionedCall:0",
)
# Larger batches are put together of these; each is compiled when it is first needed.
_BATCH_SIZES: Final = (1, 2, 4)

# The points the blendshape network reads: eyes with irises, brows, lips, nose and outline.
# fmt: off
_SHAPE_POINTS: Final = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66,
    67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144,
    145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173,
    176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284,
    285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332,
    334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473,
    474, 475, 476, 477,
])
# fmt: on


class FaceNetworks:
    """Detector, landmark network and blendshape network. Used by one thread at a time.

    Args:
        options: Precision, device and threads.

    Raises:
        FaceModelError: A network cannot be opened.
    """

    def __init__(self, options: OpenOptions) -> None:
        self._options = options
        self._detector = _open(_DETECTOR[0], options, {_DETECTOR[1]: PictureInput(-1.0, 1.0)})
        self._mesh = _open(
            _MESH[0], options, {_MESH[1]: PictureInput(0.0, 1.0)}, batch_sizes=_BATCH_SIZES
        )
        # Opened when somebody asks for blendshapes.
        self._shapes: Network | None = None
        self._crops = np.zeros((0, MESH_SIZE_PX, MESH_SIZE_PX, 3), dtype=np.uint8)

    @property
    def info(self) -> EngineInfo:
        """What runs them."""
        return self._mesh.info

    def detect(self, picture_bgr: U8Array) -> tuple[F32Array, F32Array]:
        """Run the detector on a picture of its own size, (128, 128, 3) uint8.

        Returns:
            Regressors (896, 16) and logits (896,); see `lanet_live.face.networks.anchors`.
        """
        _, name, regressors, logits = _DETECTOR
        answer = _run(self._detector, {name: picture_bgr[None]})
        return answer[regressors][0], answer[logits][0, :, 0]

    def find_meshes(
        self, image_bgr: U8Array, regions: Sequence[Region]
    ) -> tuple[F32Array, F32Array]:
        """Measure the faces in regions of a picture, all in one batch.

        Args:
            image_bgr: (H, W, 3) uint8.
            regions: N >= 1 of them.

        Returns:
            Points (N, 478, 3) in pixels of the picture, the third growing away from the viewer;
            how surely each region shows a face, (N,), 0 to 1.
        """
        if len(self._crops) < len(regions):
            self._crops = np.zeros((len(regions), *self._crops.shape[1:]), dtype=np.uint8)
        for region, crop in zip(regions, self._crops, strict=False):
            cut_region(image_bgr, region, crop)
        _, name, landmarks, presence = _MESH
        answer = _run(self._mesh, {name: self._crops[: len(regions)]})
        points = answer[landmarks].reshape(-1, N_LANDMARKS, 3)
        logits = answer[presence].reshape(-1).astype(np.float64)
        meshes = np.stack([_in_picture(p, r) for p, r in zip(points, regions, strict=True)])
        return meshes, (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)

    def blendshapes(self, landmarks_px: F32Array) -> F32Array:
        """Return the blendshapes of a mesh, (478, 2) -> (52,), 0 to 1."""
        member, name, coefficients = _SHAPES
        if self._shapes is None:
            self._shapes = _open(member, self._options, {})
        return _run(self._shapes, {name: landmarks_px[None, _SHAPE_POINTS]})[coefficients]

    def close(self) -> None:
        """Free the networks. May be called twice."""
        for network in (self._detector, self._mesh, self._shapes):
            if network is not None:
                network.close()


def blank_detector_input() -> U8Array:
    """Return a black picture of the detector's size."""
    return np.zeros((INPUT_SIZE_PX, INPUT_SIZE_PX, 3), dtype=np.uint8)


def _open(
    member: str,
    options: OpenOptions,
    pictures: dict[str, PictureInput],
    *,
    batch_sizes: tuple[int, ...] = (1,),
) -> Network:
    file = NetworkFile(
        name=member,
        content=read_member(member),
        sha256=FACE_MODEL_SHA256,
        pictures=pictures,
        batch_sizes=batch_sizes,
    )
    try:
        return open_network(file, options)
    except EngineError as error:
        raise FaceModelError(f"The face networks cannot be opened: {error}") from error


def _run(network: Network, arrays: dict[str, NDArray[np.uint8] | F32Array]) -> dict[str, F32Array]:
    try:
        return network.run(arrays)
    except EngineError as error:
        raise FaceModelError(f"The face networks failed on a frame: {error}") from error


def _in_picture(points: F32Array, region: Region) -> F32Array:
    """Carry landmarks (478, 3) from the crop back into the picture.

    Depth grows with the region, whichever way it is turned. (MediaPipe measures it along the turned
    side in widths and heights of the picture, and stretches it where those differ.)
    """
    to_picture = region.to_picture(MESH_SIZE_PX).astype(np.float32)
    placed = np.empty_like(points)
    placed[:, :2] = points[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
    placed[:, 2] = points[:, 2] * np.float32(region.side_px / MESH_SIZE_PX)
    return placed
