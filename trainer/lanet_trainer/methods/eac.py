"""EAC: Erasing Attention Consistency (ECCV 2022).

The class activation maps of an image and of its mirror image must mirror each other, while parts of
the face are erased at random; only the first view is classified. Needs RandomErasing in the
augmentation. At inference the network is the plain classifier.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lanet_trainer.backbones import Backbone
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Method, Progress, StepOutput
from lanet_trainer.methods.classifier import Classifier
from lanet_trainer.transforms import Augmentation

_VIEWS = ("mirror_independent", "mirror_exact")


@dataclass(frozen=True, slots=True)
class EACSettings:
    """Hyper-parameters; the defaults are those of the official code.

    Attributes:
        consistency_weight: Weight of the attention consistency (lambda).
        view: "mirror_independent": the mirrored view is erased on its own, as published for noisy
            labels. "mirror_exact": it is the first view mirrored, as published for clean labels.
    """

    consistency_weight: float = 5.0
    view: str = "mirror_independent"

    def __post_init__(self) -> None:
        if self.view not in _VIEWS:
            raise ConfigError(f"EAC's view is '{self.view}'; it is one of {', '.join(_VIEWS)}.")
        if self.consistency_weight < 0:
            raise ConfigError(
                f"EAC's consistency_weight is {self.consistency_weight}; it must be >= 0."
            )


class EAC(Method):
    """Cross-entropy of one view plus consistency of the attention of two."""

    Settings = EACSettings

    def __init__(
        self,
        backbone: Backbone,
        *,
        labels: Tensor,
        targets: Tensor,
        size_px: int,
        settings: EACSettings,
    ) -> None:
        super().__init__(labels=labels, targets=targets)
        self.network = Classifier(backbone, n_classes=targets.shape[1])
        self.second_view = settings.view
        self._consistency_weight = settings.consistency_weight

    @classmethod
    def check_augmentation(cls, augmentation: Augmentation) -> None:
        """Refuse an augmentation without erasing: there would be nothing to be consistent about."""
        if augmentation.erase_p == 0:
            raise ConfigError(
                "EAC compares the attention of two views in which parts are erased, and this "
                "augmentation erases nothing; take --augment eac or another one that erases."
            )

    def training_step(self, batch: Batch, progress: Progress) -> StepOutput:
        """Classify the first view; compare the attention of both."""
        if batch.second_view is None:
            raise ValueError("EAC needs the second view of every image")
        network = self.network
        first = network.backbone.forward_maps(batch.image)
        # Two passes, not one of both views together: batch statistics are taken view by view.
        mirrored = network.backbone.forward_maps(batch.second_view)
        logits = network.classify(first).float()
        cross_entropy = functional.cross_entropy(logits, self.targets[batch.index])
        consistency = consistency_loss(
            class_attention(first, network.fc.weight), class_attention(mirrored, network.fc.weight)
        )
        return StepOutput(
            loss=cross_entropy + self._consistency_weight * consistency,
            logits=logits.detach(),
            parts={"ce": cross_entropy.detach(), "consistency": consistency.detach()},
        )

    def inference_network(self) -> nn.Module:
        """Return backbone and classifier."""
        return self.network


def class_attention(feature_map: Tensor, class_weight: Tensor) -> Tensor:
    """Return the activation map of every class, (B, C, h, w) float32.

    Args:
        feature_map: The backbone's last map, (B, D, h, w).
        class_weight: The classifier's weight, (C, D), taken as a constant: otherwise the
            consistency could be had by shrinking it.
    """
    with torch.autocast(feature_map.device.type, enabled=False):
        kernel = class_weight.detach().float()[..., None, None]
        return functional.conv2d(feature_map.float(), kernel)


def consistency_loss(attention: Tensor, mirrored_attention: Tensor) -> Tensor:
    """Return the mean squared difference after mirroring the second view's maps back."""
    return functional.mse_loss(attention, mirrored_attention.flip(-1))
