"""Keep what other libraries store between runs in the program's own cache folder."""

import os
from typing import Final

import platformdirs

# Matplotlib's list of fonts, and its settings. torch's compiled kernels, which would lie in the
# temporary folder under the user's name.
_FOLDERS: Final = {"MPLCONFIGDIR": "matplotlib", "TORCHINDUCTOR_CACHE_DIR": "torch"}


def keep_library_caches_together() -> None:
    """Name the folders, unless the user has; to be called before the libraries are loaded."""
    folder = platformdirs.user_cache_path("lanet-live", appauthor=False)
    for variable, name in _FOLDERS.items():
        os.environ.setdefault(variable, str(folder / name))
