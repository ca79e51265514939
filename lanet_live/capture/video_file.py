"""Video files, decoded with FFmpeg through PyAV. Every frame, with the decoder's own time."""

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lanet_live.capture.base import DetailValue, SourceFacts, SourceReport
from lanet_live.capture.container_outline import ContainerOutline, read_outline
from lanet_live.capture.display_geometry import Orientation, square_pixel_size_wh
from lanet_live.capture.presentation_clock import PresentationClock
from lanet_live.errors import SourceLost, SourceUnavailable
from lanet_live.records import Frame, U8Array

if TYPE_CHECKING:
    import av

# 8K is 33 megapixels. A header that states more is damaged or a trap.
_MAX_PIXELS: Final = 64_000_000
# When a file states no rate; only then do made-up times depend on it.
_DEFAULT_FPS: Final = 25.0
# Formats that only name other files; those would be opened behind the user's back.
_PLAYLIST_FORMATS: Final = frozenset({"concat", "dash", "hls", "sdp"})
# FFmpeg would draw the text of these as pictures of a terminal.
_TEXT_FORMATS: Final = frozenset({"adf", "bin", "idf", "tty", "xbin"})
# What each count of the report means to the user.
_WARNINGS: Final = {
    "n_times_made_up": (
        "Frames of {name} without a time stamp: {n}; theirs were filled in from the frame rate."
    ),
    "n_times_backward": (
        "Frames of {name} timed before the one ahead of them: {n}; the times are as in the file."
    ),
    "n_damaged_pieces": "Pieces of {name} that cannot be decoded: {n}; their frames are missing.",
    "n_damaged_frames": "Damaged frames of {name}: {n}; the decoder repaired what it could.",
    "n_resized_frames": "Frames of {name} scaled to the size of the first: {n}.",
}


class VideoFileSource:
    """Reads a video file frame by frame, upright and with square pixels.

    Frames that follow a damaged piece are still delivered, as any player does; `report` counts
    what was damaged. A file that was cut off delivers what is there and then raises `SourceLost`.

    Args:
        path: The file.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._outline = ContainerOutline(0)
        self._container: Any = None
        self._stream: Any = None
        self._reformatter: Any = None
        self._pictures: Iterator[Any] = iter(())
        self._first: Frame | None = None
        self._clock = PresentationClock(start_s=0.0, frame_s=1 / _DEFAULT_FPS)
        self._aspect: Fraction | None = None
        self._orientation = Orientation()
        self._size_wh: tuple[int, int] | None = None
        self._n_decoded = 0
        self._n_damaged_pieces = 0
        self._n_damaged_frames = 0
        self._n_resized = 0

    def open(self) -> SourceFacts:
        """Open the file and decode its first frame.

        Raises:
            SourceUnavailable: It is missing, not a video, damaged, or holds no picture.
        """
        try:
            self._outline = _check_file(self._path)
            self._open_container()
            first = self._first = self._first_frame()
        except SourceLost as error:
            self.close()
            raise SourceUnavailable(_why_not_readable(self._path, self._outline)) from error
        except BaseException:
            self.close()
            raise
        height, width = first.image_bgr.shape[:2]
        return self._facts((width, height))

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end.

        Raises:
            SourceLost: The file was cut off, or reading it failed.
        """
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        return self._next_frame()

    def report(self) -> SourceReport:
        """Report how many frames were decoded and what was wrong with them."""
        counts: dict[str, DetailValue] = {
            "n_times_made_up": self._clock.n_made_up,
            "n_times_backward": self._clock.n_backward,
            "n_damaged_pieces": self._n_damaged_pieces,
            "n_damaged_frames": self._n_damaged_frames,
            "n_resized_frames": self._n_resized,
        }
        details = {key: n for key, n in counts.items() if n}
        return SourceReport(
            n_decoded=self._n_decoded,
            details=details,
            warnings=tuple(
                _WARNINGS[key].format(n=n, name=self._path.name) for key, n in details.items()
            ),
        )

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._pictures = iter(())
        self._first = None
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _open_container(self) -> None:
        import av

        path = self._path
        try:
            # "file:" and the list of protocols keep names and playlists from reaching elsewhere.
            self._container = av.open(
                f"file:{path}", mode="r", options={"protocol_whitelist": "file"}
            )
        except av.FFmpegError as error:
            raise SourceUnavailable(_why_not_readable(path, self._outline)) from error
        container_format = self._container.format.name
        if container_format in _PLAYLIST_FORMATS:
            raise SourceUnavailable(f"{path} is a list of other files, not a video.")
        if container_format in _TEXT_FORMATS:
            raise SourceUnavailable(f"{path} is text, not a video.")
        self._stream = stream = _choose_stream(self._container, path)
        _check_size((stream.codec_context.width, stream.codec_context.height), path)
        stream.thread_type = "AUTO"
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._aspect = stream.sample_aspect_ratio
        rate = stream.guessed_rate or stream.average_rate
        self._clock = PresentationClock(
            start_s=float((stream.start_time or 0) * stream.time_base),
            frame_s=float(1 / rate) if rate else 1 / _DEFAULT_FPS,
        )
        self._pictures = self._decode()

    def _decode(self) -> Iterator[Any]:
        """Yield decoded pictures; a packet that fails costs its own picture only."""
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                raise SourceLost(self._broken_off_sentence()) from error
            if packet is None:
                break
            try:
                pictures = packet.decode()
            except av.FFmpegError:
                self._n_damaged_pieces += 1
                continue
            yield from pictures
        if self._outline.is_cut_off:
            raise SourceLost(self._broken_off_sentence())

    def _first_frame(self) -> Frame:
        frame = self._next_frame()
        if frame is None:
            raise SourceUnavailable(
                f"No picture in {self._path} could be decoded; the file is damaged or empty."
            )
        return frame

    def _next_frame(self) -> Frame | None:
        picture = next(self._pictures, None)
        if picture is None:
            return None
        timestamp_s = self._clock.read(
            picture.pts, duration=picture.duration, time_base=picture.time_base
        )
        frame = Frame(
            image_bgr=self._to_bgr(picture),
            index=self._n_decoded,
            timestamp_s=timestamp_s,
            captured_at_s=time.perf_counter(),
            source_id=self._path.name,
        )
        self._n_decoded += 1
        self._n_damaged_frames += bool(picture.is_corrupt)
        return frame

    def _to_bgr(self, picture: "av.VideoFrame") -> U8Array:
        """Convert a picture to BGR as displayed, (H, W, 3), read-only, copied only to turn it."""
        import av

        self._orientation = orientation = _orientation_of(picture)
        size_wh = square_pixel_size_wh((picture.width, picture.height), self._aspect)
        shown_wh = size_wh[::-1] if orientation.is_transposed else size_wh
        if self._size_wh is None:
            _check_size(shown_wh, self._path)
            self._size_wh = shown_wh
        if shown_wh != self._size_wh:
            self._n_resized += 1
            size_wh = self._size_wh[::-1] if orientation.is_transposed else self._size_wh
        # One thread: in slices, FFmpeg 8 now and then gets rows of odd 10-bit pictures wrong, and
        # the conversion of a common frame costs less than handing it to a pool.
        try:
            converted = self._reformatter.reformat(
                picture, width=size_wh[0], height=size_wh[1], format="bgr24", threads=1
            )
        except av.FFmpegError as error:
            raise SourceLost(
                f"{self._path.name} has pictures of a kind that cannot be shown "
                f"({picture.format.name}); the frames up to there are kept."
            ) from error
        image: U8Array = np.ascontiguousarray(orientation.apply(converted.to_ndarray()))
        image.flags.writeable = False
        return image

    def _facts(self, size_wh: tuple[int, int]) -> SourceFacts:
        stream = self._stream
        duration_s = _duration_s(self._container, stream)
        rate = stream.average_rate or stream.guessed_rate
        if duration_s is None:  # A bare stream: the average is a default, the guess was measured.
            rate = stream.guessed_rate or rate
        codec = stream.codec_context
        details: dict[str, DetailValue] = {
            "container": self._container.format.name,
            "codec": codec.name,
            "pixel_format": codec.pix_fmt or "unknown",
            "stored_width_px": codec.width,
            "stored_height_px": codec.height,
            "rotation_deg": self._orientation.rotation_deg,
            "is_mirrored": self._orientation.is_mirrored,
            "pixel_aspect": str(self._aspect or 1),
            "start_s": float((stream.start_time or 0) * stream.time_base),
        }
        n_video = sum(_has_moving_picture(other) for other in self._container.streams.video)
        if n_video > 1:
            details["n_video_streams"] = n_video
        return SourceFacts(
            source_id=self._path.name,
            kind="video",
            width_px=size_wh[0],
            height_px=size_wh[1],
            nominal_fps=float(rate) if rate else None,
            n_frames_expected=_n_frames_expected(stream, duration_s),
            duration_s=duration_s,
            is_live=False,
            has_independent_frames=False,
            details=details,
        )

    def _broken_off_sentence(self) -> str:
        if self._outline.is_cut_off:
            return (
                f"{self._path.name} breaks off: it holds {self._outline.actual_bytes} of the "
                f"{self._outline.stated_bytes} bytes it states; the frames up to there are kept."
            )
        return f"{self._path.name} could not be read to its end; the frames up to there are kept."


def _check_file(path: Path) -> ContainerOutline:
    """Say what is wrong with a path before FFmpeg words it for its own developers."""
    if path.is_dir():
        raise SourceUnavailable(
            f"{path} is a folder, not a video; use the option for pictures to analyse a folder."
        )
    if not path.exists():
        raise SourceUnavailable(f"There is no file {path}; check the name and the folder.")
    if not path.is_file():
        raise SourceUnavailable(f"{path} is not a regular file, so it cannot be read as a video.")
    try:
        outline = read_outline(path)
    except OSError as error:
        raise SourceUnavailable(
            f"{path} cannot be read ({os.strerror(error.errno or 0)}); check its permissions."
        ) from error
    if outline.actual_bytes == 0:
        raise SourceUnavailable(f"{path} is empty (0 bytes).")
    return outline


def _why_not_readable(path: Path, outline: ContainerOutline) -> str:
    if outline.lacks_index:
        return (
            f"{path} was cut off before its index was written (as when a recording is not "
            "stopped properly), so none of it can be read."
        )
    if outline.is_cut_off:
        return f"{path} was cut off so early that nothing of it can be read."
    return f"{path} is not a video, or of a kind that cannot be read here."


def _has_moving_picture(stream: Any) -> bool:
    """Cover art and thumbnails are kept as video streams, but are no video."""
    import av

    covers = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return stream.codec_context is not None and not stream.disposition & covers


def _choose_stream(container: Any, path: Path) -> Any:
    streams = [stream for stream in container.streams.video if _has_moving_picture(stream)]
    if not streams:
        if any(stream.codec_context is None for stream in container.streams.video):
            raise SourceUnavailable(
                f"{path} is encoded in a way that cannot be decoded here; convert it to H.264."
            )
        only = "only sound" if container.streams.audio else "no video"
        raise SourceUnavailable(f"{path} holds {only}; a file with moving pictures is needed.")
    best = container.streams.best("video")
    return best if best in streams else streams[0]


def _check_size(size_wh: tuple[int, int], path: Path) -> None:
    width, height = size_wh
    if width * height > _MAX_PIXELS:
        raise SourceUnavailable(
            f"{path} has pictures of {width}x{height} pixels; at most {_MAX_PIXELS // 10**6} "
            "megapixels can be analysed."
        )


def _orientation_of(picture: Any) -> Orientation:
    try:
        matrix = picture.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV up to 18.1 fails on kinds of side data it has no name for, e.g. EXIF in JPEG video.
        # The plain turn can still be asked for; only mirroring would be missed.
        return Orientation.from_rotation(picture.rotation)
    return Orientation() if matrix is None else Orientation.from_display_matrix(bytes(matrix))


def _duration_s(container: Any, stream: Any) -> float | None:
    """The stream's own duration, else the container's."""
    import av

    if stream.duration:
        return float(stream.duration * stream.time_base)
    return float(container.duration / av.time_base) if container.duration else None


def _n_frames_expected(stream: Any, duration_s: float | None) -> int | None:
    """Count the frames the index lists for display, else estimate from duration and rate."""
    entries = stream.index_entries
    if stream.frames and len(entries) == stream.frames:
        return sum(not entry.is_discard for entry in entries)
    if duration_s and stream.guessed_rate:
        return round(duration_s * float(stream.guessed_rate))
    return None
