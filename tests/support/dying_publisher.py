"""Publishes in forked children that kill themselves with SIGKILL at a given step.

    python -m tests.support.dying_publisher DIRECTORY

One line "STEP OPERATION NUMBER" on standard input runs one child:

    publish    the list "Default" of that one number, and the document "rules" of that text
    change     the number takes the place of those that are in the list
    fold       the list is written anew
    roll_back  to the generation before

STEP counts the lines executed in lookup_core; 0 lets the child live. The answer on standard output
is "killed" or "done STEPS".
"""

import os
import signal
import sys
from pathlib import Path

from lookup_core import Catalog, PublishedList
from tests.support.steps import acting_at


def operate(directory: Path, operation: str, number: str) -> None:
    catalog = Catalog(directory, create=True)
    if operation == "publish":
        catalog.publish("Default", [number], ["+48*"], {"number": number})
        catalog.publish_document("rules", number)
    elif operation == "change":
        found = catalog.current().lists["Default"]
        assert isinstance(found, PublishedList)
        catalog.change("Default", [number], list(found.snapshot), info={"number": number})
    elif operation == "fold":
        catalog.fold("Default")
    else:
        assert operation == "roll_back"
        catalog.roll_back("Default")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    directory = Path(sys.argv[1])
    for line in sys.stdin:
        step, operation, number = line.split()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            with acting_at(int(step), die) as steps:
                operate(directory, operation, number)
            os.write(writing, str(steps.count).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            count = pipe.read()
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, status
            print("killed", flush=True)
        else:
            assert status == 0, status
            print(f"done {count}", flush=True)


if __name__ == "__main__":
    main()
