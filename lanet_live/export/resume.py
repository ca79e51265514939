"""Which sources of a batch were already analysed, judged by their metadata.

A table alone proves nothing: it may be half of one, or made with other options. So each metadata
file carries a key of everything that decides the table, and only a complete run with the same key
counts as done.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from lanet_live import __version__
from lanet_live.config import LiveConfig, SourceConfig
from lanet_live.errors import ConfigError
from lanet_live.export.plan import ExportJob

# They decide where and how fast files are written, not what is in them.
_FREE: Final = frozenset({"sources", "command", "with_lsl"})
_FREE_INSIDE: Final = {
    "export": frozenset({"out_dir", "overwrite", "n_jobs", "resume"}),
    "engine": frozenset({"threads", "model_path"}),
    "tracker": frozenset({"threads"}),
}


def run_key(config: LiveConfig, source: SourceConfig, model_sha256: str) -> str:
    """Return a digest of what decides the files of one run: options, model, version, source.

    Args:
        config: With `export` set.
        source: Its size and modification time stand for its content.
        model_sha256: Of the expression model.
    """
    options = {name: value for name, value in asdict(config).items() if name not in _FREE}
    for name, free in _FREE_INSIDE.items():
        options[name] = {key: item for key, item in options[name].items() if key not in free}
    facts = {
        "version": __version__,
        "model": model_sha256,
        "options": options,
        "source": [source.kind, *_state_of(source.path)],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def split_done(
    jobs: Sequence[ExportJob], keys: Sequence[str], *, overwrite: bool
) -> tuple[list[ExportJob], list[ExportJob]]:
    """Separate the jobs that are still to be run from those that are done.

    Args:
        jobs: All of a batch.
        keys: `run_key` of each.
        overwrite: Run those again that were made with other options.

    Returns:
        The jobs to run, with those of an unfinished run set to replace its files; and those done.

    Raises:
        ConfigError: A finished table was made with other options, or its metadata are damaged.
    """
    to_run, done = [], []
    for job, key in zip(jobs, keys, strict=True):
        metadata = _read_metadata(job.metadata_path)
        if metadata is None:
            to_run.append(job)
        elif metadata.get("status") != "complete":
            to_run.append(replace(job, replaces=True))
        elif metadata.get("run_key") == key and all(path.is_file() for path in job.paths):
            done.append(job)
        elif overwrite:
            to_run.append(job)
        else:
            raise ConfigError(
                f"{job.metadata_path} is of a run with other options, another model or version, or "
                "the source has changed since; add --overwrite to analyse it again, or choose "
                "another folder with --out."
            )
    return to_run, done


def _state_of(path: Path | None) -> list[object]:
    """Return size and modification time; for a folder, those of the files in it."""
    if path is None:
        return []
    try:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    except OSError:
        return []  # opening the source says what is wrong with it


def _read_metadata(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read, so it is not clear whether its run is done; remove it first."
        ) from error
    return document if isinstance(document, dict) else {}
