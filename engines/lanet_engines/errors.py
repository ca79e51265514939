"""Errors of the engines.

EngineError
├── ModelFileError       the model file is damaged, unsafe or lacks its metadata
├── BackendUnavailable   the runtime is not installed or has no usable device
├── EngineBuildError     compiling the model for a runtime failed
├── BuildInterrupted     compiling was given up because it was asked for
├── ArtefactError        a built engine is damaged, incomplete or for another machine
├── UnsafeFolderError    a folder with built engines could be changed by another user
├── PluginError          a package that adds a part is broken
└── EngineInputError     a batch of the wrong shape or dtype
"""


class EngineError(Exception):
    """Base of every error an engine raises on purpose."""


class ModelFileError(EngineError):
    """A model file is damaged, unsafe, or lacks its metadata."""


class BackendUnavailable(EngineError):
    """A runtime is not installed here, or has no device to run on."""


class EngineBuildError(EngineError):
    """Compiling a model for a runtime failed."""


class BuildInterrupted(EngineError):
    """Compiling a model was cancelled on request; nothing is left of it."""


class PluginError(EngineError):
    """A part that another installed package adds does not work; the message names the package."""


class EngineInputError(EngineError):
    """A batch does not have the shape or dtype the model takes."""


class UnsafeFolderError(EngineError):
    """A folder with executable artefacts could be changed by another user."""


class ArtefactError(EngineError):
    """A built engine is damaged, incomplete, or not for this machine."""
