"""Readers in forked children and in threads, while their parent publishes.

    python -m tests.support.forked_readers DIRECTORY

Children are forked from a process that has the catalog open already, so they share its maps. Every
reader checks every view it sees; at the end each process says, on a line of standard output, how
many generations its readers saw. The exit status is 0 when all was as it should be.
"""

import os
import sys
import threading
from array import array
from collections.abc import Callable
from pathlib import Path

from lookup_core import Catalog, PublishedList, View, pack

CHILDREN, THREADS, STEPS = 2, 2, 40


def numbers(step: int) -> list[str]:
    """What the list has at a step, and at no other."""
    return [f"+48{step:06}{index:03}" for index in range(300)] + [f"*{step}", f"#{step}"]


def check(view: View) -> int:
    """The view's step. Every part of a view is of that one."""
    assert view.problems == ()
    found = view.lists["Default"]
    assert isinstance(found, PublishedList)
    step = found.info["step"]
    assert isinstance(step, int)
    expected = numbers(step)
    assert len(found.snapshot) == len(expected)
    keys = array("Q", map(pack, expected + numbers(step + 1) + numbers(step - 1)))
    answers = found.snapshot.contains_many(keys)
    assert answers == bytearray([1] * len(expected) + [0] * 2 * len(expected))
    assert found.match(f"*{step}") == f"*{step}"
    assert set(found.snapshot) == set(expected)
    return step


def read(catalog: Catalog, saw: set[int], done: Callable[[int], bool]) -> None:
    """Reads until it has seen the last step; holds on to its first view all the while."""
    first = catalog.current()
    before = check(first)
    while not done(before):
        step = check(catalog.current())
        assert step >= before, "never back"
        before = step
        saw.add(step)
    check(first)


def read_in_threads(catalog: Catalog, done: Callable[[int], bool]) -> set[int]:
    """What all of the threads saw. A thread that fails ends the process."""
    saw: set[int] = set()
    threading.excepthook = fail
    threads = [threading.Thread(target=read, args=(catalog, saw, done)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return saw


def fail(arguments: threading.ExceptHookArgs) -> None:
    threading.__excepthook__(arguments)
    os._exit(1)


def publish(catalog: Catalog) -> None:
    for step in range(2, STEPS + 1):
        before, after = numbers(step - 1), numbers(step)
        if step % 10 == 0:
            catalog.publish("Default", after, info={"step": step})
        else:
            catalog.change("Default", after, before, info={"step": step})
        if step % 4 == 0:
            catalog.fold("Default")


def main() -> int:
    catalog = Catalog(Path(sys.argv[1]), create=True)
    catalog.publish("Default", numbers(1), info={"step": 1})
    catalog.current()
    parent = os.getpid()
    children = []
    for _ in range(CHILDREN):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                # Not for ever when the parent was killed.
                saw = read_in_threads(catalog, lambda step: step == STEPS or os.getppid() != parent)
                print(len(saw), flush=True)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    publisher = threading.Thread(target=publish, args=(Catalog(catalog.directory),))
    publisher.start()
    saw = read_in_threads(catalog, lambda step: step == STEPS)
    publisher.join()
    print(len(saw), flush=True)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main())
