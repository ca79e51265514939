"""Which files a run writes."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanet_live.config import ExportConfig, SourceConfig
from lanet_live.errors import ConfigError
from lanet_live.sinks.parquet import stream_path_of

# A video keeps its own name for itself, so that no export can replace the recording.
SUFFIXES: Final = {
    "csv": ".csv",
    "jsonl": ".jsonl",
    "parquet": ".parquet",
    "video": "_annotated.mp4",
    "plot": ".png",
}
METADATA_SUFFIX: Final = ".metadata.json"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One source and the files made from it.

    Attributes:
        source: What is analysed.
        outputs: File per format.
        metadata_path: The file that describes them.
        replaces: The files that are there are of an unfinished run and may be replaced.
    """

    source: SourceConfig
    outputs: dict[str, Path]
    metadata_path: Path
    replaces: bool = False

    @property
    def name(self) -> str:
        """What to call the job where there is little room: the name of its outputs."""
        return self.metadata_path.name.removesuffix(METADATA_SUFFIX)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files of this job that are there when it is done."""
        return (*self.outputs.values(), self.metadata_path)

    @property
    def temporary_paths(self) -> tuple[Path, ...]:
        """Files that are there while it runs, and after a crash."""
        return (stream_path_of(self.outputs["parquet"]),) if "parquet" in self.outputs else ()


def plan_jobs(sources: Sequence[SourceConfig], export: ExportConfig) -> tuple[ExportJob, ...]:
    """Give every source its own files.

    Sources with the same stem get the name of their folder in front (`P01_clip.csv`), and if that
    is not enough, their suffix behind (`clip_mov.csv`).

    Raises:
        ConfigError: A source is named twice, or two cannot be told apart by their names.
    """
    stems = _distinct_stems(sources)
    jobs = []
    for source, stem in zip(sources, stems, strict=True):
        outputs = {name: export.out_dir / f"{stem}{SUFFIXES[name]}" for name in export.formats}
        jobs.append(ExportJob(source, outputs, export.out_dir / f"{stem}{METADATA_SUFFIX}"))
    return tuple(jobs)


def check_outputs(job: ExportJob, export: ExportConfig) -> None:
    """Make the output folder and see that nothing of value would be replaced.

    Raises:
        ConfigError: The folder cannot be made, a file is there already, or an output is the input.
    """
    try:
        export.out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The output folder {export.out_dir} cannot be made: {error.strerror}."
        ) from error
    for path in (*job.paths, *job.temporary_paths):
        if job.source.path is not None and path.resolve() == job.source.path.resolve():
            raise ConfigError(
                f"{path} is what is to be analysed; choose another folder with --out."
            )
        if path.is_dir():
            raise ConfigError(f"{path} is a folder, so the file cannot be written there.")
        if path.exists() and not export.overwrite:
            raise ConfigError(f"{path} is already there; add --overwrite to replace it.")


def _distinct_stems(sources: Sequence[SourceConfig]) -> list[str]:
    stems = [_stem(source) for source in sources]
    for qualify in (_with_folder, _with_suffix):
        stems = _qualify_equal(sources, stems, qualify)
    for stem, count in Counter(map(str.casefold, stems)).items():
        if count > 1:
            titles = [
                source.title
                for source, own in zip(sources, stems, strict=True)
                if own.casefold() == stem
            ]
            raise ConfigError(
                f"{titles[0]} and {titles[1]} would be written to the same files; "
                "analyse them in two runs with different --out folders."
            )
    return stems


def _qualify_equal(
    sources: Sequence[SourceConfig], stems: list[str], qualify: Callable[[SourceConfig, str], str]
) -> list[str]:
    # Upper and lower case are one name on Windows and macOS.
    counts = Counter(map(str.casefold, stems))
    return [
        qualify(source, stem) if counts[stem.casefold()] > 1 else stem
        for source, stem in zip(sources, stems, strict=True)
    ]


def _stem(source: SourceConfig) -> str:
    if source.path is not None:
        path = source.path.resolve()
        return path.name if path.is_dir() else path.stem
    name = source.title if source.kind == "camera" else source.kind
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


def _with_folder(source: SourceConfig, stem: str) -> str:
    return stem if source.path is None else f"{source.path.resolve().parent.name}_{stem}"


def _with_suffix(source: SourceConfig, stem: str) -> str:
    suffix = "" if source.path is None or source.kind == "images" else source.path.suffix[1:]
    return f"{stem}_{suffix}" if suffix else stem
