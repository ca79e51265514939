"""LA-Net: landmark-aware learning from noisy labels (ICCV 2023).

One step, in this order: query forward, momentum update of the twin, key forward, label
distributions from the neighbours in both feature spaces, losses. After the optimiser step the bank
takes the new distributions and the queue the new keys.

At inference the network is stem, expression branch and classifier: one plain backbone.
"""

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor, nn

from lanet_trainer.backbones import Backbone
from lanet_trainer.distributed import gather_constants, gather_rows, own_rows
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Method, Progress, StepOutput
from lanet_trainer.methods.classifier import Classifier
from lanet_trainer.methods.contrastive import KeyQueue, contrastive_loss, pseudo_labels
from lanet_trainer.methods.label_distribution import (
    LabelDistributionEstimator,
    SampleFeatures,
    blend_with_bank,
    kl_to_prediction,
)
from lanet_trainer.methods.landmark_heatmaps import landmark_loss, render_heatmaps
from lanet_trainer.methods.lanet_network import Encoder, EncoderOutput, make_twin, update_twin
from lanet_trainer.methods.sample_copies import average_over_copies

TARGET_GRADIENTS: Final = ("all", "scores", "none")


@dataclass(frozen=True, slots=True)
class LANetSettings:
    """Hyper-parameters; the defaults are those of the official code.

    Attributes:
        landmark_weight: Weight of the heatmap loss.
        kl_weight: Weight of the divergence from the label distributions.
        contrastive_weight: Weight of the expression-landmark contrastive loss; at 0 there is no
            momentum twin and no queue.
        n_neighbours: Neighbours a sample has in each feature space; below the global batch.
        bank_momentum: Share of the old distribution kept at each visit of a sample.
        confidence: Least probability with which a sample takes its class as pseudo-label.
        temperature: Of the contrastive loss.
        queue_size: Keys of earlier batches that serve as negatives.
        key_momentum: Of the twin's parameters.
        use_landmarks: Off, there is no landmark branch, no landmark space and no contrastive loss.
        warmup_epochs: Epochs before neighbours are asked; until then the bank rests and there is
            no divergence. Neighbours of a network that has seen little draw every sample to the
            large classes.
        target_gradient: What the divergence moves besides the prediction. "all": the label
            distributions with everything they are made of, as in the official code; "scores": the
            contribution scores only, neither the neighbours' predictions nor their features;
            "none": nothing, the scores stay as initialised.
        seed: Of the queue's first, random keys.
    """

    landmark_weight: float = 1.0
    kl_weight: float = 1.0
    contrastive_weight: float = 0.1
    n_neighbours: int = 8
    bank_momentum: float = 0.9
    confidence: float = 0.7
    temperature: float = 0.1
    queue_size: int = 8192
    key_momentum: float = 0.999
    use_landmarks: bool = True
    warmup_epochs: int = 0
    target_gradient: str = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("landmark_weight", "kl_weight", "contrastive_weight"):
            if getattr(self, name) < 0:
                raise ConfigError(f"LA-Net's {name} is {getattr(self, name)}; it must be >= 0.")
        for name in ("bank_momentum", "key_momentum", "confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"LA-Net's {name} is {getattr(self, name)}; it lies in [0, 1].")
        for name in ("n_neighbours", "queue_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"LA-Net's {name} is {getattr(self, name)}; it must be >= 1.")
        if self.temperature <= 0:
            raise ConfigError(f"LA-Net's temperature is {self.temperature}; it must be above 0.")
        if self.warmup_epochs < 0:
            raise ConfigError(f"LA-Net's warmup_epochs is {self.warmup_epochs}; it must be >= 0.")
        if self.target_gradient not in TARGET_GRADIENTS:
            raise ConfigError(
                f"LA-Net's target_gradient is '{self.target_gradient}'; it must be one of "
                f"{', '.join(TARGET_GRADIENTS)}."
            )

    @property
    def is_contrastive(self) -> bool:
        """Whether twin and queue exist."""
        return self.use_landmarks and self.contrastive_weight > 0


class LANet(Method):
    """Landmark-aware learning.

    Attributes:
        bank: Label distribution of every training sample, buffer (N, C) float32; starts as
            `targets`.
    """

    Settings = LANetSettings
    bank: Tensor

    def __init__(
        self,
        backbone: Backbone,
        *,
        labels: Tensor,
        targets: Tensor,
        size_px: int,
        settings: LANetSettings,
    ) -> None:
        super().__init__(labels=labels, targets=targets)
        self.settings = settings
        self.needs_landmarks = settings.use_landmarks
        network = Classifier(backbone, n_classes=targets.shape[1])
        self.encoder = Encoder(network, has_landmark_branch=settings.use_landmarks)
        branch = self.encoder.landmark_branch
        self.estimator = LabelDistributionEstimator(
            n_expression=backbone.n_features,
            n_landmark=None if branch is None else branch.width,
            n_neighbours=settings.n_neighbours,
        )
        self.register_buffer("bank", targets.float().clone())
        self.twin: Encoder | None = None
        if settings.is_contrastive and branch is not None:
            self.twin = make_twin(self.encoder)
            self.queue = KeyQueue(settings.queue_size, branch.width, seed=settings.seed)

    def training_step(self, batch: Batch, progress: Progress) -> StepOutput:
        """Compute the four losses of one batch; the state changes in `after_step`."""
        encoded = self.encoder(batch.image)
        logits = self.encoder.network.fc(encoded.expression)
        carry: dict[str, Tensor] = {}
        with torch.autocast(batch.image.device.type, enabled=False):
            log_probabilities = logits.float().log_softmax(dim=1)
            loss = -(self.targets[batch.index] * log_probabilities).sum(dim=1).mean()
        parts = {"ce": loss}
        if progress.epoch < self.settings.warmup_epochs:
            distributions = self.bank[batch.index]
        else:
            distributions, carry = self._estimate_distributions(batch, encoded, logits)
            with torch.autocast(batch.image.device.type, enabled=False):
                parts["kl"] = kl_to_prediction(distributions, logits)
            loss = loss + self.settings.kl_weight * parts["kl"]
        if self.encoder.landmark_branch is not None and self.settings.landmark_weight > 0:
            parts["landmark"] = self._landmark_loss(batch, encoded)
            loss = loss + self.settings.landmark_weight * parts["landmark"]
        if self.twin is not None:
            parts["contrastive"], keys = self._contrastive_loss(batch, encoded, distributions)
            loss = loss + self.settings.contrastive_weight * parts["contrastive"]
            carry |= keys
        parts = {name: value.detach() for name, value in parts.items()}
        return StepOutput(loss=loss, logits=logits.detach(), parts=parts, carry=carry)

    def _estimate_distributions(
        self, batch: Batch, encoded: EncoderOutput, logits: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the blended distributions of this process's rows, and those of all rows."""
        with torch.autocast(batch.image.device.type, enabled=False):
            own = SampleFeatures(
                ids=batch.index,
                probabilities=logits.float().softmax(dim=1),
                expression=encoded.expression.float(),
                landmark=None if encoded.landmark is None else encoded.landmark.float(),
                has_landmarks=batch.has_landmarks,
            )
            if self.settings.target_gradient == "scores":
                own = _cut_from_network(own)
            everyone = _gather(own)
            estimates = gather_rows(self.estimator(own, everyone))  # (G, C)
            estimates = average_over_copies(estimates, everyone.ids)
            distributions = blend_with_bank(
                self.bank[everyone.ids], estimates, momentum=self.settings.bank_momentum
            )
        carry = {"global_ids": everyone.ids, "distributions": distributions.detach()}
        if self.settings.target_gradient == "none":
            distributions = distributions.detach()
        return own_rows(distributions), carry

    def _landmark_loss(self, batch: Batch, encoded: EncoderOutput) -> Tensor:
        """Compare the heatmaps of the samples that have landmarks."""
        assert self.encoder.landmark_branch is not None
        predicted = self.encoder.landmark_branch.heatmaps(encoded.landmark_maps)
        is_seen = batch.has_landmarks
        if not is_seen.any():
            return predicted.float().sum() * 0
        target = render_heatmaps(
            batch.landmarks_px[is_seen],
            crop_size_px=batch.image.shape[-1],
            resolution=predicted.shape[-1],
        )
        with torch.autocast(batch.image.device.type, enabled=False):
            return landmark_loss(predicted[is_seen], target)

    def _contrastive_loss(
        self, batch: Batch, encoded: EncoderOutput, distributions: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss, and the keys and pseudo-labels to enqueue."""
        assert self.twin is not None
        queries = self.encoder.project(encoded)
        with torch.no_grad():
            update_twin(self.twin, self.encoder, momentum=self.settings.key_momentum)
            keys = self.twin.project(self.twin(batch.image))
        labels = pseudo_labels(distributions, batch.index, confidence=self.settings.confidence)
        seen = batch.has_landmarks

        def one_way(query: Tensor, key: Tensor, queue_keys: Tensor) -> Tensor:
            return contrastive_loss(
                query[seen],
                key[seen],
                labels[seen],
                queue_keys=queue_keys,
                queue_labels=self.queue.labels,
                temperature=self.settings.temperature,
            )

        with torch.autocast(batch.image.device.type, enabled=False):
            loss = one_way(queries[0], keys[1], self.queue.landmark_keys)
            loss = loss + one_way(queries[1], keys[0], self.queue.expression_keys)
        return loss, {
            "expression_keys": keys[0],
            "landmark_keys": keys[1],
            "pseudo_labels": labels,
            "is_key": seen,
        }

    @torch.no_grad()
    def after_step(self, batch: Batch, output: StepOutput, progress: Progress) -> None:
        """Store the new distributions in the bank and the new keys in the queue."""
        carry = output.carry
        if "distributions" in carry:
            self.bank[carry["global_ids"]] = carry["distributions"]
        if self.twin is None:
            return
        is_key = gather_constants(carry["is_key"])
        self.queue.enqueue(
            gather_constants(carry["expression_keys"])[is_key],
            gather_constants(carry["landmark_keys"])[is_key],
            gather_constants(carry["pseudo_labels"])[is_key],
        )

    def inference_network(self) -> nn.Module:
        """Return stem, expression branch and classifier of the query network."""
        return self.encoder.network


def _cut_from_network(own: SampleFeatures) -> SampleFeatures:
    """Let no gradient through what the label distributions are made of."""
    return replace(
        own,
        probabilities=own.probabilities.detach(),
        expression=own.expression.detach(),
        landmark=None if own.landmark is None else own.landmark.detach(),
    )


def _gather(own: SampleFeatures) -> SampleFeatures:
    """Collect the features of the global batch."""
    return SampleFeatures(
        ids=gather_constants(own.ids),
        probabilities=gather_rows(own.probabilities),
        expression=gather_rows(own.expression),
        landmark=None if own.landmark is None else gather_rows(own.landmark),
        has_landmarks=gather_constants(own.has_landmarks),
    )
