"""Faces of a source, frame by frame, under lasting numbers.

Search once, follow cheaply: the detector looks at the frame and its tiles on a schedule
(`lanet_live.face.schedule`), each face it finds gets a follower of its own
(`lanet_live.face.follower`), and numbers come from looks, place and size
(`lanet_live.face.identity`). Everything depends on the frames and their times alone, so a file
gives the same answer on every run.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.agreement import NO_AGREEMENT, keypoint_disagreement
from lanet_live.face.appearance import CutDetector, face_chip
from lanet_live.face.follower import Follower, FollowerPool
from lanet_live.face.identity import SHORT_GAP_S, IdentityBook, Sighting
from lanet_live.face.landmarker import FaceDetector, FaceMesh
from lanet_live.face.matching import landmark_box
from lanet_live.face.pose import head_pose
from lanet_live.face.schedule import SearchSchedule
from lanet_live.face.search import (
    Candidate,
    View,
    is_same_face,
    look_closer,
    search,
    square_view_around,
)
from lanet_live.face.still import StillFaceFinder
from lanet_live.records import FaceTrack, Frame

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# A follower's view is this many times as wide as the face: room to move for a while, and in a
# portrait it is simply the whole frame.
_VIEW_ZOOM_OUT: Final = 4.0
# The view is moved when the face comes nearer to its edge than this, in widths of the face, or
# when it fills the view or shrinks in it.
_LEAST_MARGIN: Final = 0.3
_LARGEST_SHARE: Final = 0.55
_SMALLEST_SHARE: Final = 0.12
# Pause between closer looks at a face that is being followed: they renew its confidence.
_LOOK_INTERVAL_S: Final = 0.25
# Pause between looks at who it is, while nothing happens: a tenth of a second at most passes before
# somebody put in a face's place, without a cut of the whole picture, is noticed.
_CHIP_INTERVAL_S: Final = 0.1
# A face the detector has not confirmed for this long is given up: the mesh has drifted off.
_UNCONFIRMED_LIMIT_S: Final = 1.0
# The detector took it for a face and the landmarker did not: leave that place alone for a while.
_REJECTION_S: Final = 0.25
# Least score of the detector for a newcomer, and for a closer look at a face already known.
_NEWCOMER_CONFIDENCE: Final = 0.5
_KNOWN_CONFIDENCE: Final = 0.2


@dataclass(slots=True, eq=False)
class _Followed:
    """One face being followed; `mesh` is None while it is missing."""

    follower: Follower
    mesh: FaceMesh | None
    box_xyxy_px: F32Array
    score: float
    last_seen_s: float
    last_confirmed_s: float
    looked_at_s: float
    chip_taken_s: float = 0.0
    face_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Moment:
    """The frame at hand and its time on the tracker's own clock."""

    image_bgr: U8Array
    now_s: float
    is_cut: bool

    @property
    def size_wh(self) -> tuple[int, int]:
        return (self.image_bgr.shape[1], self.image_bgr.shape[0])

    @property
    def clock_ms(self) -> int:
        return round(self.now_s * 1000)


class FaceTracker:
    """Finds, follows and numbers the faces of one source.

    One tracker per source; opened, used and closed in one thread.
    """

    def __init__(self, *, max_faces: int = 8, has_independent_frames: bool = False) -> None:
        """Open the models.

        Args:
            max_faces: Follow at most this many faces at once.
            has_independent_frames: The frames are unrelated pictures: each is searched on its own,
                and its faces are numbered from 0, left to right.
        """
        self._max_faces = max_faces
        self._still: StillFaceFinder | None = None
        self._video: _VideoTracker | None = None
        if has_independent_frames:
            self._still = StillFaceFinder(max_faces=max_faces)
        else:
            self._video = _VideoTracker(max_faces)

    def update(self, frame: Frame) -> tuple[FaceTrack, ...]:
        """Return the faces of the next frame by ascending number.

        Raises:
            FaceModelError: MediaPipe failed.
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


class _VideoTracker:
    def __init__(self, max_faces: int) -> None:
        self._max_faces = max_faces
        self._detector = FaceDetector(min_confidence=_KNOWN_CONFIDENCE)
        self._pool = FollowerPool()
        self._pool.give_back(Follower())  # So that the first face does not wait for it.
        self._schedule = SearchSchedule()
        self._cuts = CutDetector()
        self._book = IdentityBook()
        self._followed: list[_Followed] = []
        self._rejected: list[tuple[F32Array, float]] = []
        self._first_timestamp_s: float | None = None
        self._size_wh = (0, 0)
        self._now_s = 0.0

    def update(self, frame: Frame) -> tuple[FaceTrack, ...]:
        moment = self._begin(frame)
        for face in self._followed:
            self._follow(face, moment)
        self._give_up_lost(moment)
        self._search(moment)
        self._identify(moment)
        tracks = [self._track(face, moment) for face in self._seen()]
        for face in self._seen():
            self._keep_in_view(face, moment)
        return tuple(sorted(tracks, key=lambda track: track.face_id))

    def close(self) -> None:
        for face in self._followed:
            face.follower.close()
        self._followed = []
        self._pool.close()
        self._detector.close()

    def _begin(self, frame: Frame) -> _Moment:
        """Put the frame on a clock that starts at 0 and never goes back, as MediaPipe demands."""
        if self._first_timestamp_s is None:
            self._first_timestamp_s = frame.timestamp_s
        self._now_s = max(self._now_s, frame.timestamp_s - self._first_timestamp_s)
        moment = _Moment(frame.image_bgr, self._now_s, self._cuts.is_cut(frame.image_bgr))
        if moment.size_wh != self._size_wh:
            self._size_wh = moment.size_wh
            self._release(self._followed)
        return moment

    def _seen(self) -> list[_Followed]:
        return [face for face in self._followed if face.mesh is not None]

    def _follow(self, face: _Followed, moment: _Moment) -> None:
        was_missing = face.mesh is None
        face.mesh = face.follower.follow(moment.image_bgr, clock_ms=moment.clock_ms)
        if face.mesh is None:
            return
        if (was_missing or moment.is_cut) and not self._is_confirmed(face, moment):
            face.mesh = None
            return
        face.box_xyxy_px = landmark_box(face.mesh.landmarks_px)
        if was_missing:
            face.face_id = None
        if was_missing or moment.now_s >= face.looked_at_s + _LOOK_INTERVAL_S:
            self._look(face, moment)
        if moment.now_s - face.last_confirmed_s > _UNCONFIRMED_LIMIT_S:
            face.mesh = None

    def _is_confirmed(self, face: _Followed, moment: _Moment) -> bool:
        """Tell whether the detector, shown what the follower sees, agrees with its mesh."""
        assert face.mesh is not None
        candidates = search(self._detector, moment.image_bgr, (face.follower.view,))
        return any(_agrees(candidate, face.mesh) for candidate in candidates)

    def _look(self, face: _Followed, moment: _Moment) -> None:
        """Renew the confidence of a face."""
        assert face.mesh is not None
        face.score = look_closer(self._detector, moment.image_bgr, face.mesh.landmarks_px)
        face.looked_at_s = moment.now_s
        if face.score > 0:
            face.last_confirmed_s = moment.now_s

    def _give_up_lost(self, moment: _Moment) -> None:
        """Stop following faces missed for long, and faces that another follower has as well."""
        seen: list[_Followed] = []
        lost = []
        for face in self._followed:
            is_lost = face.mesh is None and moment.now_s - face.last_seen_s > SHORT_GAP_S
            is_double = face.mesh is not None and any(
                is_same_face(face.box_xyxy_px, other.box_xyxy_px) for other in seen
            )
            if is_lost or is_double:
                lost.append(face)
            elif face.mesh is not None:
                seen.append(face)
        self._release(lost)

    def _search(self, moment: _Moment) -> None:
        seen = self._seen()
        if len(seen) >= self._max_faces:
            return
        views = self._schedule.views_due(
            moment.size_wh, moment.now_s, is_any_face_known=bool(seen), is_cut=moment.is_cut
        )
        self._rejected = [(box, until) for box, until in self._rejected if until > moment.now_s]
        for candidate in search(self._detector, moment.image_bgr, views):
            known = [face.box_xyxy_px for face in self._seen()]
            known += [box for box, _ in self._rejected]
            is_known = any(is_same_face(candidate.box_xyxy_px, box) for box in known)
            is_sure = candidate.score >= _NEWCOMER_CONFIDENCE
            if is_sure and not is_known and len(self._seen()) < self._max_faces:
                self._welcome(candidate, moment)

    def _welcome(self, candidate: Candidate, moment: _Moment) -> None:
        """Start to follow a newcomer, if the landmarker finds the same face."""
        box = candidate.box_xyxy_px
        missing = [face for face in self._followed if face.mesh is None]
        nearby = [face for face in missing if is_same_face(face.box_xyxy_px, box)]
        is_full = len(self._followed) >= self._max_faces
        self._release(nearby or (missing[:1] if is_full else []))
        follower = self._pool.take()
        follower.start(square_view_around(box, moment.size_wh, zoom_out=_VIEW_ZOOM_OUT))
        mesh = follower.follow(moment.image_bgr, clock_ms=moment.clock_ms)
        if mesh is None or not _agrees(candidate, mesh):
            self._pool.give_back(follower)
            self._rejected.append((box, moment.now_s + _REJECTION_S))
            return
        face = _Followed(
            follower=follower,
            mesh=mesh,
            box_xyxy_px=landmark_box(mesh.landmarks_px),
            score=0.0,
            last_seen_s=moment.now_s,
            last_confirmed_s=moment.now_s,
            looked_at_s=moment.now_s,
        )
        self._look(face, moment)
        self._followed.append(face)

    def _identify(self, moment: _Moment) -> None:
        """Number the faces at hand; what has no number for now counts as missing."""
        seen = self._seen()
        sightings = [self._sighting(face, moment) for face in seen]
        face_ids = self._book.identify(sightings, moment.now_s, is_cut=moment.is_cut)
        for face, face_id in zip(seen, face_ids, strict=True):
            face.face_id = face_id
            if face_id is None:
                face.mesh = None
            else:
                face.last_seen_s = moment.now_s

    def _sighting(self, face: _Followed, moment: _Moment) -> Sighting:
        assert face.mesh is not None
        is_chip_due = moment.now_s >= face.chip_taken_s + _CHIP_INTERVAL_S
        chip = None
        if is_chip_due or moment.is_cut or face.face_id is None:
            chip = face_chip(moment.image_bgr, face.mesh.landmarks_px)
            face.chip_taken_s = moment.now_s
        sighting = Sighting(box_xyxy_px=face.box_xyxy_px, chip=chip, followed_id=face.face_id)
        is_continued = self._book.is_continued(sighting, moment.now_s, is_cut=moment.is_cut)
        if not is_continued and face.looked_at_s < moment.now_s:
            self._look(face, moment)
        is_fresh = face.looked_at_s == moment.now_s
        return replace(sighting, confidence=face.score) if is_fresh else sighting

    def _track(self, face: _Followed, moment: _Moment) -> FaceTrack:
        assert face.mesh is not None
        assert face.face_id is not None
        return FaceTrack(
            face_id=face.face_id,
            box_xyxy_px=face.box_xyxy_px,
            score=face.score,
            landmarks_px=face.mesh.landmarks_px,
            blendshapes=face.mesh.blendshapes,
            pose_rad=head_pose(
                face.mesh.head_transform, view=face.follower.view, frame_size_wh=moment.size_wh
            ),
        )

    def _keep_in_view(self, face: _Followed, moment: _Moment) -> None:
        """Hand a face that is about to leave its follower's view to a follower with a better one.

        If the new one does not find the face at once, the old one goes on.
        """
        old = face.follower
        if not _needs_new_view(face.box_xyxy_px, old.view, moment.size_wh):
            return
        new = self._pool.take()
        new.start(square_view_around(face.box_xyxy_px, moment.size_wh, zoom_out=_VIEW_ZOOM_OUT))
        mesh = new.follow(moment.image_bgr, clock_ms=moment.clock_ms)
        if mesh is not None and is_same_face(landmark_box(mesh.landmarks_px), face.box_xyxy_px):
            face.follower = new
            self._pool.give_back(old)
        else:
            self._pool.give_back(new)

    def _release(self, faces: list[_Followed]) -> None:
        for face in faces:
            self._pool.give_back(face.follower)
        self._followed = [face for face in self._followed if face not in faces]


def _agrees(candidate: Candidate, mesh: FaceMesh) -> bool:
    return keypoint_disagreement(candidate.keypoints_px, mesh.landmarks_px) < NO_AGREEMENT


def _needs_new_view(box_xyxy: F32Array, view: View, frame_size_wh: tuple[int, int]) -> bool:
    width, height = frame_size_wh
    size = float((box_xyxy[2:] - box_xyxy[:2]).max())
    right, bottom = view.x + view.width, view.y + view.height
    # No margin is needed where the view ends with the frame.
    margins = (
        box_xyxy[0] - view.x if view.x > 0 else np.inf,
        box_xyxy[1] - view.y if view.y > 0 else np.inf,
        right - box_xyxy[2] if right < width else np.inf,
        bottom - box_xyxy[3] if bottom < height else np.inf,
    )
    is_whole_frame = (view.width, view.height) == frame_size_wh
    share = size / max(view.width, view.height)
    return (
        min(margins) < _LEAST_MARGIN * size
        or (share > _LARGEST_SHARE and not is_whole_frame)
        or share < _SMALLEST_SHARE
    )


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
