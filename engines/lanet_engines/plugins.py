"""What other installed packages add by entry points; see docs/plugins.md.

Names are read from the metadata of the installed packages, which runs none of their code. A part is
imported when somebody asks for it by name. All three packages of the project use this module, each
with groups of its own.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lanet_engines.errors import PluginError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plugin:
    """One part that an installed package offers.

    Attributes:
        entry_point: As the package declares it.
    """

    entry_point: EntryPoint

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.entry_point.name

    @property
    def package(self) -> str:
        """Name and version of the package it comes from."""
        distribution = self.entry_point.dist
        return f"{distribution.name} {distribution.version}" if distribution else "unknown"

    def load(self) -> Any:
        """Import the part and return it.

        Raises:
            PluginError: The import fails, whatever the reason.
        """
        with self.blamed("cannot be loaded"):
            return self.entry_point.load()

    def refuse(self, sentence: str) -> PluginError:
        """Return an error that says which package is at fault."""
        return PluginError(f"The plug-in '{self.name}' of the package {self.package} {sentence}.")

    @contextmanager
    def blamed(self, what: str, *own: type[Exception]) -> Iterator[None]:
        """Turn what the part's code raises into one sentence that names the package.

        Args:
            what: What went wrong, e.g. "cannot be loaded".
            own: Errors of the project, which the part may raise on purpose; they pass.

        Raises:
            PluginError: The code raised something else.
        """
        try:
            yield
        except (Exception, SystemExit) as error:  # not our code: it may raise anything
            if isinstance(error, (PluginError, *own)):
                raise
            logger.debug("plug-in %s of %s", self.name, self.package, exc_info=True)
            raise self.refuse(f"{what} ({type(error).__name__}: {_first_line(error)})") from error


def find_plugins(group: str) -> tuple[Plugin, ...]:
    """Return what the installed packages offer in a group, by name. Imports none of it."""
    try:
        found = entry_points(group=group)
    except Exception as error:  # noqa: BLE001 - damaged metadata of any package must not stop us
        logger.warning("The installed packages' entry points cannot be read: %s", error)
        return ()
    return tuple(Plugin(entry) for entry in sorted(found, key=lambda entry: entry.name))


def find_plugin(group: str, name: str) -> Plugin | None:
    """Return the part of this name; None when no package offers one.

    Raises:
        PluginError: Several packages offer it.
    """
    found = [plugin for plugin in find_plugins(group) if plugin.name == name]
    if len(found) > 1:
        packages = " and ".join(plugin.package for plugin in found)
        raise PluginError(f"The packages {packages} both add '{name}'; uninstall one of them.")
    return found[0] if found else None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "no reason given")
