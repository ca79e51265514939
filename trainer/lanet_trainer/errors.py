"""Errors of the trainer, each one sentence a user can act on.

    TrainerError
    ├── ConfigError       an option, or a combination of options, cannot be used
    ├── DataError         a data set, a file of it, or a prepared folder is not as expected
    └── CheckpointError   weights or a checkpoint are damaged or belong to something else

The command line prints these as one line and exits with 2; anything else is a bug and keeps its
traceback.
"""


class TrainerError(Exception):
    """Base of every error the trainer raises on purpose."""


class ConfigError(TrainerError):
    """An option, or a combination of options, cannot be used."""


class DataError(TrainerError):
    """A data set, a file of it, or a prepared folder is not as expected."""


class CheckpointError(TrainerError):
    """Weights or a checkpoint are damaged, incomplete, or belong to something else."""
