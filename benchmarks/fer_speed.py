"""The speed of the package `fer` on a clip; run by `throughput.py` in an environment with `fer`.

    python benchmarks/fer_speed.py CLIP N_FRAMES

Decoding, face finding and expressions of every frame, with the package's default face finder, as
its own documentation shows it. Prints seconds, CPU seconds, frames and frames with a face as JSON.
"""

import json
import sys
import time


def main() -> int:
    """Measure and print."""
    import cv2
    from fer import FER

    clip, n_frames = sys.argv[1], int(sys.argv[2])
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    detector = FER()
    video = cv2.VideoCapture(clip)
    n_read = n_with_face = 0
    while n_read < n_frames:
        is_read, picture = video.read()
        if not is_read:
            break
        n_read += 1
        n_with_face += bool(detector.detect_emotions(picture))
    report = {
        "seconds": time.perf_counter() - began_s,
        "cpu_seconds": time.process_time() - began_cpu_s,
        "n_frames": n_read,
        "n_with_face": n_with_face,
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
