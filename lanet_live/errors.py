"""Errors of the application, each one sentence a user can act on.

    LanetLiveError
    ├── ConfigError            an option, a file or a folder the user named
    ├── SourceError
    │   ├── SourceUnavailable  cannot be opened
    │   └── SourceLost         opened, then broke off or vanished
    ├── FaceModelError         the landmark model is missing, damaged or fails
    └── SinkError              a result could not be written

Engines have their own tree (`lanet_engines.errors.EngineError`), since they know nothing of this
package.
The command line prints these as one line and exits with 2; anything else is a bug and keeps its
traceback.
"""


class LanetLiveError(Exception):
    """Base of every error this application raises on purpose."""


class ConfigError(LanetLiveError):
    """An option, file or folder given by the user cannot be used."""


class SourceError(LanetLiveError):
    """A source of frames failed."""


class SourceUnavailable(SourceError):
    """A source cannot be opened."""


class SourceLost(SourceError):
    """A source was open and then broke off."""


class FaceModelError(LanetLiveError):
    """The face landmark model is missing, damaged or failed."""


class SinkError(LanetLiveError):
    """A result could not be written."""
