"""Independent seeds for every random part of a run, from the one seed the user gives."""

import hashlib

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a seed of 63 bits that depends on the run's seed and on what it is for.

    Parts that draw from seeds of their own can be changed one by one: another noise draw does not
    change the initial weights.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_torch(seed: int, *purpose: str | int) -> None:
    """Seed torch's global generators, on the CPU and on every GPU."""
    torch.manual_seed(derive_seed(seed, *purpose))
