"""Analyses one item with the code of the command line."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lanet_live.analysis.item import AnalysisItem
from lanet_live.analysis.run_control import RunControl
from lanet_live.config import LiveConfig
from lanet_live.export import Exporter, OnProgress, ShouldStop, _Run
from lanet_live.export_plan import ExportJob, check_outputs, plan_jobs
from lanet_live.run_summary import RunProgress, RunSummary
from lanet_live.sinks.base import ResultSink

RunItem = Callable[[AnalysisItem, Path, RunControl, OnProgress], RunSummary]
"""Analyses an item into a folder; raises `LanetLiveError` or `EngineError`."""


def item_runner(config: LiveConfig) -> RunItem:
    """Return what analyses items.

    Args:
        config: Of the application: model, runtime and thresholds. Its sources are not used.
    """

    def run_item(
        item: AnalysisItem, folder: Path, control: RunControl, on_progress: OnProgress
    ) -> RunSummary:
        source = item.source()
        export = item.options.export_config(source.kind, folder)
        item_config = replace(
            config, sources=(source,), export=export, max_faces=item.options.max_faces
        )
        (job,) = plan_jobs((source,), export)

        def report(progress: RunProgress) -> None:
            # Standing still says nothing about how fast it goes.
            on_progress(replace(progress, elapsed_s=progress.elapsed_s - control.waited_s))

        exporter = _HeldExporter(item_config, control)
        summary = exporter.run(job, should_stop=control.should_stop, on_progress=report)
        return replace(summary, elapsed_s=summary.elapsed_s - control.waited_s)

    return run_item


class _HeldExporter(Exporter):
    """The exporter, with a brake in front of its sinks; files and their contents are the same."""

    def __init__(self, config: LiveConfig, control: RunControl) -> None:
        super().__init__(config)
        self._control = control

    def run(
        self,
        job: ExportJob,
        *,
        should_stop: ShouldStop | None = None,
        on_progress: OnProgress | None = None,
    ) -> RunSummary:
        check_outputs(job, self._export)
        run = _HeldRun(self._config, self._export, self._model, job)
        run.control = self._control
        return run.execute(should_stop, on_progress)


class _HeldRun(_Run):
    control: RunControl

    def _sinks(self) -> list[ResultSink]:
        return [self.control, *super()._sinks()]
