"""LA-Net Live: per-frame facial-expression distributions and their uncertainty."""

__version__ = "0.1.0"
