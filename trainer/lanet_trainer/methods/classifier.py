"""The network that is exported: a backbone, its pooled features, one linear layer."""

from torch import Tensor, nn

from lanet_trainer.backbones import Backbone, pool


class Classifier(nn.Module):
    """Crops (N, 3, S, S) -> logits (N, C)."""

    def __init__(self, backbone: Backbone, *, n_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(backbone.n_features, n_classes)

    def classify(self, feature_map: Tensor) -> Tensor:
        """Return the logits for the backbone's last map, (N, D, h, w)."""
        logits: Tensor = self.fc(self.dropout(pool(feature_map)))
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits."""
        return self.classify(self.backbone.forward_maps(image))
