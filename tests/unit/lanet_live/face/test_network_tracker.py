"""The networks against MediaPipe's graph on real pictures, and what following with them means."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice

import av
import cv2
import numpy as np
import psutil
import pytest

from lanet_engines.options import OpenOptions
from lanet_live.config import TrackerConfig
from lanet_live.errors import FaceModelError
from lanet_live.face.landmarker import FaceDetector, FaceLandmarker, RunningMode
from lanet_live.face.models import open_face_models
from lanet_live.face.networks.models import NetworkFaceModels
from lanet_live.face.tracker import FaceTracker
from lanet_live.face.views import View
from lanet_live.records import Frame
from lanet_live.resources import asset_path

PUPILS = [468, 473]


@pytest.fixture(scope="module")
def demo() -> list[np.ndarray]:
    with av.open(str(asset_path("demo.mp4"))) as container:
        pictures = islice(container.decode(video=0), 60)
        return [picture.to_ndarray(format="bgr24") for picture in pictures]


@pytest.fixture(scope="module")
def models() -> Iterator[NetworkFaceModels]:
    opened = NetworkFaceModels(OpenOptions(threads=1), with_blendshapes=True)
    yield opened
    opened.close()


def percent_of_pupils(landmarks: np.ndarray, true: np.ndarray) -> float:
    pupils = np.linalg.norm(np.subtract(*true[PUPILS]))
    return float(100 * np.linalg.norm(landmarks - true, axis=1).mean() / pupils)


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    middle = (image.shape[1] / 2, image.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_a_single_picture_gets_mediapipes_own_answer(models, demo, degrees: float) -> None:
    image = turned(demo[0], degrees)
    graph = FaceLandmarker(RunningMode.IMAGE)
    (true,) = graph.find(image)
    graph.close()
    (mesh,) = models.open_landmarker(max_faces=1).find(image)
    assert percent_of_pupils(mesh.landmarks_px, true.landmarks_px) < 0.2
    if degrees == 0:  # MediaPipe stretches the depth of a tilted face by the picture's aspect.
        assert np.abs(mesh.depth_px - true.depth_px).mean() < 0.5
    assert mesh.blendshapes is not None
    assert np.abs(mesh.blendshapes - true.blendshapes).max() < 0.02


def test_the_depth_of_a_face_does_not_depend_on_its_tilt(models, demo) -> None:
    landmarker = models.open_landmarker(max_faces=1)
    spans = [
        float(np.ptp(landmarker.find(turned(demo[0], degrees))[0].depth_px))
        for degrees in (0, 25, -40)
    ]
    assert spans == pytest.approx([spans[0]] * 3, rel=0.05)


@pytest.mark.parametrize("size_wh", [(640, 360), (288, 288), (211, 300)])
def test_the_detector_gives_mediapipes_own_answer(models, demo, size_wh: tuple[int, int]) -> None:
    image = cv2.resize(demo[0], size_wh, interpolation=cv2.INTER_CUBIC)
    graph = FaceDetector(min_confidence=0.5)
    (true,) = graph.detect(image)
    graph.close()
    (found,) = models.open_detector(min_confidence=0.5).detect(image)
    assert found.score == pytest.approx(true.score, abs=1e-4)
    assert np.abs(found.keypoints_px - true.keypoints_px).max() < 0.01
    assert np.abs(found.box_xyxy_px - true.box_xyxy_px).max() < 2.0  # its boxes are whole pixels


def test_a_video_gets_the_answer_of_mediapipes_video_mode(models, demo) -> None:
    graph = FaceLandmarker(RunningMode.VIDEO)
    pool = models.open_followers()
    follower = pool.take()
    follower.start(View(0, 0, demo[0].shape[1], demo[0].shape[0]))
    distances = []
    for index, image in enumerate(demo):
        (true,) = graph.follow(image, timestamp_ms=40 * index)
        (mesh,) = pool.follow([follower], image, clock_ms=40 * index)
        assert mesh is not None
        distances.append(percent_of_pupils(mesh.landmarks_px, true.landmarks_px))
    graph.close()
    assert np.mean(distances) < 0.1
    assert max(distances) < 0.3


def test_faces_followed_together_get_the_answers_of_faces_followed_alone(models, demo) -> None:
    """Three copies of the face in one frame, the batch put together of two and one."""
    face = demo[0][:, 130:490]
    scene = np.hstack([face, face[:, ::-1], face])
    pool = models.open_followers()
    views = [View(x, 0, 360, 360) for x in (0, 360, 720)]
    together, alone = [pool.take() for _ in views], [pool.take() for _ in views]
    for followers in (together, alone):
        for follower, view in zip(followers, views, strict=True):
            follower.start(view)
    for clock_ms in (0, 40, 80):
        meshes = pool.follow(together, scene, clock_ms=clock_ms)
        for mesh, follower, view in zip(meshes, alone, views, strict=True):
            (single,) = pool.follow([follower], scene, clock_ms=clock_ms)
            assert mesh is not None
            assert single is not None
            assert np.abs(mesh.landmarks_px - single.landmarks_px).max() < 0.05
            centre = mesh.landmarks_px.mean(axis=0) - view.offset_px
            assert (centre > 0).all()
            assert (centre < 360).all()


def test_a_face_that_goes_is_lost_and_found_again_in_the_frame_it_comes_back(models, demo) -> None:
    pool = models.open_followers()
    follower = pool.take()
    follower.start(View(0, 0, 640, 360))
    blank = np.full_like(demo[0], 90)
    seen = [
        pool.follow([follower], image, clock_ms=40 * index)[0] is not None
        for index, image in enumerate([demo[0], demo[1], blank, blank, demo[2], demo[3]])
    ]
    assert seen == [True, True, False, False, True, True]


def test_a_face_that_jumps_within_its_view_is_found_in_the_same_frame(models, demo) -> None:
    pool = models.open_followers()
    follower = pool.take()
    follower.start(View(0, 0, 640, 360))
    moved = np.roll(demo[1], 250, axis=1)
    (before,) = pool.follow([follower], demo[0], clock_ms=0)
    (after,) = pool.follow([follower], moved, clock_ms=40)
    assert before is not None
    assert after is not None
    assert after.landmarks_px[:, 0].mean() - before.landmarks_px[:, 0].mean() > 200


def test_a_view_can_be_changed_without_losing_the_face(models, demo) -> None:
    pool = models.open_followers()
    follower = pool.take()
    follower.start(View(0, 0, 640, 360))
    pool.follow([follower], demo[0], clock_ms=0)
    other = View(100, 0, 400, 360)
    kept = pool.change_view(follower, other, demo[0], clock_ms=0, is_same=lambda mesh: False)
    assert kept is follower
    assert kept.view == other
    assert pool.follow([kept], demo[1], clock_ms=40)[0] is not None


def test_a_follower_started_anew_forgets_the_face(models, demo) -> None:
    pool = models.open_followers()
    follower = pool.take()
    follower.start(View(0, 0, 640, 360))
    pool.follow([follower], demo[0], clock_ms=0)
    follower.start(View(480, 0, 160, 360))  # there is no face
    assert pool.follow([follower], demo[1], clock_ms=40) == [None]


@pytest.mark.parametrize("has_independent_frames", [False, True])
def test_blendshapes_are_made_only_when_they_are_asked_for(demo, has_independent_frames) -> None:
    for with_blendshapes in (False, True):
        tracker = FaceTracker(
            TrackerConfig("openvino"),
            has_independent_frames=has_independent_frames,
            with_blendshapes=with_blendshapes,
        )
        (track,) = tracker.update(Frame(demo[0], 0, 0.0, 0.0, "demo"))
        tracker.close()
        assert (track.blendshapes is not None) == with_blendshapes


def test_every_run_gives_the_same_numbers(demo) -> None:
    runs = []
    for _ in range(2):
        tracker = FaceTracker(TrackerConfig("openvino"))
        runs.append(
            [
                tracker.update(Frame(image, index, index / 25, 0.0, "demo"))[0].landmarks_px
                for index, image in enumerate(demo[:20])
            ]
        )
        tracker.close()
    assert np.array_equal(runs[0], runs[1])


def test_mediapipe_is_not_even_loaded() -> None:
    """Its graph, its reports and its chatter stay out of the usual way."""
    program = (
        "import sys, numpy as np\n"
        "from lanet_live.config import TrackerConfig\n"
        "from lanet_live.face.tracker import FaceTracker\n"
        "from lanet_live.records import Frame\n"
        "tracker = FaceTracker(TrackerConfig('openvino'))\n"
        "tracker.update(Frame(np.zeros((360, 640, 3), np.uint8), 0, 0.0, 0.0, 'black'))\n"
        "tracker.close()\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'mediapipe'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_memory_does_not_grow_with_the_frames(demo) -> None:
    tracker = FaceTracker(TrackerConfig("openvino"), with_blendshapes=True)
    process = psutil.Process()
    before = 0
    for index in range(6 * len(demo)):
        if index == 2 * len(demo):
            before = process.memory_info().rss
        tracker.update(Frame(demo[index % len(demo)], index, index / 25, 0.0, "demo"))
    growth_mb = (process.memory_info().rss - before) / 1e6
    tracker.close()
    assert growth_mb < 5.0


@pytest.mark.parametrize("name", ["openvino", "mediapipe"])
def test_a_tracker_names_itself(name: str) -> None:
    tracker = FaceTracker(TrackerConfig(name), has_independent_frames=True)
    tracker.close()
    assert tracker.info.name == name
    assert tracker.info.runtime_version[0].isdigit()
    assert (tracker.info.device[:3], tracker.info.precision) == ("CPU", "fp32")


def test_a_device_that_is_not_here_is_one_sentence() -> None:
    with pytest.raises(FaceModelError, match=r"no device 'GPU\.7' here; it has CPU"):
        FaceTracker(TrackerConfig("openvino", device="GPU.7"))


def test_there_is_no_other_tracker() -> None:
    with pytest.raises(ValueError, match="no tracker 'dlib'"):
        open_face_models(TrackerConfig("dlib"))
