"""A few steps of the methods with per-sample state, in one process or in several.

Run by `torchrun`, every process takes its part of the same global batches and the first one saves
the state; called in one process, it takes the whole batches. Both must end alike. The networks have
no batch norm, which would see another batch in each process.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lanet_trainer import distributed
from lanet_trainer.backbones import Backbone, Tail
from lanet_trainer.methods.base import Batch, Method, Progress, StepOutput
from lanet_trainer.methods.lanet import LANet, LANetSettings
from lanet_trainer.methods.scn import SCN, SCNSettings
from lanet_trainer.methods.slm_aea import SLMAEA, SLMAEASettings

N_SAMPLES, N_CLASSES, SIZE_PX = 24, 5, 16
# Sample 3 is in both halves of the first batch, sample 9 twice in one half of the second.
STEPS = ([0, 1, 2, 3, 4, 5, 3, 7], [8, 9, 10, 9, 12, 13, 14, 15], [16, 17, 0, 1, 20, 21, 2, 23])


class _StepModule(nn.Module):
    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        return self.method.training_step(batch, progress)


def _backbone() -> Backbone:
    stem = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.Tanh())
    tail = Tail([nn.Sequential(nn.Conv2d(8, 12, 2, stride=2), nn.Tanh())], (12,))
    return Backbone("norm-free", stem, tail, stem_channels=8, initialisation="random")


def _method(name: str) -> Method:
    torch.manual_seed(7)
    labels = torch.randint(N_CLASSES, (N_SAMPLES,))
    given = {"labels": labels, "targets": nn.functional.one_hot(labels, N_CLASSES).float()}
    if name == "scn":
        settings = SCNSettings(relabel_from_epoch=1, relabel_margin=0.02, relabel_scope="low")
        return SCN(_backbone(), **given, size_px=SIZE_PX, settings=settings)
    if name == "slm-aea":
        return SLMAEA(_backbone(), **given, size_px=SIZE_PX, settings=SLMAEASettings())
    # Positives of the contrastive loss are those of one process, by specification, so its gradient
    # differs with the number of processes; a vanishing weight leaves its queue and twin at work.
    lanet = LANetSettings(
        n_neighbours=3, queue_size=20, key_momentum=0.5, confidence=0.2, contrastive_weight=1e-12
    )
    return LANet(_backbone(), **given, size_px=SIZE_PX, settings=lanet)


def _own_batch(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    index = torch.tensor(STEPS[step])
    image = torch.randn(len(index), 3, SIZE_PX, SIZE_PX, generator=generator)
    landmarks = torch.rand(len(index), 19, 2, generator=generator) * SIZE_PX
    mine = distributed.own_rows(torch.arange(len(index)))
    seen = torch.ones(len(mine), dtype=torch.bool)
    return Batch(index[mine], image[mine], None, landmarks[mine], seen)


def run(name: str) -> dict[str, Tensor]:
    """Train a few steps and return the whole state of the method."""
    method = _method(name)
    module: nn.Module = _StepModule(method)
    if distributed.world_size() > 1:
        module = DistributedDataParallel(
            module, broadcast_buffers=False, find_unused_parameters=True
        )
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.1)
    for step in range(len(STEPS)):
        batch, progress = _own_batch(step), Progress(0, 1, step, len(STEPS))
        output: StepOutput = module(batch, progress)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        method.after_step(batch, output, progress)
    return method.state_dict()


def main() -> None:
    """Save the end state of every method, one file each, in the folder given."""
    folder = Path(sys.argv[1])
    with distributed.process_group():
        for name in ("lanet", "scn", "slm-aea"):
            state = run(name)
            if distributed.is_main():
                save_file(
                    {k: v.contiguous() for k, v in state.items()}, folder / f"{name}.safetensors"
                )


if __name__ == "__main__":
    main()
