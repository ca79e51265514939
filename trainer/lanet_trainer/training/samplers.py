"""Which samples an epoch shows, in which order, and how processes share them.

An order depends on the seed and the epoch only, through a generator of its own: neither the number
of processes nor that of workers changes it.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lanet_trainer.errors import ConfigError
from lanet_trainer.seeding import derive_seed

I64Array = NDArray[np.int64]

SAMPLERS: Final = ("shuffle", "balanced", "progressive")


def class_quotas(counts: I64Array, *, balance: float) -> I64Array:
    """Share an epoch of N draws among the classes.

    The share of class c is (1 - balance) n_c / N + balance / C. Every class but the last gets its
    share of N rounded up, the last one the remainder, as in LA-Net's sampler.

    Args:
        counts: Samples per class, (C,).
        balance: 0 keeps the natural shares, 1 makes them equal.

    Returns:
        Draws per class, (C,); their sum is N.
    """
    total = int(counts.sum())
    share = (1 - balance) * counts / total + balance / len(counts)
    quotas = np.ceil(share * total - 1e-9).astype(np.int64)
    quotas[-1] = 0
    excess = int(quotas.sum()) - total
    # With classes of a handful of samples the rounding up can exceed N: the largest give it back.
    while excess > 0:
        largest = int(quotas.argmax())
        quotas[largest] -= 1
        excess -= 1
    quotas[-1] = total - int(quotas.sum())
    return quotas


def parse_sampler(text: str) -> tuple[str, float]:
    """Split a sampler into its name and the largest share of draws it balances, 0 to 1.

    Raises:
        ConfigError: There is no such sampler, or the share is no number in (0, 1].
    """
    name, colon, share_text = text.partition(":")
    if name not in SAMPLERS or (colon and name == "shuffle"):
        raise ConfigError(
            f"--sampler must be one of {', '.join(SAMPLERS)}, the last two with a share like "
            f"progressive:0.3 if you like, got '{text}'."
        )
    try:
        share = float(share_text) if colon else 1.0
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise ConfigError(f"--sampler takes a share above 0 and up to 1, got '{text}'.")
    return name, share


@dataclass(frozen=True, slots=True)
class DomainShares:
    """How much of an epoch each of several data sets gets.

    Attributes:
        domain: Data set of every sample, counted from 0, (N,).
        shares: Share of the draws per data set; they sum to 1.
    """

    domain: I64Array
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EpochSampler:
    """Draws the samples of each epoch.

    Attributes:
        kind: "shuffle": every sample once. "balanced": every class equally often. "progressive":
            from natural shares in the first epoch towards equal ones in the last (LA-Net).
            "balanced:0.3" and "progressive:0.3" go only so far: 0.3 of the draws are shared
            equally among the classes, the rest keep their natural shares.
        labels: The labels trained on, noise included, (N,); classes without samples are passed
            over.
        n_epochs: Length of the run, for "progressive".
        seed: Of the run.
        domains: With several data sets, each is drawn from by the same rule, within its share of
            the epoch; small ones are repeated. None with one data set.
    """

    kind: str
    labels: I64Array
    n_epochs: int
    seed: int
    domains: DomainShares | None = None

    def __post_init__(self) -> None:
        parse_sampler(self.kind)

    def order(self, epoch: int) -> I64Array:
        """Return the positions an epoch visits, (N,), for all processes together."""
        if self.domains is not None:
            return self._order_of_domains(self.domains, epoch)
        generator = np.random.default_rng(derive_seed(self.seed, "sampler", epoch))
        name, balance = parse_sampler(self.kind)
        if name == "shuffle":
            return generator.permutation(len(self.labels))
        if name == "progressive":
            balance *= epoch / self.n_epochs
        classes, counts = np.unique(self.labels, return_counts=True)
        quotas = class_quotas(counts, balance=balance)
        drawn = [
            _draw(np.flatnonzero(self.labels == c), int(quota), generator)
            for c, quota in zip(classes, quotas, strict=True)
        ]
        return generator.permutation(np.concatenate(drawn))

    def _order_of_domains(self, domains: DomainShares, epoch: int) -> I64Array:
        total = len(self.labels)
        ends = np.round(np.cumsum(domains.shares) * total).astype(np.int64)
        drawn = []
        for number, quota in enumerate(np.diff(ends, prepend=0)):
            positions = np.flatnonzero(domains.domain == number)
            seed = derive_seed(self.seed, "domain", number)
            own = EpochSampler(self.kind, self.labels[positions], self.n_epochs, seed)
            drawn.append(np.resize(positions[own.order(epoch)], quota))
        generator = np.random.default_rng(derive_seed(self.seed, "domains", epoch))
        return generator.permutation(np.concatenate(drawn))


def _draw(positions: I64Array, quota: int, generator: np.random.Generator) -> I64Array:
    """Draw without repetition while that is possible, else whole copies and a random remainder."""
    n_copies, n_rest = divmod(quota, len(positions))
    rest = generator.permutation(positions)[:n_rest]
    return np.concatenate([np.tile(positions, n_copies), rest])


def count_repetitions(order: I64Array) -> I64Array:
    """Return how often each position was already visited earlier in the order, (N,)."""
    by_position = np.argsort(order, kind="stable")
    ordered = order[by_position]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    start_of_run = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    repetitions = np.empty(len(order), dtype=np.int64)
    repetitions[by_position] = np.arange(len(order)) - start_of_run
    return repetitions
