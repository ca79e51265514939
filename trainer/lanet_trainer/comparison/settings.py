"""In what the runs of a comparison agree, and in what they differ."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from lanet_trainer.comparison.benchmark import CellResult

# The seed stands beside every figure, the noise is the row, and a path is private.
_LEFT_OUT = frozenset({"seed", "noise", "data", "method", "settings", "pretrained"})
_ABSENT = "–"


def all_settings(result: CellResult) -> dict[str, Any]:
    """Return every setting of a run, its method's hyper-parameters included, without paths."""
    config = result.cell.config
    values = {k: v for k, v in dataclasses.asdict(config).items() if k not in _LEFT_OUT}
    own = {k: v for k, v in dataclasses.asdict(config.method_settings()).items() if k != "seed"}
    return {**values, "initialisation": result.facts.initialisation} | {
        f"{config.method}.{name}": value for name, value in own.items()
    }


def describe_settings(results: Sequence[CellResult]) -> list[str]:
    """Return Markdown: what all cells share, and a table of every setting in which cells differ.

    A hyper-parameter that only one method has stands in the table when it was changed; all of them
    are in table.json.
    """
    columns = list(dict.fromkeys(result.cell.column for result in results))
    shared, differing = _compare(results, columns)
    lines = [
        "Common to all cells: " + ", ".join(f"{k} {_words(v)}" for k, v in shared.items()) + "."
    ]
    if differing:
        lines += ["", "Where they differ:", "", f"| | {' | '.join(columns)} |"]
        lines += ["|---" * (len(columns) + 1) + "|"]
        lines += [f"| {name} | {' | '.join(row)} |" for name, row in differing.items()]
    return lines


def _compare(
    results: Sequence[CellResult], columns: Sequence[str]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    by_column: dict[str, list[dict[str, Any]]] = {column: [] for column in columns}
    changed: set[str] = set()
    for result in results:
        config = result.cell.config
        changed |= {f"{config.method}.{name}" for name in config.settings}
        by_column[result.cell.column].append(all_settings(result))
    names = list(dict.fromkeys(name for cells in by_column.values() for c in cells for name in c))
    shared: dict[str, Any] = {}
    differing: dict[str, list[str]] = {}
    for name in names:
        found = [[c[name] for c in cells if name in c] for cells in by_column.values()]
        is_everywhere = all(
            len(values) == len(by_column[c]) for c, values in zip(columns, found, strict=True)
        )
        distinct = {repr(value) for values in found for value in values}
        if is_everywhere and len(distinct) == 1:
            shared[name] = found[0][0]
        elif "." not in name or name in changed or len(distinct) > 1:
            # A column whose own cells differ, e.g. with the noise, names all its values.
            differing[name] = [
                " / ".join(dict.fromkeys(_words(value) for value in values)) or _ABSENT
                for values in found
            ]
    return shared, differing


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        return " ".join(_words(item) for item in value)
    return "off" if value in (None, "", False) else "on" if value is True else str(value)
