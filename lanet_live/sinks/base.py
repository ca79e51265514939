"""What every sink offers."""

from typing import Protocol

from lanet_live.records import FrameResult


class ResultSink(Protocol):
    """Takes results in frame order, in the thread that made them.

    A sink writes so that a crash loses at most the last second.
    """

    def write(self, result: FrameResult) -> None:
        """Take one result.

        Raises:
            SinkError: It cannot be written; what was written before stays readable.
        """
        ...

    def close(self) -> None:
        """Finish the output. May be called twice.

        Raises:
            SinkError: The end cannot be written.
        """
        ...
