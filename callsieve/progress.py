"""How far a command is with a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from loader.store import escaped


@contextmanager
def progress_bar(file: Path, name: str = "") -> Iterator[Callable[[int], object]]:
    """To be told how many bytes were read: a bar with rate and remaining time on a terminal.

    name: what to call the file there.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    started = time.monotonic()
    read = 0

    def rate(_: object) -> str:
        return f"{read / 1e6 / max(time.monotonic() - started, 1e-3):.1f} MB/s"

    with click.progressbar(
        length=file.stat().st_size,
        label=escaped(name or file.name, 30),
        file=sys.stderr,
        item_show_func=rate,
    ) as bar:

        def progress(count: int) -> None:
            nonlocal read
            read += count
            bar.update(count, current_item=read)

        yield progress
