"""Publishes in forked children that kill themselves with SIGKILL at a given step.

    python -m tests.support.dying_publisher DIRECTORY

One line "STEP NUMBER" on standard input runs one child, which publishes the list "Default" of that
one number and the document "rules" with that text. STEP counts the lines executed in lookup_core;
0 lets the child live. The answer on standard output is "killed" or "published STEPS".
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import lookup_core
from lookup_core import Catalog

CORE = str(Path(lookup_core.__file__).parent)


class Steps:
    """A trace function that counts lines of lookup_core and dies at one of them."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0

    def __call__(self, frame: FrameType, event: str, _argument: object) -> "Steps | None":
        if not frame.f_code.co_filename.startswith(CORE):
            return None
        if event == "line":
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def publish(directory: Path, last: int, number: str) -> int:
    steps = Steps(last)
    sys.settrace(steps)
    catalog = Catalog(directory, create=True)
    catalog.publish("Default", [number], ["+48*"], {"number": number})
    catalog.publish_document("rules", number)
    sys.settrace(None)
    return steps.count


def main() -> None:
    directory = Path(sys.argv[1])
    for line in sys.stdin:
        step, number = line.split()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, str(publish(directory, int(step), number)).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            steps = pipe.read()
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, status
            print("killed", flush=True)
        else:
            assert status == 0, status
            print(f"published {steps}", flush=True)


if __name__ == "__main__":
    main()
