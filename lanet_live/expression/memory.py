"""How long a series of estimates remembers itself: neighbouring frames are no new evidence."""

import numpy as np

from lanet_live.records import F64Array


def memory_rows(values: F64Array) -> float:
    """Return over how many rows a series remembers itself: the longest of its C columns.

    It is the integrated autocorrelation time, 1 + 2 Σ r(k), summed up to the first k at which r is
    not positive; 1 for independent rows.
    """
    n = len(values)
    centred = values - values.mean(axis=0)
    n_padded = 1 << (2 * n - 1).bit_length()  # a power of two: any other length may be slow
    spectrum = np.fft.rfft(centred, n=n_padded, axis=0)
    covariance = np.fft.irfft(spectrum * spectrum.conj(), axis=0)[:n]  # (N, C)
    varies = covariance[0] > 1e-12 * n
    if not varies.any():
        return 1.0
    correlation = covariance[1:, varies] / covariance[0, varies]
    is_over = np.logical_or.accumulate(correlation <= 0, axis=0)
    times = 1 + 2 * np.where(is_over, 0.0, correlation).sum(axis=0)
    return float(times.max())
