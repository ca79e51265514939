"""SCN: Self-Cure Network (CVPR 2020).

Each sample has a learnt importance that scales its logits. The more important part of a batch must
keep a distance from the rest, and a label that the network strongly disagrees with is replaced.
At inference the importance is left out: being positive, it never changes the class.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lanet_trainer.backbones import Backbone
from lanet_trainer.distributed import gather_constants, gather_rows
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Method, Progress, StepOutput
from lanet_trainer.methods.classifier import Classifier
from lanet_trainer.methods.hard_labels import require_hard_labels
from lanet_trainer.methods.sample_copies import is_first_copy


@dataclass(frozen=True, slots=True)
class SCNSettings:
    """Hyper-parameters; the defaults are those of the official code.

    Attributes:
        high_share: Share of a batch that counts as important (beta).
        rank_margin: Distance the mean importances must keep (delta1). It depends on the batch: .15
            is published for 1024 images, .07 recommended for 64.
        rank_weight: Weight of the rank regularisation.
        relabel_margin: A label is replaced if the likeliest class exceeds it by more (delta2).
        relabel_from_epoch: First epoch with relabelling, counted from 1.
        relabel_scope: "all" samples of the batch, as in the code, or "low", those of low
            importance, as in the paper.
    """

    high_share: float = 0.7
    rank_margin: float = 0.15
    rank_weight: float = 1.0
    relabel_margin: float = 0.2
    relabel_from_epoch: int = 10
    relabel_scope: str = "all"

    def __post_init__(self) -> None:
        if not 0 <= self.high_share <= 1:
            raise ConfigError(f"SCN's high_share is {self.high_share}; it lies in [0, 1].")
        if self.relabel_scope not in ("all", "low"):
            raise ConfigError(f"SCN's relabel_scope is '{self.relabel_scope}'; it is all or low.")
        for name in ("rank_margin", "rank_weight", "relabel_margin", "relabel_from_epoch"):
            if getattr(self, name) < 0:
                raise ConfigError(f"SCN's {name} is {getattr(self, name)}; it must be >= 0.")


class SCN(Method):
    """Self-curing: importance weighting, rank regularisation, relabelling."""

    Settings = SCNSettings

    def __init__(
        self,
        backbone: Backbone,
        *,
        labels: Tensor,
        targets: Tensor,
        size_px: int,
        settings: SCNSettings,
    ) -> None:
        super().__init__(labels=labels, targets=targets)
        require_hard_labels("SCN", labels, targets)
        self.settings = settings
        self.network = Classifier(backbone, n_classes=targets.shape[1])
        self.importance = nn.Linear(backbone.n_features, 1)

    def training_step(self, batch: Batch, progress: Progress) -> StepOutput:
        """Classify with logits scaled by importance; keep important and other samples apart."""
        features = self.network.backbone(batch.image)
        importance = self.importance(features).float().sigmoid()  # (B, 1)
        logits = importance * self.network.fc(features).float()
        cross_entropy = functional.cross_entropy(logits, self.labels[batch.index])
        all_importance = gather_rows(importance)[:, 0]  # (G,)
        rank = rank_regularisation(
            all_importance, high_share=self.settings.high_share, margin=self.settings.rank_margin
        )
        parts = {"ce": cross_entropy.detach(), "rank": rank.detach()}
        n_samples, n_classes = self.targets.shape
        for label, count in enumerate(torch.bincount(self.labels, minlength=n_classes)):
            parts[f"label_share_{label}"] = count / n_samples
        return StepOutput(
            loss=cross_entropy + self.settings.rank_weight * rank,
            logits=logits.detach(),
            parts=parts,
            carry={"importance": all_importance.detach()},
        )

    @torch.no_grad()
    def after_step(self, batch: Batch, output: StepOutput, progress: Progress) -> None:
        """Replace the labels the network disagreed with in this step's forward pass."""
        if progress.epoch + 1 < self.settings.relabel_from_epoch:
            return
        ids = gather_constants(batch.index)
        probabilities = gather_constants(output.logits).softmax(dim=1)
        is_relabelled = disagrees(
            probabilities, self.labels[ids], margin=self.settings.relabel_margin
        )
        if self.settings.relabel_scope == "low":
            high, _ = split_by_importance(
                output.carry["importance"], high_share=self.settings.high_share
            )
            is_relabelled[high] = False
        # Where a sample occurs twice, its first occurrence decides.
        is_relabelled &= is_first_copy(ids)
        changed = ids[is_relabelled]
        new_labels = probabilities[is_relabelled].argmax(dim=1)
        self.labels[changed] = new_labels
        self.targets[changed] = functional.one_hot(new_labels, self.targets.shape[1]).to(
            self.targets
        )

    def inference_network(self) -> nn.Module:
        """Return backbone and classifier, without the importance."""
        return self.network


def split_by_importance(importance: Tensor, *, high_share: float) -> tuple[Tensor, Tensor]:
    """Return the rows of the int(share * B) most important samples, and the rows of the others."""
    n_high = int(high_share * len(importance))
    order = importance.argsort(descending=True)
    return order[:n_high], order[n_high:]


def rank_regularisation(importance: Tensor, *, high_share: float, margin: float) -> Tensor:
    """Return max(0, margin - (mean importance of the high part - that of the low part)).

    Args:
        importance: (B,).
        high_share: Share of the batch in the high part.
        margin: Distance from which on nothing is asked any more.

    Returns:
        A scalar; 0 if one of the parts is empty.
    """
    high, low = split_by_importance(importance.detach(), high_share=high_share)
    if len(high) == 0 or len(low) == 0:
        return importance.sum() * 0
    return (margin - (importance[high].mean() - importance[low].mean())).clamp_min(0)


def disagrees(probabilities: Tensor, labels: Tensor, *, margin: float) -> Tensor:
    """Return which samples' likeliest class exceeds their label by more than the margin, (B,) bool.

    Args:
        probabilities: (B, C).
        labels: Current labels, (B,).
        margin: Strictly exceeded.
    """
    of_label = probabilities.gather(1, labels[:, None])[:, 0]
    return probabilities.amax(dim=1) - of_label > margin
