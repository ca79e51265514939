"""Trainer of LA-Net and the methods it is compared with (PyTorch)."""
