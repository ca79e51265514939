"""TensorRT on NVIDIA GPUs.

It compiles when a model is opened, so building and running stand together here.
"""
