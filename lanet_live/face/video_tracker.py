"""Faces of a video, frame by frame, under lasting numbers.

Search once, follow cheaply: the detector looks at the frame and its tiles on a schedule
(`lanet_live.face.schedule`), each face it finds gets a follower of its own
(`lanet_live.face.follower`), and numbers come from looks, place and size
(`lanet_live.face.identity`). Everything depends on the frames and their times alone, so a file
gives the same answer on every run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.face.agreement import NO_AGREEMENT, keypoint_disagreement
from lanet_live.face.appearance import CutDetector, face_chip
from lanet_live.face.identity import SHORT_GAP_S, IdentityBook, Sighting
from lanet_live.face.matching import box_iou, is_same_face, landmark_box, share_inside
from lanet_live.face.mesh import Detector, FaceMesh, Follower, FollowerPool
from lanet_live.face.pose import head_pose
from lanet_live.face.schedule import SearchSchedule
from lanet_live.face.search import Candidate, look_closer, search
from lanet_live.face.views import is_ill_placed, view_of_one
from lanet_live.records import FaceTrack, Frame

U8Array = NDArray[np.uint8]
F32Array = NDArray[np.float32]

# Pause between attempts to move it, so that a face that keeps on running costs at most so much.
_MOVE_INTERVAL_S: Final = 0.1
# A view that overlaps the present one like this is not worth a move.
_SAME_VIEW_IOU: Final = 0.75
# Pause between closer looks at a face that is being followed: they renew its confidence. One that
# changes is looked at without waiting.
_LOOK_INTERVAL_S: Final = 0.5
# A face the detector has not confirmed for this long is given up: the mesh has drifted off.
_UNCONFIRMED_LIMIT_S: Final = 1.0
# The detector took it for a face and the landmarker did not: leave that place alone for a while.
_REJECTION_S: Final = 0.1
# A face that has left the frame by more than this is gone: MediaPipe imagines the rest.
_LEAST_VISIBLE_SHARE: Final = 0.5
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
    next_move_s: float = 0.0
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


class VideoTracker:
    """Follows the faces of one video or camera. Opened, used and closed in one thread."""

    def __init__(
        self,
        *,
        max_faces: int,
        open_detector: Callable[[float], Detector],
        open_followers: Callable[[], FollowerPool],
    ) -> None:
        """Open the models.

        Args:
            max_faces: Follow at most this many faces at once.
            open_detector: Opens a detector with the given least confidence.
            open_followers: Opens what follows faces.
        """
        self._max_faces = max_faces
        self._detector = open_detector(_KNOWN_CONFIDENCE)
        self._pool = open_followers()
        self._schedule = SearchSchedule()
        self._cuts = CutDetector()
        self._book = IdentityBook()
        self._followed: list[_Followed] = []
        self._rejected: list[tuple[F32Array, float]] = []
        self._last_timestamp_s: float | None = None
        self._size_wh = (0, 0)
        self._now_s = 0.0

    def update(self, frame: Frame) -> tuple[FaceTrack, ...]:
        """Return the faces of the next frame by ascending number."""
        moment = self._begin(frame)
        meshes = self._pool.follow(
            [face.follower for face in self._followed], moment.image_bgr, clock_ms=moment.clock_ms
        )
        for face, mesh in zip(self._followed, meshes, strict=True):
            self._take_over(face, mesh, moment)
        self._give_up_lost(moment)
        self._search(moment)
        self._identify(moment)
        tracks = [_track(face) for face in self._seen()]
        for face in self._seen():
            self._keep_in_view(face, moment)
        return tuple(sorted(tracks, key=lambda track: track.face_id))

    def close(self) -> None:
        """Free the models. May be called twice."""
        self._followed = []
        self._pool.close()
        self._detector.close()

    def _begin(self, frame: Frame) -> _Moment:
        """Put the frame on a clock that starts at 0 and never goes back, as MediaPipe demands."""
        if self._last_timestamp_s is not None:
            self._now_s += max(0.0, frame.timestamp_s - self._last_timestamp_s)
        self._last_timestamp_s = frame.timestamp_s
        moment = _Moment(frame.image_bgr, self._now_s, self._cuts.is_cut(frame.image_bgr))
        if moment.size_wh != self._size_wh:
            self._size_wh = moment.size_wh
            self._release(self._followed)
        return moment

    def _seen(self) -> list[_Followed]:
        return [face for face in self._followed if face.mesh is not None]

    def _take_over(self, face: _Followed, mesh: FaceMesh | None, moment: _Moment) -> None:
        """Take what the follower found for the face, if it stands up to a check."""
        was_missing = face.mesh is None
        if mesh is not None and not _is_in_frame(mesh, moment):
            mesh = None
        face.mesh = mesh
        if mesh is None:
            return
        if (was_missing or moment.is_cut) and not self._is_confirmed(face, moment):
            face.mesh = None
            return
        face.box_xyxy_px = landmark_box(mesh.landmarks_px)
        if was_missing:
            face.face_id = None
        if was_missing or moment.now_s >= face.looked_at_s + _LOOK_INTERVAL_S:
            self._look(face, moment)
        if moment.now_s - face.last_confirmed_s > _UNCONFIRMED_LIMIT_S:
            face.mesh = None

    def _is_confirmed(self, face: _Followed, moment: _Moment) -> bool:
        """Return whether the detector, shown what the follower sees, agrees with its mesh."""
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
        candidates = search(self._detector, moment.image_bgr, views)
        for candidate in candidates:
            known = [face.box_xyxy_px for face in self._seen()]
            known += [box for box, _ in self._rejected]
            is_known = any(is_same_face(candidate.box_xyxy_px, box) for box in known)
            is_sure = candidate.score >= _NEWCOMER_CONFIDENCE
            if is_sure and not is_known and len(self._seen()) < self._max_faces:
                others = [c.box_xyxy_px for c in candidates if c is not candidate]
                self._welcome(candidate, others, moment)

    def _welcome(self, candidate: Candidate, others: list[F32Array], moment: _Moment) -> None:
        """Start to follow a newcomer, if the landmarker finds the same face."""
        box = candidate.box_xyxy_px
        missing = [face for face in self._followed if face.mesh is None]
        nearby = [face for face in missing if is_same_face(face.box_xyxy_px, box)]
        is_full = len(self._followed) >= self._max_faces
        self._release(nearby or (missing[:1] if is_full else []))
        follower = self._pool.take()
        others = others + [face.box_xyxy_px for face in self._seen()]
        follower.start(view_of_one(box, others, moment.size_wh))
        (mesh,) = self._pool.follow([follower], moment.image_bgr, clock_ms=moment.clock_ms)
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
        sighting = Sighting(
            box_xyxy_px=face.box_xyxy_px,
            chip=face_chip(moment.image_bgr, face.mesh.landmarks_px),
            followed_id=face.face_id,
        )
        is_steady = self._book.is_steady(sighting, moment.now_s, is_cut=moment.is_cut)
        if not is_steady and face.looked_at_s < moment.now_s:
            self._look(face, moment)
        is_fresh = face.looked_at_s == moment.now_s
        return replace(sighting, confidence=face.score) if is_fresh else sighting

    def _keep_in_view(self, face: _Followed, moment: _Moment) -> None:
        """Let a face that is about to leave its follower's view be followed in a better one."""
        if moment.now_s < face.next_move_s or not is_ill_placed(
            face.box_xyxy_px, face.follower.view, moment.size_wh
        ):
            return
        face.next_move_s = moment.now_s + _MOVE_INTERVAL_S
        others = [other.box_xyxy_px for other in self._seen() if other is not face]
        view = view_of_one(face.box_xyxy_px, others, moment.size_wh)
        if box_iou(view.box_xyxy, face.follower.view.box_xyxy) > _SAME_VIEW_IOU:
            return
        face.follower = self._pool.change_view(
            face.follower,
            view,
            moment.image_bgr,
            clock_ms=moment.clock_ms,
            is_same=lambda mesh: is_same_face(landmark_box(mesh.landmarks_px), face.box_xyxy_px),
        )

    def _release(self, faces: list[_Followed]) -> None:
        for face in faces:
            self._pool.give_back(face.follower)
        self._followed = [face for face in self._followed if face not in faces]


def _track(face: _Followed) -> FaceTrack:
    assert face.mesh is not None
    assert face.face_id is not None
    return FaceTrack(
        face_id=face.face_id,
        box_xyxy_px=face.box_xyxy_px,
        score=face.score,
        landmarks_px=face.mesh.landmarks_px,
        blendshapes=face.mesh.blendshapes,
        pose_rad=head_pose(face.mesh.landmarks_px, face.mesh.depth_px),
    )


def _is_in_frame(mesh: FaceMesh, moment: _Moment) -> bool:
    frame_box = np.array([0, 0, *moment.size_wh], dtype=np.float32)
    return share_inside(landmark_box(mesh.landmarks_px), frame_box) >= _LEAST_VISIBLE_SHARE


def _agrees(candidate: Candidate, mesh: FaceMesh) -> bool:
    return keypoint_disagreement(candidate.keypoints_px, mesh.landmarks_px) < NO_AGREEMENT
