"""The faces of a source: followed through a video, or searched anew in each unrelated picture."""

import numpy as np
from numpy.typing import NDArray

from lanet_live.config import DEFAULT_MAX_FACES, TrackerConfig
from lanet_live.face.matching import landmark_box
from lanet_live.face.models import TrackerInfo, open_face_models
from lanet_live.face.still import StillFaceFinder
from lanet_live.face.video_tracker import VideoTracker
from lanet_live.records import FaceTrack, Frame

U8Array = NDArray[np.uint8]


class FaceTracker:
    """Finds, follows and numbers the faces of one source.

    One tracker per source; opened, used and closed in one thread.
    """

    def __init__(
        self,
        config: TrackerConfig | None = None,
        *,
        max_faces: int = DEFAULT_MAX_FACES,
        has_independent_frames: bool = False,
        with_blendshapes: bool = False,
    ) -> None:
        """Open the models.

        Args:
            config: How they are run; None for the usual way.
            max_faces: Follow at most this many faces at once.
            has_independent_frames: The frames are unrelated pictures: each is searched on its own,
                and its faces are numbered from 0, left to right.
            with_blendshapes: Also measure the blendshapes.

        Raises:
            FaceModelError: The models cannot be opened.
        """
        self._models = open_face_models(
            config or TrackerConfig(), with_blendshapes=with_blendshapes
        )
        self._max_faces = max_faces
        self._still: StillFaceFinder | None = None
        self._video: VideoTracker | None = None
        if has_independent_frames:
            self._still = StillFaceFinder(self._models, max_faces=max_faces)
        else:
            self._video = VideoTracker(
                max_faces=max_faces,
                open_detector=lambda score: self._models.open_detector(min_confidence=score),
                open_followers=self._models.open_followers,
            )

    @property
    def info(self) -> TrackerInfo:
        """What runs the models."""
        return self._models.info

    def update(self, frame: Frame) -> tuple[FaceTrack, ...]:
        """Return the faces of the next frame by ascending number.

        Raises:
            FaceModelError: The face models failed.
        """
        if self._still is not None:
            return _number_left_to_right(self._still, frame.image_bgr)
        if self._video is not None:
            return self._video.update(frame)
        raise ValueError("the tracker is closed")

    def close(self) -> None:
        """Free the models. May be called twice."""
        for part in (self._still, self._video):
            if part is not None:
                part.close()
        self._still = self._video = None
        self._models.close()


def _number_left_to_right(finder: StillFaceFinder, image_bgr: U8Array) -> tuple[FaceTrack, ...]:
    boxes_and_faces = [(landmark_box(f.landmarks_px), f) for f in finder.find(image_bgr)]
    boxes_and_faces.sort(key=lambda pair: float(pair[0][0]))
    return tuple(
        FaceTrack(
            face_id=number,
            box_xyxy_px=box,
            score=face.score,
            landmarks_px=face.landmarks_px,
            blendshapes=face.blendshapes,
            pose_rad=face.pose_rad,
        )
        for number, (box, face) in enumerate(boxes_and_faces)
    )
