"""Runs one step in a process of its own, pinned to one core, so that its memory ends with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def core() -> int:
    """The core that measured processes run on."""
    return max(os.sched_getaffinity(0))


def _call(result: Connection, on_core: int, function: Callable[..., object], *args: object) -> None:
    # Ctrl-C ends it at once, also within compiled code; the program that started it cleans up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.sched_setaffinity(0, {on_core})
    result.send(function(*args))


def call(function: Callable[P, T], *args: P.args, **_none: P.kwargs) -> T:
    """What the function returns in a new process.

    Raises ChildProcessError when that fails; the process has then said why on stderr.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(there, core(), function, *args))
    process.start()
    there.close()
    try:
        returned: T = here.recv()
    except EOFError:
        process.join()
        raise ChildProcessError(
            f"{function.__name__}: exit status {process.exitcode}, see above"
        ) from None
    finally:
        process.kill()
        process.join()
    return returned
