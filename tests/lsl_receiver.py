"""Finds LSL streams of one source, so that tests do not hear each other."""


def find(pylsl, source: str, kind: str, *, timeout_s: float = 5.0):
    """Return the descriptions of a source's streams of one type."""
    wanted = f"type='{kind}' and contains(source_id,'{source}')"
    return pylsl.resolve_bypred(wanted, timeout=timeout_s)


def connect(pylsl, source: str, kind: str):
    """Return an inlet that is connected."""
    (found,) = find(pylsl, source, kind)
    inlet = pylsl.StreamInlet(found, recover=False)
    inlet.open_stream(timeout=5)
    return inlet
