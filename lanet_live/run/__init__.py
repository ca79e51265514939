"""A run: frames in, results out, from a file in order or from a live source."""
