from dataclasses import replace

import numpy as np

from lanet_live.records import FrameResult
from lanet_live.sessions.blur import LINGER_S, FaceBlur
from tests.fakes import make_frame, make_track


def noisy_result(*, with_face=True, timestamp_s=0.0):
    picture = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    frame = replace(make_frame(0, timestamp_s=timestamp_s), image_bgr=picture)
    return FrameResult(frame, (make_track(0),) if with_face else (), ())


def detail(picture):
    return float(np.abs(np.diff(picture[90:150, 130:190].astype(float), axis=1)).mean())


def test_face_loses_its_detail_and_the_rest_stays():
    result = noisy_result()
    blurred = FaceBlur().apply(result)
    assert detail(blurred) < 0.05 * detail(result.frame.image_bgr)
    np.testing.assert_array_equal(blurred[:20], result.frame.image_bgr[:20])


def test_the_frame_itself_is_not_touched():
    result = noisy_result()
    before = result.frame.image_bgr.copy()
    FaceBlur().apply(result)
    np.testing.assert_array_equal(result.frame.image_bgr, before)


def test_a_lost_face_stays_blurred_for_a_moment():
    blur = FaceBlur()
    blur.apply(noisy_result())
    shortly = noisy_result(with_face=False, timestamp_s=LINGER_S / 2)
    assert detail(blur.apply(shortly)) < 0.05 * detail(shortly.frame.image_bgr)
    later = noisy_result(with_face=False, timestamp_s=LINGER_S * 2)
    np.testing.assert_array_equal(blur.apply(later), later.frame.image_bgr)


def test_a_face_at_the_border_is_blurred_as_far_as_it_is_in_the_picture():
    result = replace(noisy_result(), tracks=(make_track(0, center_xy=(5.0, 5.0)),))
    blurred = FaceBlur().apply(result)
    assert (blurred[:20, :20] != result.frame.image_bgr[:20, :20]).any()
    outside = replace(result, tracks=(make_track(1, center_xy=(-500.0, 5.0)),))
    np.testing.assert_array_equal(FaceBlur().apply(outside), outside.frame.image_bgr)
