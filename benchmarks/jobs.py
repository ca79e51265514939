"""What several jobs at a time are worth for a folder of clips.

    python benchmarks/jobs.py [--clip one_face.mp4] [--clips 8] [--frames 600] [--jobs 2]

Runs `lanet-live --export csv` on the same clips with one job and with several, in turn, each time
as a process of its own, opening included. The tables must be equal, byte for byte. Ends with 1 if
they are not.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from looped_clip import loop_clip

DEMO_CLIP = Path(__file__).resolve().parents[1] / "assets" / "demo.mp4"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=DEMO_CLIP)
    parser.add_argument("--clips", type=int, default=8, help="how many (8)")
    parser.add_argument("--frames", type=int, default=600, help="of each clip (600)")
    parser.add_argument("--jobs", type=int, default=2, help="compared with one (2)")
    parser.add_argument("--repeat", type=int, default=3, help="pairs of runs (3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = loop_clip(arguments.clip, folder / "0.mp4", n_frames=arguments.frames)
        clips = [first]
        clips += [shutil.copy(first, folder / f"{n}.mp4") for n in range(1, arguments.clips)]
        ratios = []
        for number in range(arguments.repeat):
            one_s = _run(clips, folder / "one", n_jobs=1)
            many_s = _run(clips, folder / "many", n_jobs=arguments.jobs)
            ratios.append(one_s / many_s)
            print(
                f"pair {number + 1}: 1 job {one_s:.1f} s, {arguments.jobs} jobs {many_s:.1f} s, "
                f"ratio {ratios[-1]:.2f}",
                flush=True,
            )
        is_equal = all(
            (folder / "one" / f"{n}.csv").read_bytes()
            == (folder / "many" / f"{n}.csv").read_bytes()
            for n in range(arguments.clips)
        )
    print(f"median ratio {statistics.median(ratios):.2f}; tables {'' if is_equal else 'NOT '}equal")
    return 0 if is_equal else 1


def _run(clips: list[Path], out: Path, *, n_jobs: int) -> float:
    command = [sys.executable, "-m", "lanet_live", "--video", *map(str, clips), "--export", "csv"]
    options = ["--out", str(out), "--overwrite", "--quiet", "--jobs", str(n_jobs)]
    began_s = time.perf_counter()
    subprocess.run([*command, *options], check=True)
    return time.perf_counter() - began_s


if __name__ == "__main__":
    sys.exit(main())
