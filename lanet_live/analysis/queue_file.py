"""Keeps the queue between runs of the program."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from platformdirs import user_data_path

from lanet_live.analysis.item import ITEM_KINDS, AnalysisItem, ItemState
from lanet_live.analysis.json_file import read_document, write_document
from lanet_live.analysis.options import options_from_document
from lanet_live.errors import ConfigError
from lanet_live.run_summary import RunProgress

logger = logging.getLogger(__name__)

_SCHEMA_VERSION: Final = 1


def default_queue_folder() -> Path:
    """Return where this user's queue and presets are kept."""
    return user_data_path("lanet-live", appauthor=False) / "analyze"


@dataclass(frozen=True, slots=True)
class StoredQueue:
    """What a queue file held.

    Attributes:
        items: In order; those that were under way are queued again.
        is_going: The queue was being worked off.
        notice: One sentence if something could not be read; empty otherwise.
    """

    items: tuple[AnalysisItem, ...] = ()
    is_going: bool = False
    notice: str = ""


class QueueFile:
    """One JSON file.

    Args:
        path: Made with the first item.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, items: Sequence[AnalysisItem], *, is_going: bool) -> None:
        """Write the queue whole.

        Raises:
            LanetLiveError: It cannot be written.
        """
        entries = [_to_document(item) for item in items]
        write_document(
            self._path, {"schema": _SCHEMA_VERSION, "is_going": is_going, "items": entries}
        )

    def load(self) -> StoredQueue:
        """Read the queue; never fails, entries that cannot be used are left out."""
        document, notice = read_document(self._path)
        entries = document.get("items", [])
        items: dict[str, AnalysisItem] = {}
        n_unusable = 0
        for entry in entries if isinstance(entries, list) else []:
            try:
                item = _from_document(entry)
            except ConfigError as error:
                logger.warning("an entry of %s is left out: %s", self._path, error)
                n_unusable += 1
            else:
                items[item.item_id] = item
        if n_unusable:
            notice = f"{n_unusable} of {len(entries)} entries of the queue were not usable."
        return StoredQueue(tuple(items.values()), document.get("is_going") is True, notice)


def _to_document(item: AnalysisItem) -> dict[str, Any]:
    counts = None
    if item.state.is_over and item.progress is not None:
        counts = {
            "n_analysed": item.progress.n_analysed,
            "n_with_face": item.progress.n_with_face,
            "elapsed_s": item.progress.elapsed_s,
        }
    return {
        "id": item.item_id,
        "kind": item.kind,
        "path": str(item.path),
        "options": item.options.to_document(),
        "state": item.state.value,
        "reason": item.reason,
        "result_folder": None if item.result_folder is None else str(item.result_folder),
        "counts": counts,
    }


def _from_document(entry: object) -> AnalysisItem:
    if not isinstance(entry, dict):
        raise ConfigError("An entry is not a table of values.")
    texts = [entry.get(key) for key in ("id", "kind", "path", "state", "reason")]
    if not all(isinstance(text, str) for text in texts):
        raise ConfigError("An entry lacks its name, kind, path or state.")
    item_id, kind, path, state_name, reason = map(str, texts)
    if kind not in ITEM_KINDS or not path:
        raise ConfigError(f"An entry has no path or is of unknown kind: {kind!r}.")
    try:
        state = ItemState(state_name)
    except ValueError as error:
        raise ConfigError(f"An entry has the unknown state {state_name!r}.") from error
    folder = entry.get("result_folder")
    item = AnalysisItem(
        kind=kind,
        path=Path(path),
        options=options_from_document(entry.get("options")),
        item_id=item_id,
        state=state,
        reason=reason,
        result_folder=Path(folder) if isinstance(folder, str) else None,
        progress=_counts(entry.get("counts")),
    )
    return replace(item, state=ItemState.QUEUED) if state.is_under_way else item


def _counts(document: object) -> RunProgress | None:
    if not isinstance(document, dict):
        return None
    n_analysed, n_with_face = document.get("n_analysed"), document.get("n_with_face")
    elapsed_s = document.get("elapsed_s")
    if not (isinstance(n_analysed, int) and isinstance(n_with_face, int)):
        return None
    elapsed_s = float(elapsed_s) if isinstance(elapsed_s, int | float) else 0.0
    return RunProgress(n_analysed, n_with_face, None, elapsed_s)
