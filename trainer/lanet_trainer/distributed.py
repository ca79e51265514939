"""Several processes on one run, started by `torchrun`. Everything is the identity for one process.

Per-sample state of the methods is kept equal on all processes by gathering what each of them
computed, in rank order, before it is used.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as differentiable
from torch import Tensor

from lanet_trainer.errors import ConfigError


@contextmanager
def process_group() -> Iterator[torch.device]:
    """Join the processes `torchrun` started, if it did; yield this process's device."""
    has_gpu = torch.cuda.is_available()
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local_rank) if has_gpu else torch.device("cpu")
    if has_gpu:
        torch.cuda.set_device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    dist.init_process_group("nccl" if has_gpu else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return this process's position, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_main() -> bool:
    """Return whether this process writes files and talks to the user."""
    return rank() == 0


def gather_rows(rows: Tensor) -> Tensor:
    """Stack the rows of all processes in rank order, (B, ...) -> (G, ...).

    Gradients flow back to the process each row came from, summed over the processes that used it,
    so that averaged losses give the gradient of one process with the global batch.
    """
    if world_size() == 1:
        return rows
    if not rows.requires_grad:
        return gather_constants(rows)
    return torch.cat(list(differentiable.all_gather(rows.contiguous())))


@torch.no_grad()
def gather_constants(rows: Tensor) -> Tensor:
    """Stack the rows of all processes in rank order, without gradients."""
    if world_size() == 1:
        return rows.detach()
    mine = rows.detach().contiguous()
    parts = [torch.empty_like(mine) for _ in range(world_size())]
    dist.all_gather(parts, mine)
    return torch.cat(parts)


def own_rows(gathered: Tensor) -> Tensor:
    """Return this process's part of what `gather_rows` returned."""
    n_rows = len(gathered) // world_size()
    return gathered[rank() * n_rows : (rank() + 1) * n_rows]


@torch.no_grad()
def mean_over_processes(value: Tensor) -> Tensor:
    """Average a tensor over the processes."""
    if world_size() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def any_process(flag: bool, device: torch.device) -> bool:
    """Return whether the flag is raised on any process; all of them get the same answer."""
    if world_size() == 1:
        return flag
    raised = torch.tensor(int(flag), device=device)
    dist.all_reduce(raised, op=dist.ReduceOp.MAX)
    return bool(raised.item())


def check_same(what: str, text: str) -> None:
    """Refuse to go on when the processes do not agree, e.g. on the hash of the labels.

    Raises:
        ConfigError: They differ.
    """
    if world_size() == 1:
        return
    texts: list[str | None] = [None] * world_size()
    dist.all_gather_object(texts, text)
    if len(set(texts)) > 1:
        raise ConfigError(f"The processes do not agree on {what}: start them with one command.")


def wait_for_all() -> None:
    """Wait until every process has come here."""
    if world_size() > 1:
        dist.barrier()
