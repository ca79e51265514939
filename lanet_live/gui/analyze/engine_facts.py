"""Which engine runs an item: read from the metadata its run began with."""

import json
from pathlib import Path
from typing import Final

from lanet_live.analysis.item import AnalysisItem
from lanet_live.export.plan import METADATA_SUFFIX

_MAX_CHARS: Final = 1_000_000


class EngineFacts:
    """Remembers what it read, so that showing progress reads no file twice."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def of(self, item: AnalysisItem) -> tuple[str, str]:
        """Return runtime with device, and precision; empty until the first frame is analysed."""
        if item.progress is None or item.result_folder is None:
            self._known.pop(item.item_id, None)  # It may run on something else this time.
            return "", ""
        if item.item_id not in self._known:
            self._known[item.item_id] = _read(item.result_folder)
        return self._known[item.item_id]


def _read(folder: Path) -> tuple[str, str]:
    try:
        path = next(folder.glob(f"*{METADATA_SUFFIX}"))
        with path.open(encoding="utf-8") as file:
            engine = json.loads(file.read(_MAX_CHARS))["engine"]
        return f"{engine['backend']} on {engine['device']}", str(engine["precision"])
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return "", ""
