"""Files that are valid at every moment: whole records only, or published when complete."""

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

from lanet_live.errors import SinkError


def sink_error(path: Path, error: OSError) -> SinkError:
    """Turn what the operating system said about an output file into a sentence for the user."""
    if isinstance(error, FileExistsError):
        return SinkError(f"{path} is already there; add --overwrite to replace it.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SinkError(f"The disk is full: {path} ends early. Free some space and run it again.")
    if error.errno == errno.EFBIG:
        return SinkError(f"{path} ends early: it reached the largest size a file may have here.")
    reason = error.strerror or str(error)
    return SinkError(f"{path} cannot be written: {reason}. Choose another folder with --out.")


class AppendFile:
    """A file that only ever grows by whole records, e.g. lines.

    Every append goes to the operating system at once, so that a killed process loses nothing it
    has written; when the disk fills up, the record that did not fit is taken back.

    Args:
        path: The file; its folder must exist.
        overwrite: Replace a file that is there.

    Raises:
        SinkError: The file is there already or cannot be created.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self._n_good_bytes = 0
        try:
            # Unbuffered: one write call per append.
            self._file = io.FileIO(path, "w" if overwrite else "x")
        except OSError as error:
            raise sink_error(path, error) from error

    def append(self, records: bytes | memoryview) -> None:
        """Add one or more whole records.

        Raises:
            SinkError: They cannot be written; the file holds the records before them.
        """
        rest = memoryview(records)
        n_bytes = len(rest)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._n_good_bytes)
            raise sink_error(self.path, error) from error
        self._n_good_bytes += n_bytes

    def close(self) -> None:
        """Close the file. May be called twice."""
        try:
            self._file.close()
        except OSError as error:
            raise sink_error(self.path, error) from error


@contextlib.contextmanager
def published(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path beside the real one; what is written there appears when complete.

    Args:
        path: Where the file goes when the block ends without an error.
        overwrite: Replace a file that is there.

    Raises:
        SinkError: The file is there already or cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if path.exists() and not overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        yield part
        part.replace(path)
    except OSError as error:
        raise sink_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
