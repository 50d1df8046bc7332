"""Does something at a given step of what lookup_core does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import lookup_core

_CORE = str(Path(lookup_core.__file__).parent)


class Steps:
    """A trace function that counts the lines executed in lookup_core, and acts before one of them.

    at: the line; 0 for none of them.
    """

    def __init__(self, at: int, action: Callable[[], object]) -> None:
        self.at = at
        self.action = action
        self.count = 0

    def __call__(self, frame: FrameType, event: str, _argument: object) -> "Steps | None":
        if not frame.f_code.co_filename.startswith(_CORE):
            return None
        if event == "line":
            self.count += 1
            if self.count == self.at:
                self.action()
        return self


@contextmanager
def acting_at(step: int, action: Callable[[], object]) -> Iterator[Steps]:
    """Within it, this thread acts at the step; the action itself is not traced."""
    steps = Steps(step, action)
    before = sys.gettrace()
    sys.settrace(steps)
    try:
        yield steps
    finally:
        sys.settrace(before)
