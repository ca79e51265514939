"""Repeat the comparisons of the papers: methods, noise rates, seeds."""
