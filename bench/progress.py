"""One line of progress on a terminal; silent in a pipe."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Replaces the line that was said before; an empty text clears it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
