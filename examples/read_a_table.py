"""Read a table with pandas: the mean distribution of each face, over reliable rows only.

python examples/read_a_table.py demo-output/demo.csv
"""

import argparse
from pathlib import Path

import pandas as pd


def main() -> None:
    """Sum up the table named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    args = parser.parse_args()

    frames = pd.read_csv(args.table)
    # The classes stand between the head pose and the most probable class.
    first, last = frames.columns.get_loc("pose_Rz") + 1, frames.columns.get_loc("expression")
    classes = list(frames.columns[first:last])

    # A frame without a face is one row with success 0 and empty values.
    seen = frames[frames["success"] == 1]
    for face_id, rows in seen.groupby("face_id"):
        reliable = rows[rows["reliable"] == 1]
        print(f"Face {face_id:.0f}: {len(rows)} frames, {len(reliable)} of them reliable")
        mean = reliable[classes].mean().sort_values(ascending=False)
        for name, share in mean.head(3).dropna().items():
            print(f"    {name:<12} {share:.3f}")


if __name__ == "__main__":
    main()
