"""Cross-entropy, and nothing else: the lower anchor every method is compared with."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from lanet_trainer.backbones import Backbone
from lanet_trainer.methods.base import Batch, Method, Progress, StepOutput
from lanet_trainer.methods.classifier import Classifier


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """Hyper-parameters, each settable with `--set name=value`.

    Attributes:
        label_smoothing: Share of the target spread evenly over all classes.
        dropout: On the pooled features.
    """

    label_smoothing: float = 0.0
    dropout: float = 0.0


class Baseline(Method):
    """Mean cross-entropy against `targets`, which are one-hot when the run trains on labels."""

    Settings = BaselineSettings

    def __init__(
        self,
        backbone: Backbone,
        *,
        labels: Tensor,
        targets: Tensor,
        size_px: int,
        settings: BaselineSettings,
    ) -> None:
        super().__init__(labels=labels, targets=targets)
        self.network = Classifier(backbone, n_classes=targets.shape[1], dropout=settings.dropout)
        self._label_smoothing = settings.label_smoothing

    def training_step(self, batch: Batch, progress: Progress) -> StepOutput:
        """Compare the prediction of each image with its target."""
        logits = self.network(batch.image).float()
        loss = F.cross_entropy(
            logits, self.targets[batch.index], label_smoothing=self._label_smoothing
        )
        return StepOutput(loss=loss, logits=logits.detach(), parts={"ce": loss.detach()})

    def inference_network(self) -> nn.Module:
        """Return backbone and classifier."""
        return self.network
