"""Reports on the training labels of a run: mined distributions and suspects."""
