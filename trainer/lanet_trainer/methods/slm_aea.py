"""SLM-AEA: Soft Label Mining and Average Expression Anchoring (ACCV 2022).

Every training image has learnable label logits, pulled step by step towards the network's
predictions (SLM). The batch's mean feature is added to each feature, so that the classifier learns
what is specific to an expression (AEA).

The official code averages over the test batch as well, where a prediction then depends on its
neighbours. Here the default is the running mean of training; "batch" exists for reproduction.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lanet_trainer.backbones import Backbone
from lanet_trainer.distributed import gather_constants, gather_rows
from lanet_trainer.errors import ConfigError
from lanet_trainer.methods.base import Batch, Method, Progress, StepOutput
from lanet_trainer.methods.hard_labels import require_hard_labels
from lanet_trainer.methods.sample_copies import average_over_copies

_EVAL_MEANS = ("running", "none", "batch")
_STEP_RULES = ("per_sample", "per_batch")
# The batch the published step size belongs to.
_PUBLISHED_BATCH = 72
# Share of the newest batch in the running mean, as usual for batch norm.
_RUNNING_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class SLMAEASettings:
    """Hyper-parameters; the defaults are those of the official code but for step_rule, eval_mean.

    Attributes:
        label_probability: What the first label logits give to the label (p).
        label_logit: The first logit of the label (k).
        alpha: Shape of both schedules.
        beta: Epoch at which the pull to the prediction is full and that to the label fades.
        label_step: Step size of the label logits (lambda).
        step_rule: "per_sample": label_step / 72 whatever the batch. "per_batch": label_step / B, as
            in the code.
        eval_mean: Mean feature at inference: "running", "none" or "batch".
    """

    label_probability: float = 0.97
    label_logit: float = 5.0
    alpha: float = 1.6
    beta: float = 7.0
    label_step: float = 200.0
    step_rule: str = "per_sample"
    eval_mean: str = "running"

    def __post_init__(self) -> None:
        if not 0 < self.label_probability < 1:
            raise ConfigError(
                f"SLM-AEA's label_probability is {self.label_probability}; it lies in (0, 1)."
            )
        if self.beta <= 0 or self.label_step < 0:
            raise ConfigError(
                f"SLM-AEA takes beta > 0 and label_step >= 0, got {self.beta} and "
                f"{self.label_step}."
            )
        for name, known in (("step_rule", _STEP_RULES), ("eval_mean", _EVAL_MEANS)):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"SLM-AEA's {name} is '{getattr(self, name)}'; it is one of {', '.join(known)}."
                )


class AnchoredClassifier(nn.Module):
    """What is exported: backbone, anchor, classifier.

    Attributes:
        anchor: Weight of the mean feature, (D,).
        running_mean: Mean feature of training, buffer (D,).
        n_updates: Batches in the running mean, buffer ().
        depends_on_batch: Whether a prediction depends on the other images of the batch.
    """

    running_mean: Tensor
    n_updates: Tensor

    def __init__(self, backbone: Backbone, *, n_classes: int, eval_mean: str) -> None:
        super().__init__()
        self.backbone = backbone
        self.anchor = nn.Parameter(torch.ones(backbone.n_features))
        self.fc = nn.Linear(backbone.n_features, n_classes)
        self.register_buffer("running_mean", torch.zeros(backbone.n_features))
        self.register_buffer("n_updates", torch.zeros((), dtype=torch.int64))
        self._eval_mean = eval_mean
        self.depends_on_batch = eval_mean == "batch"

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of crops (N, 3, S, S), (N, C)."""
        features = self.backbone(image)
        logits: Tensor = self.fc(features + self.anchor * self._mean(features))
        return logits

    def _mean(self, features: Tensor) -> Tensor:
        """Return the mean feature to anchor on, (D,)."""
        if self.training:
            mean = gather_rows(features).mean(dim=0)
            self._follow(mean.detach().float())
            return mean
        if self._eval_mean == "running":
            return self.running_mean
        return features.mean(dim=0) if self._eval_mean == "batch" else torch.zeros_like(self.anchor)

    @torch.no_grad()
    def _follow(self, mean: Tensor) -> None:
        """Move the running mean; the first batch sets it."""
        share = torch.where(self.n_updates == 0, 1.0, _RUNNING_SHARE)
        self.running_mean.lerp_(mean, share)
        self.n_updates += 1


class SLMAEA(Method):
    """Soft labels mined during training, features anchored on the mean.

    Attributes:
        label_logits: Of every training sample, buffer (N, C) float32.
    """

    Settings = SLMAEASettings
    label_logits: Tensor

    def __init__(
        self,
        backbone: Backbone,
        *,
        labels: Tensor,
        targets: Tensor,
        size_px: int,
        settings: SLMAEASettings,
    ) -> None:
        super().__init__(labels=labels, targets=targets)
        require_hard_labels("SLM-AEA", labels, targets)
        self.settings = settings
        self.network = AnchoredClassifier(
            backbone, n_classes=targets.shape[1], eval_mean=settings.eval_mean
        )
        first = first_label_logits(
            labels,
            targets.shape[1],
            probability=settings.label_probability,
            logit=settings.label_logit,
        )
        self.register_buffer("label_logits", first)

    def training_step(self, batch: Batch, progress: Progress) -> StepOutput:
        """Compare the predictions with the soft labels."""
        logits = self.network(batch.image).float()
        soft_labels = self.label_logits[batch.index].softmax(dim=1)
        loss = functional.cross_entropy(logits, soft_labels)
        return StepOutput(loss=loss, logits=logits.detach(), parts={"soft_ce": loss.detach()})

    @torch.no_grad()
    def after_step(self, batch: Batch, output: StepOutput, progress: Progress) -> None:
        """Move the label logits of the batch by one step of gradient descent.

        Where a sample occurs more than once, its rows' mean counts as one step.
        """
        ids = gather_constants(batch.index)
        predictions = gather_constants(output.logits).softmax(dim=1)
        direction = label_gradient(
            self.label_logits[ids],
            predictions,
            self.targets[ids],
            to_prediction=prediction_pull(
                progress.fractional_epoch, alpha=self.settings.alpha, beta=self.settings.beta
            ),
            to_label=label_pull(
                progress.fractional_epoch, alpha=self.settings.alpha, beta=self.settings.beta
            ),
        )
        n_shared = _PUBLISHED_BATCH if self.settings.step_rule == "per_sample" else len(ids)
        step = self.settings.label_step / n_shared * direction
        self.label_logits[ids] -= average_over_copies(step, ids)

    def inference_network(self) -> nn.Module:
        """Return backbone, anchor and classifier."""
        return self.network


def first_label_logits(
    labels: Tensor, n_classes: int, *, probability: float, logit: float
) -> Tensor:
    """Return logits (N, C) whose softmax gives the label exactly `probability`, others the rest.

    Args:
        labels: (N,).
        n_classes: C.
        probability: Of the label, in (0, 1).
        logit: Value at the label.
    """
    # The other classes share c = e^logit (1 - p) / p equally.
    log_share = logit + math.log((1 - probability) / probability) - math.log(n_classes - 1)
    rows = torch.full((len(labels), n_classes), log_share, device=labels.device)
    rows.scatter_(1, labels[:, None], logit)
    return rows


def prediction_pull(epoch: float, *, alpha: float, beta: float) -> float:
    """Return u(t), the pull of the label logits towards the prediction, in (0, 1]."""
    return math.exp(-((alpha - epoch / beta) ** 2)) if epoch <= beta else 1.0


def label_pull(epoch: float, *, alpha: float, beta: float) -> float:
    """Return d(t), the pull of the label logits towards the given label, in (0, 1]."""
    return 1.0 if epoch <= beta else math.exp(-((alpha - beta / epoch) ** 2))


def label_gradient(
    label_logits: Tensor,
    predictions: Tensor,
    onehot: Tensor,
    *,
    to_prediction: float,
    to_label: float,
) -> Tensor:
    """Return u (s - q) + d (s - onehot), the gradient of one sample's label loss, (B, C).

    Args:
        label_logits: (B, C); s is their softmax.
        predictions: q, (B, C).
        onehot: (B, C).
        to_prediction: u.
        to_label: d.
    """
    soft = label_logits.softmax(dim=1)
    return to_prediction * (soft - predictions) + to_label * (soft - onehot)
