"""One source in, its tables and pictures out. Shared by the command line and the window's queue."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from lanet_engines.options import ProgressCallback
from lanet_live import __version__
from lanet_live.capture.base import SourceFacts
from lanet_live.capture.selected import FrameSelection
from lanet_live.config import FITTED, ExportConfig, LiveConfig
from lanet_live.drawing.timeline_figure import PlotText
from lanet_live.errors import LanetLiveError
from lanet_live.export.camera import run_live
from lanet_live.export.plan import ExportJob, check_outputs
from lanet_live.export.resume import run_key, split_done
from lanet_live.expression.prior import resolve_prior
from lanet_live.expression.shares import SharesCollector
from lanet_live.records import FrameResult
from lanet_live.run.assembly import (
    LoadedModel,
    build_pipeline_factory,
    build_source_factory,
    load_model,
)
from lanet_live.run.offline import run_overlapped
from lanet_live.run.pipeline import Pipeline
from lanet_live.run_summary import RunProgress, RunSummary
from lanet_live.sinks.annotated_video import AnnotatedVideoSink
from lanet_live.sinks.base import ResultSink
from lanet_live.sinks.csv_table import CsvSink
from lanet_live.sinks.jsonl import JsonLinesSink
from lanet_live.sinks.lsl import LslSink, require_pylsl
from lanet_live.sinks.metadata import MetadataFile, RunSettings, RunSetup
from lanet_live.sinks.output_file import sink_error
from lanet_live.sinks.parquet import ParquetSink
from lanet_live.sinks.plot import PlotSink
from lanet_live.sinks.table import TableLayout

ShouldStop = Callable[[], bool]
OnProgress = Callable[[RunProgress], None]

_TABLES: Final[dict[str, type[CsvSink | JsonLinesSink | ParquetSink]]] = {
    "csv": CsvSink,
    "jsonl": JsonLinesSink,
    "parquet": ParquetSink,
}


class Exporter:
    """Runs export jobs, all with one model.

    Args:
        config: With `export` set.

    Raises:
        ConfigError: The model does not fit this version or the class shares, or pylsl is
            missing for LSL.
        EngineError: The model is not usable.
    """

    def __init__(self, config: LiveConfig) -> None:
        if config.export is None:
            raise ValueError("config.export must be set")
        if config.with_lsl:
            require_pylsl()
        self._config = config
        self._export = config.export
        self._model = load_model(config.engine)
        # Asked here, so that it is refused once and not for every source.
        resolve_prior(config.pipeline.prior, self._model.spec)

    def split_done(self, jobs: Sequence[ExportJob]) -> tuple[list[ExportJob], list[ExportJob]]:
        """Separate what is still to be run from what an earlier run has finished.

        Raises:
            ConfigError: See `lanet_live.export.resume.split_done`.
        """
        keys = [run_key(self._config, job.source, self._model.sha256) for job in jobs]
        return split_done(jobs, keys, overwrite=self._export.overwrite)

    def run(
        self,
        job: ExportJob,
        *,
        should_stop: ShouldStop | None = None,
        on_progress: OnProgress | None = None,
        on_compiling: ProgressCallback | None = None,
        first_sinks: Sequence[ResultSink] = (),
    ) -> RunSummary:
        """Analyse one source and write its files.

        Args:
            job: Which source, which files.
            should_stop: Asked a few times a second; True ends the run, which is then partial.
            on_progress: Called with the progress of the run.
            on_compiling: Called with the progress of compiling the engine, if that is needed.
            first_sinks: Take each result before the files do.

        Raises:
            LanetLiveError: The source cannot be opened or a file cannot be written. What was
                written so far is kept, and the metadata call it partial.
            EngineError: The model cannot be opened or run; likewise.
        """
        export = replace(self._export, overwrite=self._export.overwrite or job.replaces)
        check_outputs(job, export)
        run = _Run(self._config, export, self._model, job, first_sinks)
        return run.execute(should_stop, on_progress, on_compiling)


class _Run:
    """The sinks of one job, from the first frame to the last word in the metadata."""

    def __init__(
        self,
        config: LiveConfig,
        export: ExportConfig,
        model: LoadedModel,
        job: ExportJob,
        first_sinks: Sequence[ResultSink],
    ) -> None:
        self._first_sinks = first_sinks
        self._config = config
        self._export = export
        self._model = model
        self._job = job
        self._metadata = MetadataFile(job.metadata_path, self._settings())
        self._lsl = LslSink() if config.with_lsl else None
        spec, min_quality = model.spec, config.pipeline.estimator.min_quality
        self._shares = SharesCollector(
            spec.labels,
            spec.class_shares,
            min_quality=spec.min_quality if min_quality is None else min_quality,
            is_independent=job.source.kind == "images",
        )
        self._plot: PlotSink | None = None
        if "plot" in job.outputs:
            self._plot = PlotSink(
                job.outputs["plot"], model.spec.labels, overwrite=export.overwrite
            )

    def execute(
        self,
        should_stop: ShouldStop | None,
        on_progress: OnProgress | None,
        on_compiling: ProgressCallback | None,
    ) -> RunSummary:
        try:
            # A camera does not wait, a file does.
            run = run_live if self._job.source.kind == "camera" else run_overlapped
            summary = run(
                build_source_factory(self._job.source, selection=self._selection()),
                partial(self._open_pipeline, on_compiling=on_compiling),
                self._sinks(),
                should_stop=should_stop,
                on_progress=on_progress,
            )
            summary = replace(summary, shares=self._shares.estimate())
            self._draw_plot(summary)
        except BaseException as error:
            if self._metadata.has_begun:
                # The first error is the one to report, should this fail as well.
                with contextlib.suppress(LanetLiveError):
                    self._metadata.fail(_reason_of(error))
            raise
        self._metadata.finish(summary)
        return summary

    def _open_pipeline(
        self, facts: SourceFacts, *, on_compiling: ProgressCallback | None
    ) -> Pipeline:
        """Open the pipeline; once it stands, old files go and the metadata say "running"."""
        open_pipeline = build_pipeline_factory(self._config, self._model, on_compiling=on_compiling)
        pipeline = open_pipeline(facts)
        try:
            setup = pipeline.describe(facts)
            self._remove_old_files()
            self._metadata.begin(setup)
            if self._plot is not None:
                self._plot.text = self._plot_text(setup)
            if self._lsl is not None:
                self._lsl.open(setup)
        except BaseException:
            pipeline.close()
            raise
        return pipeline

    def _sinks(self) -> list[ResultSink]:
        layout = TableLayout(
            self._model.spec.labels,
            is_full=self._export.columns == "full",
            has_smoothed=self._config.pipeline.smoothing_s is not None,
            has_prior=self._config.pipeline.prior.kind != FITTED,
        )
        outputs, overwrite = self._job.outputs, self._export.overwrite
        sinks: list[ResultSink] = [
            build(outputs[name], layout, overwrite=overwrite)
            for name, build in _TABLES.items()
            if name in outputs
        ]
        if "video" in outputs:
            sinks.append(AnnotatedVideoSink(outputs["video"], overwrite=overwrite))
        if self._plot is not None:
            sinks.append(_KeptOpen(self._plot))
        if self._lsl is not None:
            sinks.append(self._lsl)
        # Last, so that it counts what all others have taken.
        return [*self._first_sinks, *sinks, self._shares, self._metadata]

    def _selection(self) -> FrameSelection | None:
        export = self._export
        selection = FrameSelection(export.start_s, export.end_s, export.every_n)
        return None if selection == FrameSelection() else selection

    def _draw_plot(self, summary: RunSummary) -> None:
        if self._plot is not None:
            self._plot.text = replace(self._plot.text, note=summary.partial_reason or "")
            self._plot.close()

    def _remove_old_files(self) -> None:
        """With --overwrite, leave nothing of an earlier run beside this one's metadata."""
        if self._export.overwrite:
            for path in (*self._job.paths, *self._job.temporary_paths):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise sink_error(path, error) from error

    def _settings(self) -> RunSettings:
        pipeline = self._config.pipeline
        return RunSettings(
            source=self._job.source.title,
            command=self._config.command,
            files={name: path.name for name, path in self._job.outputs.items()},
            part={
                "start_s": self._export.start_s,
                "end_s": self._export.end_s,
                "every_n": self._export.every_n,
            },
            columns=self._export.columns,
            model_file=self._model.path.name,
            max_faces=self._config.max_faces,
            with_disagreement=pipeline.estimator.with_disagreement,
            smoothing_s=pipeline.smoothing_s,
            run_key=run_key(self._config, self._job.source, self._model.sha256),
        )

    def _plot_text(self, setup: RunSetup) -> PlotText:
        engine = setup.engine
        return PlotText(
            title=setup.facts.source_id,
            footer=f"LA-Net Live {__version__}, model {setup.spec.name} "
            f"(sha256 {engine.model_sha256[:12]}), {engine.backend} {engine.precision} "
            f"on {engine.device}",
            min_quality=setup.min_quality,
            max_uncertainty=setup.max_uncertainty,
            is_smoothed=self._config.pipeline.smoothing_s is not None,
        )


class _KeptOpen:
    """Hands results on, but leaves the closing to the caller, who knows how the run ended."""

    def __init__(self, sink: ResultSink) -> None:
        self._sink = sink

    def write(self, result: FrameResult) -> None:
        self._sink.write(result)

    def close(self) -> None:
        pass


def _reason_of(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "The analysis was interrupted with Ctrl-C."
    return str(error) or type(error).__name__
