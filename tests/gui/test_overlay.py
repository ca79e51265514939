import numpy as np
import pytest
from PySide6.QtCore import QRectF, QSizeF

from lanet_live.gui.readings import FaceReading
from lanet_live.gui.widgets.overlay import Overlays, Placement, _place_label
from lanet_live.gui.widgets.video_view import VideoView
from tests.fakes import make_result

pytestmark = pytest.mark.gui


@pytest.fixture
def view(qtbot):
    widget = VideoView()
    widget.resize(640, 480)
    yield widget
    widget.close()
    widget.deleteLater()


def shown(view, **overlays):
    names = ("has_box", "has_mesh", "has_landmarks", "has_axes", "has_label")
    view.set_overlays(Overlays(**{name: name in overlays for name in names}))
    result = make_result(0)
    estimate = result.estimates[0]
    reading = FaceReading("Face 0", estimate, estimate.probabilities)
    view.show_result(result, {0: reading})
    image = view.grab().toImage().convertToFormat(view.grab().toImage().Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return result, pixels[..., :3].copy()


def test_placement_carries_frame_pixels_into_the_view():
    placement = Placement(2.0, 10.0, 20.0)
    np.testing.assert_allclose(placement.to_view(np.array([[0, 0], [5, 1]])), [[10, 20], [20, 22]])


@pytest.mark.parametrize("name", ["has_box", "has_mesh", "has_landmarks", "has_axes", "has_label"])
def test_each_overlay_draws_something_of_its_own(view, name):
    _, plain = shown(view)
    _, drawn = shown(view, **{name: True})
    assert (plain != drawn).any()


def test_the_frame_itself_is_never_drawn_on(view):
    result, _ = shown(view, has_box=True, has_mesh=True, has_landmarks=True, has_axes=True)
    np.testing.assert_array_equal(result.frame.image_bgr, make_result(0).frame.image_bgr)


def test_picture_is_letterboxed_and_keeps_its_shape(view):
    view.resize(640, 600)
    target = view._target_rect(make_result(0).frame.image_bgr)
    assert target.width() / target.height() == pytest.approx(320 / 240, abs=0.01)
    assert (target.left(), target.top()) == (0, 60)


def test_latency_counts_each_result_once(view):
    shown(view)
    n_before = view.n_painted
    view.grab()
    view.grab()
    assert view.n_painted == n_before
    assert all(latency >= 0 for latency in view.latency_ms)


def test_labels_stay_inside_the_view_and_off_each_other():
    view = QRectF(0, 0, 640, 480)
    size = QSizeF(150, 20)
    taken = []
    for x in (10, 40, 70, 560):
        taken.append(_place_label(QRectF(x, 5, 60, 60), size, view, taken))
    for i, chip in enumerate(taken):
        assert view.contains(chip)
        assert not any(chip.intersects(other) for other in taken[:i])
