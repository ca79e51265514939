"""Estimates and markers as streams of the Lab Streaming Layer. Needs pylsl, the extra [lsl].

The stream of estimates is the table, row for row: one sample per face and frame, and one for a
frame without a face. Its rate is declared irregular: frames may be lost and several faces share a
moment, and receivers that take a rate for granted would move the time stamps.
"""

import math
import platform
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from lanet_live import __version__
from lanet_live.errors import ConfigError, SinkError
from lanet_live.records import FrameResult
from lanet_live.sinks.metadata import RunSetup
from lanet_live.sinks.table import Column, TableLayout

STREAM_NAME: Final = "LA-Net Live"
MARKERS_NAME: Final = "LA-Net Live markers"
STREAM_TYPE: Final = "Expression"
# Some minutes of frames, for a marker set for an earlier moment.
_MAX_MOMENTS: Final = 20_000
_N_LOOKS: Final = 5
_UNITS: Final = {
    "timestamp": "seconds",
    "pose_Rx": "radians",
    "pose_Ry": "radians",
    "pose_Rz": "radians",
    "FaceRectX": "pixels",
    "FaceRectY": "pixels",
    "FaceRectWidth": "pixels",
    "FaceRectHeight": "pixels",
}


def require_pylsl() -> None:
    """Raise `ConfigError` unless pylsl and its library are installed."""
    try:
        import pylsl  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:  # the last two: no liblsl
        raise ConfigError(
            "Sending over LSL needs pylsl and liblsl; install them with: "
            "pip install 'lanet-live[lsl]'"
        ) from error


def streamed_columns(labels: tuple[str, ...]) -> tuple[Column, ...]:
    """Return the columns of the table that are channels: all but those that hold text."""
    return tuple(column for column in TableLayout(labels).columns() if column.kind is not str)


def perf_to_lsl_s(local_clock: Callable[[], float]) -> float:
    """Return what added to `time.perf_counter` gives LSL's clock, in seconds.

    The clock is read between two looks at the counter; of a few tries the tightest counts, so that
    a thread that was interrupted in between does no harm.

    Args:
        local_clock: Reads LSL's clock.
    """
    looks = []
    for _ in range(_N_LOOKS):
        before_s = time.perf_counter()
        lsl_s = local_clock()
        after_s = time.perf_counter()
        looks.append((after_s - before_s, lsl_s - (before_s + after_s) / 2))
    return min(looks)[1]


class LslSink:
    """Offers two streams on the local network while it is open: the estimates and the markers.

    `open`, `write` and `close` follow each other, in any threads; `mark` may come from another.

    Raises:
        ConfigError: pylsl is not installed.
    """

    def __init__(self) -> None:
        require_pylsl()
        self._lock = threading.Lock()
        self._outlet: Any = None
        self._markers: Any = None
        self._layout: TableLayout | None = None
        self._places: tuple[int, ...] = ()
        self._moments: deque[tuple[float, float]] = deque(maxlen=_MAX_MOMENTS)

    def open(self, setup: RunSetup) -> None:
        """Offer the streams of a run.

        Args:
            setup: Source, model and limits; they go into the streams' descriptions.

        Raises:
            SinkError: The network cannot be used.
        """
        import pylsl

        labels = setup.spec.labels
        self._layout = TableLayout(labels)
        columns = self._layout.columns()
        self._places = tuple(k for k, column in enumerate(columns) if column.kind is not str)
        try:
            self._outlet = pylsl.StreamOutlet(_describe_estimates(setup))
            self._markers = pylsl.StreamOutlet(_describe_markers(setup))
        except RuntimeError as error:
            self.close()
            raise SinkError(f"The LSL streams cannot be opened: {error}") from error

    def write(self, result: FrameResult) -> None:
        """Send the rows of one result, stamped with the moment its picture was in hand."""
        import pylsl

        frame, layout = result.frame, self._layout
        stamp_s = frame.captured_at_s + perf_to_lsl_s(pylsl.local_clock)
        time_s = frame.timestamp_s if math.isfinite(frame.timestamp_s) else float(frame.index)
        with self._lock:
            if self._outlet is None or layout is None:
                raise SinkError("The LSL streams are not open.")
            self._moments.append((time_s, stamp_s))
            for row in layout.rows(result):
                values = (row[place] for place in self._places)
                sample = [math.nan if value is None else float(value) for value in values]
                self._outlet.push_sample(sample, stamp_s)

    def mark(self, text: str, time_s: float) -> None:
        """Send a marker, stamped like the frame of its moment. Nothing happens when closed.

        Args:
            text: What it says.
            time_s: In the source's time.
        """
        import pylsl

        with self._lock:
            if self._markers is not None:
                self._markers.push_sample([text], self._stamp_of(time_s, pylsl.local_clock))

    def close(self) -> None:
        """Withdraw the streams. May be called twice."""
        with self._lock:
            # pylsl withdraws a stream when its outlet is no longer referred to.
            self._outlet = self._markers = None

    def _stamp_of(self, time_s: float, local_clock: Callable[[], float]) -> float:
        """Return a moment of the source on LSL's clock."""
        if not self._moments:
            return local_clock()
        near_s, stamp_s = min(self._moments, key=lambda moment: abs(moment[0] - time_s))
        return stamp_s + (time_s - near_s)


def _describe_estimates(setup: RunSetup) -> Any:
    import pylsl

    columns = streamed_columns(setup.spec.labels)
    info = pylsl.StreamInfo(
        STREAM_NAME,
        STREAM_TYPE,
        len(columns),
        pylsl.IRREGULAR_RATE,
        pylsl.cf_double64,
        _source_id(setup, "estimates"),
    )
    info.set_channel_labels([column.name for column in columns])
    info.set_channel_units([_UNITS.get(column.name, "none") for column in columns])
    info.set_channel_types([_type_of(column.name, setup.spec.labels) for column in columns])
    description = info.desc()
    acquisition = description.append_child("acquisition")
    _fill(acquisition, {
        "manufacturer": "LA-Net Live",
        "version": __version__,
        "source": setup.facts.source_id,
        "source_kind": setup.facts.kind,
        "nominal_frame_rate": setup.facts.nominal_fps,
        "model": setup.spec.name,
        "model_sha256": setup.engine.model_sha256,
        "engine": f"{setup.engine.backend} {setup.engine.precision} on {setup.engine.device}",
        "min_quality": setup.min_quality,
        "max_uncertainty": setup.max_uncertainty,
    })  # fmt: skip
    synchronization = description.append_child("synchronization")
    _fill(synchronization, {
        "time_source": "picture in hand, on the clock of LSL",
        "can_drop_samples": "true" if setup.facts.is_live else "false",
    })  # fmt: skip
    return info


def _describe_markers(setup: RunSetup) -> Any:
    import pylsl

    return pylsl.StreamInfo(
        MARKERS_NAME,
        "Markers",
        1,
        pylsl.IRREGULAR_RATE,
        pylsl.cf_string,
        _source_id(setup, "markers"),
    )


def _source_id(setup: RunSetup, kind: str) -> str:
    """Return the same id for the same source on the same machine: receivers find it again."""
    return f"lanet-live:{platform.node()}:{setup.facts.source_id}:{kind}"


def _type_of(name: str, labels: tuple[str, ...]) -> str:
    if name in labels:
        return "Probability"
    return "Orientation" if name.startswith("pose_") else "Misc"


def _fill(node: Any, values: dict[str, str | float | None]) -> None:
    for name, value in values.items():
        if value is not None:
            node.append_child_value(name, str(value))
