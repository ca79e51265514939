"""Read a recorded session: the mean distribution of every face after each marker.

    python examples/read_a_session.py "Documents/LA-Net Live/2026-11-22_10-45-03_webcam"

Ranges and faces that were excluded in Review stay out. Means are weighted by time.
"""

import argparse
from pathlib import Path

from lanet_live.review.recording import open_recording
from lanet_live.review.reviewed import review
from lanet_live.review.summary import summarise, windows_of


def main() -> None:
    """Sum up the session named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0, help="length after a marker (5)")
    args = parser.parse_args()

    recording = open_recording(args.session)
    if recording.notice:  # The recording was interrupted, for instance.
        print(recording.notice)
    table, edits = recording.table, recording.edits
    windows = windows_of(table, edits, after_marker_s=args.seconds)
    for summary in summarise(table, review(recording, edits), edits, windows):
        top = int(summary.mean.argmax())
        print(
            f"{summary.window.name}, from {summary.window.start_s:.2f} s: {summary.name}, mostly "
            f"{table.labels[top]} ({summary.mean[top]:.3f}), {summary.reliable_share:.0%} reliable"
        )


if __name__ == "__main__":
    main()
