"""Where the files that ship with the app are: beside the sources or inside the installed wheel."""

from pathlib import Path

from lanet_live.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent
_CANDIDATES = (_PACKAGE / "_assets", _PACKAGE.parent / "assets")


def asset_path(name: str) -> Path:
    """Return the path of a shipped file, e.g. ``models/face_landmarker.task``.

    Raises:
        ConfigError: The file is not there; the installation is damaged.
    """
    for folder in _CANDIDATES:
        path = folder / name
        if path.is_file():
            return path
    raise ConfigError(f"The shipped file {name} is missing; please install LA-Net Live again.")
