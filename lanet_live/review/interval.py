"""How far the mean of a measured series can be trusted, though neighbouring frames resemble.

Thirty frames of one smile are no thirty observations. So blocks of neighbouring rows, not rows,
are drawn with replacement (block bootstrap, Carlstein 1986), and a block spans several times the
time over which the series remembers itself. `scipy.stats.bootstrap` draws single rows, which would
make the interval far too narrow.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_live.expression.memory import memory_rows
from lanet_live.records import F64Array

LEVEL: Final = 0.95
N_RESAMPLES: Final = 1000
_SEED: Final = 20_240_229
_BLOCKS_PER_MEMORY: Final = 4.0
_MIN_BLOCK_S: Final = 1.0
# With fewer blocks the spread of their means says too little.
_MIN_BLOCKS: Final = 8


@dataclass(frozen=True, slots=True)
class Interval:
    """A bootstrap interval of the mean of C values.

    Attributes:
        low: (C,).
        high: (C,).
        block_s: Length of the blocks.
        n_blocks: How many there are.
    """

    low: F64Array
    high: F64Array
    block_s: float
    n_blocks: int


def weighted_mean(values: F64Array, weights: F64Array) -> F64Array:
    """Return the mean of rows, (C,); NaN when nothing weighs.

    Args:
        values: (N, C).
        weights: (N,), not negative.
    """
    total = float(weights.sum())
    if total <= 0:
        return np.full(values.shape[1], np.nan)
    return np.asarray(weights @ values / total)


def mean_interval(values: F64Array, time_s: F64Array, weights: F64Array) -> Interval | None:
    """Return the 95 % interval of the weighted mean; None when there is too little data.

    Args:
        values: (N, C).
        time_s: Of each row, ascending, (N,).
        weights: Of each row, (N,).
    """
    observed_s = float(weights.sum())
    if len(values) < _MIN_BLOCKS or observed_s <= 0:
        return None
    step_s = observed_s / len(values)
    block_s = max(_MIN_BLOCK_S, _BLOCKS_PER_MEMORY * step_s * memory_rows(values))
    blocks = _blocks(time_s, block_s)
    n_blocks = int(blocks[-1]) + 1
    if n_blocks < _MIN_BLOCKS:
        return None
    firsts = np.searchsorted(blocks, np.arange(n_blocks))
    sums = np.add.reduceat(values * weights[:, None], firsts, axis=0)  # (B, C)
    totals = np.add.reduceat(weights, firsts)  # (B,)
    draws = np.random.default_rng(_SEED).multinomial(
        n_blocks, np.full(n_blocks, 1 / n_blocks), size=N_RESAMPLES
    )  # (R, B): how often each block was drawn
    drawn_totals = np.maximum(draws @ totals, np.finfo(float).tiny)
    means = (draws @ sums) / drawn_totals[:, None]  # (R, C)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Interval(low, high, block_s, n_blocks)


def _blocks(time_s: F64Array, block_s: float) -> NDArray[np.int64]:
    """Return the number of each row's block: blocks of one length in time, empty ones left out."""
    numbers = ((time_s - time_s[0]) / block_s).astype(np.int64)
    return np.cumsum(np.concatenate([[0], (np.diff(numbers) > 0).astype(np.int64)]))
