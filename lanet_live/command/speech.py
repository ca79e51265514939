"""Output of the command: results on standard output, everything else on standard error."""

import sys


def complain(sentence: str) -> None:
    """Print a sentence about a problem on standard error."""
    sys.stderr.write(f"lanet-live: {sentence}\n")


def say(text: str) -> None:
    """Print a line of results on standard output."""
    sys.stdout.write(f"{text}\n")
