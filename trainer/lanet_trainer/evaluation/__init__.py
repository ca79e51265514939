"""Measure models and engines: figures, calibration, reliability, the model card."""
