"""Training methods, one file each, behind `trainer.methods.base`."""
