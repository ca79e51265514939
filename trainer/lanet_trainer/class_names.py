"""One spelling for the expressions that data sets name in several ways."""

from typing import Final

# The spelling used by this program: FER+'s.
_SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "neutral": (),
    "happiness": ("happy", "joy", "joyful"),
    "surprise": ("surprised",),
    "sadness": ("sad",),
    "anger": ("angry",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "contempt": ("contemptuous",),
}
EXPRESSIONS: Final = tuple(_SPELLINGS)
_BY_SPELLING: Final = {
    spelling: name for name, others in _SPELLINGS.items() for spelling in (name, *others)
}


def canonical_name(name: str) -> str:
    """Return this program's spelling of an expression; any other name as it is."""
    return _BY_SPELLING.get(name.strip().lower(), name)
