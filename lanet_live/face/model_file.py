"""The shipped MediaPipe model bundle, checked before use, and the networks inside it."""

import hashlib
import io
import zipfile
from functools import cache
from typing import Final

from lanet_live.errors import FaceModelError
from lanet_live.resources import asset_path

FACE_MODEL_NAME: Final = "models/face_landmarker.task"
FACE_MODEL_SHA256: Final = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
_DETECTOR_MEMBER: Final = "face_detector.tflite"


@cache
def read_face_model() -> bytes:
    """Return the shipped landmark model bundle, verified by its checksum.

    Raises:
        FaceModelError: The file cannot be read or is not the model this program was built for.
        ConfigError: The file is missing.
    """
    path = asset_path(FACE_MODEL_NAME)
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise FaceModelError(f"The face model {path} cannot be read: {exc.strerror}.") from exc
    if hashlib.sha256(content).hexdigest() != FACE_MODEL_SHA256:
        raise FaceModelError(
            f"The face model {path} is damaged or of another version; "
            "please install LA-Net Live again."
        )
    return content


def read_detector_model() -> bytes:
    """Return the face detector from inside the bundle: the landmarker's own first stage."""
    return read_member(_DETECTOR_MEMBER)


@cache
def read_member(name: str) -> bytes:
    """Return one network from inside the bundle, which is a zip file.

    Raises:
        FaceModelError: As `read_face_model`.
        KeyError: There is no member of that name.
    """
    with zipfile.ZipFile(io.BytesIO(read_face_model())) as bundle:
        return bundle.read(name)
