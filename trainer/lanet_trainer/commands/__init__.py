"""Subcommands of `lanet-train`: options and what is printed; the work is done elsewhere."""
