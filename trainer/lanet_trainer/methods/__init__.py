"""Training methods, one file each, behind `lanet_trainer.methods.base`."""
