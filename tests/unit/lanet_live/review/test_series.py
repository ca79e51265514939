import numpy as np

from lanet_live.review.series import FaceSeries


def make_series(time_s, is_reliable=None):
    n = len(time_s)
    values = np.linspace(0, 1, n)
    return FaceSeries(
        np.asarray(time_s),
        np.column_stack([values, 1 - values]),
        uncertainty=values,
        quality=1 - values,
        is_reliable=np.ones(n, dtype=bool) if is_reliable is None else is_reliable,
    )


def test_few_rows_are_given_as_they_are():
    series = make_series(np.arange(1000) / 10)
    stretch = series.stretch(10.0, 12.0, max_points=100)
    np.testing.assert_allclose(stretch.start_s, np.arange(99, 122) / 10)
    np.testing.assert_allclose(stretch.raw[:, 0], np.arange(99, 122) / 999, atol=1e-6)


def test_many_rows_are_given_as_means_that_keep_the_total():
    series = make_series(np.arange(1000) / 10)
    stretch = series.stretch(0, 100, max_points=100)
    assert 50 < len(stretch) <= 100
    n_samples = np.round((stretch.end_s - stretch.start_s) * 10) + 1
    assert n_samples.sum() == 1000
    np.testing.assert_allclose((stretch.raw[:, 0] * n_samples).sum(), 500, rtol=1e-5)


def test_no_bucket_reaches_over_a_gap():
    time_s = np.concatenate([np.arange(333) / 30, 100 + np.arange(500) / 30])
    stretch = make_series(time_s).stretch(0, 200, max_points=40)
    assert ((stretch.end_s < 12) | (stretch.start_s >= 100)).all()


def test_other_limits_change_the_reliable_shares_only():
    series = make_series(np.arange(256) / 30)
    before = series.stretch(0, 10, max_points=70)
    series.set_reliable(np.arange(256) < 128)
    after = series.stretch(0, 10, max_points=70)
    assert (before.reliable_share == 1).all()
    np.testing.assert_array_equal(after.reliable_share, np.arange(64) < 32)
    np.testing.assert_array_equal(before.raw, after.raw)


def test_an_empty_series_draws_nothing():
    series = make_series([])
    assert len(series.stretch(0, 1, max_points=10)) == 0
    assert series.first_s is None
