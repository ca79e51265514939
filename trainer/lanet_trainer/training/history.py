"""The epochs of a run: one row of figures each, and which of them is the best."""

import csv
import io
from pathlib import Path

from lanet_trainer.errors import ConfigError

HISTORY_FILE = "history.csv"
# Figures of which less is better; of all others, more.
_FALLING = frozenset({"js", "nll", "ece", "aurc", "loss"})
_N_LAST = 5

Row = dict[str, float]


class History:
    """Rows of figures, one per finished epoch."""

    def __init__(self, rows: list[Row] | None = None) -> None:
        self.rows: list[Row] = list(rows or [])

    def add(self, row: Row) -> None:
        """Append a finished epoch."""
        self.rows.append(row)

    @property
    def last(self) -> Row:
        """The row of the epoch finished last."""
        return self.rows[-1]

    def best(self, metric: str) -> Row | None:
        """Return the row with the best validation figure, the first of equals; None without one.

        Args:
            metric: Without its prefix, e.g. "accuracy" for the column "valid_accuracy".

        Raises:
            ConfigError: Epochs were validated, but not by this figure.
        """
        validated = [row for row in self.rows if any(key.startswith("valid_") for key in row)]
        if not validated:
            return None
        name = f"valid_{metric}"
        if name not in validated[0]:
            raise ConfigError(
                f"The best epoch cannot be chosen by '{metric}': the validation split has no votes."
            )
        sign = -1 if metric in _FALLING else 1
        return max(validated, key=lambda row: sign * row[name])

    def mean_of_last(self) -> Row:
        """Return the means of what was measured in the last five epochs, or in all if fewer ran."""
        rows = self.rows[-_N_LAST:]
        names = [name for name in rows[-1] if name.startswith(("valid_", "report_"))]
        means = {name: sum(row[name] for row in rows) / len(rows) for name in names}
        return {"n_epochs": len(rows), **means}

    def write_csv(self, folder: Path) -> None:
        """Write all rows to the run's folder."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(self.last), lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        (folder / HISTORY_FILE).write_text(text.getvalue(), encoding="utf-8")
