"""Kills a piece of work before any of the system calls that change files."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

CALLS = {"write", "fsync", "replace", "rename", "unlink", "remove", "truncate", "ftruncate"}


def killed_before(call: int, work: Callable[[], object]) -> bool:
    """Whether `work`, in a process of its own, was killed before its n-th call of CALLS."""
    with warnings.catch_warnings():
        # From Python 3.12 on it warns where other tests have left threads; the child needs none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        seen = 0

        def watch(_: FrameType, event: str, function: Any) -> None:
            nonlocal seen
            if event == "c_call" and function.__name__ in CALLS:
                seen += 1
                if seen == call:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(watch)
        work()
        sys.setprofile(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)
