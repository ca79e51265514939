"""Saved neutral baselines: one small JSON file per person in the user's configuration folder."""

import hashlib
import logging
from pathlib import Path

from platformdirs import user_config_path

from lanet_live.errors import ConfigError
from lanet_live.expression.baseline import BaselineProfile
from lanet_live.sinks.output_file import published

logger = logging.getLogger(__name__)


def default_store_folder() -> Path:
    """Return where the profiles of this user are kept."""
    return user_config_path("lanet-live", appauthor=False) / "baselines"


class ProfileStore:
    """Saves, lists and deletes profiles; a person has one per model.

    Args:
        folder: Made with the first profile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, profile: BaselineProfile) -> None:
        """Keep a profile in place of the person's earlier one for the same model.

        Raises:
            ConfigError: The folder cannot be made.
            SinkError: The file cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self._folder} cannot be made: {error.strerror}.") from error
        with published(self._path_of(profile), overwrite=True) as part:
            part.write_text(profile.to_json(), encoding="utf-8")

    def delete(self, profile: BaselineProfile) -> None:
        """Forget a profile."""
        self._path_of(profile).unlink(missing_ok=True)

    def profiles(self, model_sha256: str) -> tuple[BaselineProfile, ...]:
        """Return the profiles that fit a model, by name; unreadable ones are left out."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                profile = BaselineProfile.from_json(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, ConfigError) as error:
                logger.warning("the baseline profile %s is left out: %s", path, error)
                continue
            if profile.model_sha256 == model_sha256:
                found.append(profile)
        return tuple(sorted(found, key=lambda profile: profile.name.casefold()))

    def _path_of(self, profile: BaselineProfile) -> Path:
        # A digest, since a name may hold anything.
        key = f"{profile.name}\n{profile.model_sha256}".encode()
        return self._folder / f"{hashlib.sha256(key).hexdigest()[:24]}.json"
