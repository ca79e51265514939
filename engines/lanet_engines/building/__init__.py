"""Compile a model for a runtime and prove that it is still the same model."""
