"""Takes the pictures of the window for the documentation, on a real clip with the real pipeline.

    python scripts/screenshots.py                      # assets/demo.mp4, into docs/screenshots/
    python scripts/screenshots.py --clip my.mp4 --model my.onnx --out /tmp/pictures

Without a display it starts an X server of its own (Xvfb), since Qt's offscreen platform draws no
window frames and knows no fonts on some systems.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"1280x800": (1280, 800), "2560x1440": (2560, 1440)}


def main() -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=ROOT / "assets" / "demo.mp4")
    parser.add_argument("--model", type=Path, help="ONNX file; the shipped one by default")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--seconds", type=float, default=6.0, help="time of the clip shown")
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--looks", nargs="*", choices=("light", "dark"), default=["light", "dark"])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with display():
        from window_pictures import take_pictures

        for path in take_pictures(arguments, {name: SIZES[name] for name in arguments.sizes}):
            print(path)
    return 0


@contextmanager
def display() -> Iterator[None]:
    """Have a display: the one there is, or an Xvfb for as long as the pictures take."""
    if os.environ.get("DISPLAY") or not sys.platform.startswith("linux"):
        yield
        return
    if shutil.which("Xvfb") is None:
        raise SystemExit("There is no display and no Xvfb; install it: apt-get install xvfb")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "2560x1440x24", "-nolisten", "tcp"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as told:
        number = told.readline().strip()
    os.environ["DISPLAY"] = f":{number}"
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    try:
        with tempfile.TemporaryDirectory() as home:
            os.environ["XDG_CONFIG_HOME"] = home
            yield
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    raise SystemExit(main())
