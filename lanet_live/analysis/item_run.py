"""Analyses one item with the code of the command line."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lanet_live.analysis.item import AnalysisItem
from lanet_live.analysis.run_control import RunControl
from lanet_live.config import LiveConfig
from lanet_live.export.exporter import Exporter, OnProgress
from lanet_live.export.plan import plan_jobs
from lanet_live.run_summary import RunProgress, RunSummary

RunItem = Callable[[AnalysisItem, Path, RunControl, OnProgress], RunSummary]
"""Analyses an item into a folder; raises `LanetLiveError` or `EngineError`."""


def item_runner(config: LiveConfig) -> RunItem:
    """Return what analyses items.

    Args:
        config: Of the application: model, runtime and thresholds. Its sources and class shares are
            not used; those are the item's own.
    """

    def run_item(
        item: AnalysisItem, folder: Path, control: RunControl, on_progress: OnProgress
    ) -> RunSummary:
        source = item.source()
        export = item.options.export_config(source.kind, folder)
        item_config = replace(
            config,
            sources=(source,),
            export=export,
            max_faces=item.options.max_faces,
            pipeline=replace(config.pipeline, prior=item.options.prior),
        )
        (job,) = plan_jobs((source,), export)

        def report(progress: RunProgress) -> None:
            # Standing still says nothing about how fast it goes.
            on_progress(replace(progress, elapsed_s=progress.elapsed_s - control.waited_s))

        # The control goes in front of the files: held, it lets no result through to them.
        summary = Exporter(item_config).run(
            job,
            should_stop=control.should_stop,
            on_progress=report,
            on_compiling=lambda _what, _share: not control.should_stop(),
            first_sinks=(control,),
        )
        return replace(summary, elapsed_s=summary.elapsed_s - control.waited_s)

    return run_item
