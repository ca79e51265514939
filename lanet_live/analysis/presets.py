"""Named options: some that ship with the program, and the user's own."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from lanet_live.analysis.json_file import read_document, write_document
from lanet_live.analysis.options import AnalysisOptions, options_from_document
from lanet_live.errors import ConfigError

BUILT_IN: Final[dict[str, AnalysisOptions]] = {
    "Table": AnalysisOptions(),
    "Table, video and timeline": AnalysisOptions(formats=("csv", "video", "plot")),
    "All columns": AnalysisOptions(columns="full", formats=("csv", "parquet")),
    "Quick look": AnalysisOptions(every_n=10),
}

_MAX_NAME_CHARS: Final = 60


class PresetBook:
    """The presets in order: shipped ones first, then the user's by name.

    A preset says how, not which part of which file: start and end are left out.

    Args:
        path: JSON file, made with the first own preset; a broken one is put aside.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own: dict[str, AnalysisOptions] = {}
        document, self.notice = read_document(path)
        for name, options in document.items():
            try:
                self._own[name] = options_from_document(options)
            except ConfigError as error:
                self.notice = f"The preset {name} is not usable. {error}"

    @property
    def presets(self) -> dict[str, AnalysisOptions]:
        """All presets by name."""
        return {**BUILT_IN, **dict(sorted(self._own.items(), key=lambda own: own[0].casefold()))}

    def is_own(self, name: str) -> bool:
        """Whether it is the user's, so that it can be deleted."""
        return name in self._own

    def save(self, name: str, options: AnalysisOptions) -> None:
        """Keep options under a name; an own preset of that name is replaced.

        Raises:
            ConfigError: The name is empty, too long or that of a shipped preset.
            SinkError: The file cannot be written.
        """
        name = name.strip()
        if not name or len(name) > _MAX_NAME_CHARS:
            raise ConfigError(f"A preset's name has 1 to {_MAX_NAME_CHARS} characters.")
        if name in BUILT_IN:
            raise ConfigError(f"{name} ships with the program; choose another name.")
        self._write({**self._own, name: replace(options, start_s=None, end_s=None)})

    def delete(self, name: str) -> None:
        """Forget an own preset.

        Raises:
            SinkError: The file cannot be written.
        """
        self._write({own: options for own, options in self._own.items() if own != name})

    def _write(self, own: dict[str, AnalysisOptions]) -> None:
        write_document(self._path, {name: options.to_document() for name, options in own.items()})
        self._own = own


def apply_preset(preset: AnalysisOptions, options: AnalysisOptions) -> AnalysisOptions:
    """Return the preset's options; the part stays, and the folder unless the preset names one."""
    return replace(
        preset,
        start_s=options.start_s,
        end_s=options.end_s,
        out_dir=preset.out_dir or options.out_dir,
    )
