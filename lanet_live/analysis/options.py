"""How one item of the queue is analysed, and what is written."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from lanet_live.capture.selected import FrameSelection
from lanet_live.config import (
    BALANCED,
    COLUMN_SETS,
    DEFAULT_MAX_FACES,
    EXPORT_FORMATS,
    FITTED,
    ExportConfig,
    PriorConfig,
)
from lanet_live.errors import ConfigError
from lanet_live.expression.prior import check_shares

MAX_FACES: Final = 50
MAX_EVERY_N: Final = 1000


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """Options of one item.

    Attributes:
        start_s: From this time of the source on; None begins at its beginning.
        end_s: Up to this time of the source; None goes to its end.
        every_n: 1 analyses every frame, 5 the first and every fifth after it.
        max_faces: Faces looked for in a frame.
        columns: One of `lanet_live.config.COLUMN_SETS`.
        formats: Out of `lanet_live.config.EXPORT_FORMATS`.
        out_dir: Results go into a new folder in here; None takes a place beside the source.
        prior: Class shares the probabilities are corrected to, in columns of their own.
    """

    start_s: float | None = None
    end_s: float | None = None
    every_n: int = 1
    max_faces: int = DEFAULT_MAX_FACES
    columns: str = "basic"
    formats: tuple[str, ...] = ("csv",)
    out_dir: Path | None = None
    prior: PriorConfig = field(default_factory=PriorConfig)

    def export_config(self, kind: str, folder: Path) -> ExportConfig:
        """Return what the exporter is asked for.

        Args:
            kind: Of the source, one of `lanet_live.config.SOURCE_KINDS`.
            folder: The item's own, so that files of an earlier try in it may be replaced.

        Raises:
            ConfigError: The options do not fit together, or not the source.
        """
        FrameSelection(self.start_s, self.end_s, self.every_n)
        if not self.formats:
            raise ConfigError("No file is to be written; choose at least one.")
        if kind == "images" and "plot" in self.formats:
            raise ConfigError("A timeline needs time, and pictures have none; leave out timeline.")
        return ExportConfig(
            formats=self.formats,
            out_dir=folder,
            overwrite=True,
            columns=self.columns,
            start_s=self.start_s,
            end_s=self.end_s,
            every_n=self.every_n,
        )

    def to_document(self) -> dict[str, Any]:
        """Return the options as JSON holds them."""
        out_dir = None if self.out_dir is None else str(self.out_dir)
        prior = {**asdict(self.prior), "shares": dict(self.prior.shares)}
        formats = list(self.formats)
        return {**asdict(self), "formats": formats, "out_dir": out_dir, "prior": prior}


def options_from_document(document: object) -> AnalysisOptions:
    """Read options back.

    Raises:
        ConfigError: A value is missing or not usable.
    """
    if not isinstance(document, dict):
        raise ConfigError("The options are not a table of values.")
    formats, out_dir = document.get("formats"), document.get("out_dir")
    if not isinstance(formats, list) or not all(name in EXPORT_FORMATS for name in formats):
        raise ConfigError(f"The options name files of unknown kind: {formats!r}.")
    if document.get("columns") not in COLUMN_SETS:
        raise ConfigError(f"There is no set of columns {document.get('columns')!r}.")
    if out_dir is not None and not isinstance(out_dir, str):
        raise ConfigError(f"{out_dir!r} is not the name of a folder.")
    return AnalysisOptions(
        start_s=_time(document, "start_s"),
        end_s=_time(document, "end_s"),
        every_n=_count(document, "every_n", most=MAX_EVERY_N),
        max_faces=_count(document, "max_faces", most=MAX_FACES),
        columns=document["columns"],
        formats=tuple(dict.fromkeys(formats)),
        out_dir=None if out_dir is None else Path(out_dir),
        prior=_prior(document.get("prior")),
    )


def _prior(document: object) -> PriorConfig:
    if document is None:  # written before there was a choice
        return PriorConfig()
    if not isinstance(document, dict):
        raise ConfigError("The class shares are not a table of values.")
    kind, name, shares = (document.get(key) for key in ("kind", "name", "shares"))
    if kind in (FITTED, BALANCED):
        return PriorConfig(kind, kind)
    if kind != "file" or not isinstance(name, str) or not isinstance(shares, dict):
        raise ConfigError(f"There is no such choice of class shares: {kind!r}.")
    return check_shares(shares, name=name)


def _time(document: dict[str, Any], key: str) -> float | None:
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{key} is not a time in seconds: {value!r}.")
    return float(value)


def _count(document: dict[str, Any], key: str, *, most: int) -> int:
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ConfigError(f"{key} is not a whole number from 1 to {most}: {value!r}.")
    return value
