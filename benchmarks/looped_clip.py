"""Make a long clip from a short one without encoding anything."""

from collections.abc import Mapping
from pathlib import Path

import av


def loop_clip(
    source: Path,
    target: Path,
    *,
    n_frames: int,
    period_s: float | None = None,
    muxer_options: Mapping[str, str] | None = None,
) -> Path:
    """Copy the packets of a clip again and again, with later and later time stamps.

    Args:
        source: A clip that begins with a key frame.
        target: An MP4 file; replaced if it is there.
        n_frames: The copy ends after this many.
        period_s: From one copy to the next; the clip's own length when None.
        muxer_options: Of FFmpeg, for the target.

    Returns:
        The target.
    """
    options = dict(muxer_options or {})
    with (
        av.open(str(target), "w", format="mp4", container_options=options) as out,
        av.open(str(source)) as template,
    ):
        stream = out.add_stream_from_template(template.streams.video[0])
        time_base = template.streams.video[0].time_base
        n_written, offset = 0, 0
        while n_written < n_frames:
            end = offset
            with av.open(str(source)) as clip:
                for packet in clip.demux(video=0):
                    if packet.pts is None or n_written == n_frames:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    end = max(end, packet.pts + packet.duration)
                    out.mux(packet)
                    n_written += 1
            if end == offset:
                raise ValueError(f"{source} holds no frames to repeat")
            offset = end if period_s is None else offset + round(period_s / time_base)
    return target
