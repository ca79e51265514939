"""Analyse a video from Python: one CSV table, and the metadata beside it.

    python examples/analyse_a_file.py assets/demo.mp4 --out demo-output

The same as `lanet-live --video VIDEO --export csv --out DIR`; the table is the same to the byte.
"""

import argparse
from pathlib import Path

from lanet_live.config import EngineConfig, ExportConfig, LiveConfig, SourceConfig
from lanet_live.export.exporter import Exporter
from lanet_live.export.plan import plan_jobs


def main() -> None:
    """Analyse the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    parser.add_argument("--model", type=Path, help="default: the shipped one")
    args = parser.parse_args()

    export = ExportConfig(formats=("csv",), out_dir=args.out, overwrite=True)
    config = LiveConfig(
        sources=(SourceConfig("video", path=args.video),),
        engine=EngineConfig(model_path=args.model),
        export=export,
    )
    exporter = Exporter(config)
    for job in plan_jobs(config.sources, export):
        summary = exporter.run(job)
        print(f"{summary.n_with_face} of {summary.n_analysed} frames show a face.")
        print(job.outputs["csv"])


if __name__ == "__main__":
    main()
