"""Whether a long run needs more memory than a short one.

    python benchmarks/memory.py [--clip one_face.mp4] [--frames 20000] [--export csv plot]

Exports a clip looped to many frames and notes the resident memory of the process after 2,000
frames and at the end. The difference is what grows with the length of a recording.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import psutil
from looped_clip import loop_clip

from lanet_live.config import EXPORT_FORMATS, EngineConfig, ExportConfig, LiveConfig, SourceConfig
from lanet_live.export.exporter import Exporter
from lanet_live.export.plan import plan_jobs
from lanet_live.run_summary import RunProgress

DEMO_CLIP = Path(__file__).resolve().parents[1] / "assets" / "demo.mp4"
FIRST_AT = 2_000
MOST_GROWTH_MB = 15.0


def main() -> int:
    """Measure, print, and fail above the most growth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=DEMO_CLIP)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--export", nargs="+", choices=EXPORT_FORMATS, default=["csv"])
    parser.add_argument("--model", type=Path, help="default: the shipped one")
    arguments = parser.parse_args()
    process = psutil.Process()
    seen_mb: dict[int, float] = {}

    def note(progress: RunProgress) -> None:
        step = progress.n_analysed // FIRST_AT * FIRST_AT
        if step and step not in seen_mb:
            seen_mb[step] = process.memory_info().rss / 1e6
            print(f"{progress.n_analysed:6d} frames  {seen_mb[step]:7.1f} MB", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        clip = loop_clip(arguments.clip, Path(folder) / "looped.mp4", n_frames=arguments.frames)
        config = LiveConfig(
            sources=(SourceConfig("video", path=clip),),
            engine=EngineConfig(model_path=arguments.model),
            export=ExportConfig(tuple(arguments.export), Path(folder) / "out"),
        )
        assert config.export is not None
        (job,) = plan_jobs(config.sources, config.export)
        summary = Exporter(config).run(job, on_progress=note)
    growth_mb = seen_mb[max(seen_mb)] - seen_mb[FIRST_AT]
    print(f"{summary.n_analysed} frames less {FIRST_AT}: {growth_mb:+.1f} MB")
    return 0 if growth_mb <= MOST_GROWTH_MB else 1


if __name__ == "__main__":
    sys.exit(main())
