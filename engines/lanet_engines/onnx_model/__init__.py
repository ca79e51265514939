"""ONNX files: checked before a runtime sees them, and edited for the runtimes."""
