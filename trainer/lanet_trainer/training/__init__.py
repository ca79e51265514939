"""One training run: its record, data, loop, checkpoints and folder."""
