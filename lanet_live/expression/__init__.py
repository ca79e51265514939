"""From logits to calibrated estimates with their uncertainty."""
