"""Run one exported model on one runtime: uint8 face crops in, logits out."""
