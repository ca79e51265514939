"""Keep a thread's alternate signal stack as it was while a runtime is opened.

OpenVINO's CPU plugin installs an alternate stack for the thread that loads it and frees it with the
plugin, which may happen in another thread. The first thread is then left with a stack that is gone,
and the next signal it gets, a child's end or Ctrl-C, kills the process with a segmentation fault.
Nothing here needs that stack, so the one from before is put back at once.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _StackDescription(ctypes.Structure):
    """`stack_t` as Linux lays it out, sigaltstack(2)."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Put the calling thread's alternate signal stack back on leaving; only Linux needs it."""
    if not sys.platform.startswith("linux"):
        yield
        return
    libc = ctypes.CDLL(None)
    before = _StackDescription()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before), None)


def signal_stack_address() -> int:
    """Return where the calling thread's alternate signal stack lies; 0: there is none."""
    current = _StackDescription()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(current))
    return current.address or 0
