import numpy as np
import pytest

from lanet_live.drawing.history import FaceHistory, Sample


def sample(time_s, *, raw=(0.75, 0.25), uncertainty=0.5, quality=1.0, is_reliable=True):
    p = np.array(raw)
    return Sample(time_s, p, p[::-1].copy(), uncertainty, quality, is_reliable)


def filled(n, *, fps=30.0, capacity=216_000):
    history = FaceHistory(2, capacity=capacity)
    for i in range(n):
        share = i / n
        history.append(sample(i / fps, raw=(share, 1 - share)))
    return history


def test_stretch_of_few_samples_returns_them_unchanged():
    history = filled(90)
    cut = history.stretch(1.0, 2.0, max_points=1000)
    assert cut.time_s[0] <= 1.0
    assert cut.time_s[-1] >= 2.0
    assert len(cut) == 33  # 31 in the stretch and one beyond at each side
    np.testing.assert_allclose(cut.raw[:, 0], cut.time_s * 30 / 90, atol=1e-6)
    np.testing.assert_allclose(cut.shown, cut.raw[:, ::-1])


@pytest.mark.parametrize("n", [1000, 5000, 20_000])
def test_stretch_of_many_samples_stays_within_the_asked_points(n):
    history = filled(n)
    cut = history.stretch(0.0, n / 30, max_points=300)
    # The finer levels add rows not yet averaged.
    assert 300 / 2 - 8 <= len(cut) <= 300 + 14
    assert cut.end_s[-1] == pytest.approx((n - 1) / 30)
    assert (np.diff(cut.start_s) > 0).all()
    np.testing.assert_allclose(cut.raw.sum(axis=1), 1, atol=1e-5)
    # Means of neighbours keep the trend they were made from.
    np.testing.assert_allclose(cut.raw[:, 0], cut.time_s * 30 / n, atol=2e-3)


def test_gap_is_not_joined_and_not_averaged_over():
    history = FaceHistory(2)
    for i in range(30):
        history.append(sample(i / 30, raw=(1.0, 0.0)))
    for i in range(30):
        history.append(sample(5 + i / 30, raw=(0.0, 1.0)))
    for max_points in (1000, 30, 10):
        cut = history.stretch(0, 10, max_points=max_points)
        assert (~cut.is_joined).sum() == 1
        assert set(np.unique(cut.raw)) == {0.0, 1.0}


def test_samples_that_are_not_newer_are_ignored():
    history = filled(10)
    history.append(sample(0.1))
    assert len(history) == 10
    assert history.last_s == pytest.approx(0.3)


def test_capacity_bounds_memory_and_keeps_the_newest():
    history = filled(5000, capacity=500)
    assert 500 <= len(history) <= 1000
    cut = history.stretch(4900 / 30, 5000 / 30, max_points=1000)
    np.testing.assert_allclose(cut.raw[:, 0], cut.time_s * 30 / 5000, atol=1e-6)
    assert history.first_s > 100


def test_a_stretch_handed_out_is_not_changed_by_later_samples():
    history = filled(400, capacity=250)
    cut = history.stretch(0, 100, max_points=10_000)
    before = cut.raw.copy()
    for i in range(400, 2000):
        history.append(sample(i / 30, raw=(0.0, 1.0)))
    np.testing.assert_array_equal(cut.raw, before)


def test_nearest_finds_the_closest_sample_and_none_when_empty():
    assert FaceHistory(2).nearest(0.0) is None
    history = filled(30)
    assert history.nearest(0.34).time_s[0] == pytest.approx(10 / 30)
    assert history.nearest(-5).time_s[0] == 0
    assert history.nearest(99).time_s[0] == pytest.approx(29 / 30)


def test_reliable_share_counts_within_a_bucket():
    history = FaceHistory(2)
    for i in range(16):
        history.append(sample(i / 30, is_reliable=i % 4 != 0))
    cut = history.stretch(0, 1, max_points=5)
    np.testing.assert_allclose(cut.reliable_share, 0.75)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 100, 1000])
@pytest.mark.parametrize("every_gap", [1_000_000, 7, 64, 100])
def test_built_at_once_equals_appended_one_by_one(n, every_gap):
    rng = np.random.default_rng(n)
    steps = np.where(np.arange(n) % every_gap == every_gap - 1, 2.0, 0.04)
    time_s = np.cumsum(steps)
    raw = rng.random((n, 2)).astype(np.float32)
    judgement = rng.random((n, 3)).astype(np.float32).round()
    appended = FaceHistory(2, capacity=2000)
    for i in range(n):
        u, q, reliable = judgement[i]
        appended.append(Sample(time_s[i], raw[i], raw[i][::-1], u, q, bool(reliable)))
    built = FaceHistory.from_arrays(time_s, raw, raw[:, ::-1], judgement)
    assert len(built) == n
    end_s = float(time_s[-1]) + 1 if n else 1.0
    for max_points in (10_000, 200, 30, 4):
        a = appended.stretch(-1, end_s, max_points=max_points)
        b = built.stretch(-1, end_s, max_points=max_points)
        np.testing.assert_allclose(a.start_s, b.start_s)
        np.testing.assert_allclose(a.end_s, b.end_s)
        np.testing.assert_allclose(a.raw, b.raw, atol=1e-6)
        np.testing.assert_allclose(a.shown, b.shown, atol=1e-6)
        np.testing.assert_allclose(a.reliable_share, b.reliable_share, atol=1e-6)
    for extra in range(20):
        more = sample(end_s + extra / 30)
        appended.append(more)
        built.append(more)
    np.testing.assert_allclose(
        appended.stretch(-1, end_s + 9, max_points=40).raw,
        built.stretch(-1, end_s + 9, max_points=40).raw,
        atol=1e-6,
    )
