"""Publishers killed with SIGKILL: readers see the old or the new generation, never neither."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookup_core import Catalog, PublishedList, View

ROOT = Path(__file__).parents[2]
KILLS = 300
SEED = 2
OPERATIONS = ("publish", "change", "fold", "roll_back")


class Publisher:
    """The process of tests/support/dying_publisher.py."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.dying_publisher", directory],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, operation: str, number: int = 0, kill_at: int = 0) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(kill_at, operation, number, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().rstrip("\n")

    def steps(self, operation: str, number: int = 0) -> int:
        """How many steps it takes when nobody kills it."""
        steps = int(self.run(operation, number).removeprefix("done "))
        assert steps > 50, "the tracing sees the publisher's steps"
        return steps


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    publisher = Publisher(tmp_path / "lists")
    yield publisher
    with publisher.process:
        assert publisher.process.stdin is not None
        publisher.process.stdin.close()
        assert publisher.process.wait(30) == 0


def published(view: View) -> PublishedList:
    """The view's only list, which has one number; its parts agree with each other."""
    assert view.problems == ()
    found = view.lists["Default"]
    assert isinstance(found, PublishedList)
    found.snapshot.verify()
    (number,) = found.snapshot
    assert len(found.snapshot) == 1
    assert found.info == {"number": number}
    assert found.match("+48600100200") == "+48*"
    return found


def number_of(view: View) -> int:
    return int(str(published(view).info["number"]))


def document(view: View) -> int:
    return int(view.documents["rules"].text)


def only_live_files(directory: Path) -> None:
    """What dead publishers left is gone: two generations of the list stay."""
    names = [path.name for path in directory.iterdir()]
    others = {name for name in names if not name.endswith((".snapshot", ".delta"))}
    assert others == {"building", "catalog.json", "counter", "lock"}
    assert sum(name.endswith(".snapshot") for name in names) <= 2
    assert sum(name.endswith(".delta") for name in names) <= 2


@pytest.mark.parametrize("seed", [SEED])
def test_killed_at_random_steps(publisher: Publisher, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    directory = tmp_path / "lists"
    publisher.run("publish", 10)
    first = Catalog(directory)
    assert number_of(first.current()) == document(first.current()) == 10
    steps = {
        "publish": publisher.steps("publish", 11),
        "change": publisher.steps("change", 12),
        "fold": publisher.steps("fold"),
        "roll_back": publisher.steps("roll_back"),
    }
    readers = [first, Catalog(directory)]
    before = published(first.current())
    number, rules, previous = number_of(first.current()), 11, 12
    assert number == 11, "before the fold is before the change that it folded"
    outcomes = set()
    kills = 0
    for attempt in range(20, KILLS + 20):
        operation = rng.choice(OPERATIONS)
        if operation == "fold" and attempt % 2:
            # Else there is seldom anything to fold.
            publisher.run("change", number)
            before, previous = published(first.current()), number
        step = rng.randint(1, steps[operation])
        place = f"seed {seed}, attempt {attempt}, {operation} killed at {step} of {steps}"
        # There may be fewer steps than when they were counted: nothing to fold, less to delete.
        killed = publisher.run(operation, attempt, step) == "killed"
        kills += killed
        # The long-lived readers first: they get there without a later opener's help.
        views = [reader.current() for reader in readers] + [Catalog(directory).current()]
        found = {(published(view).generation, number_of(view), document(view)) for view in views}
        ((generation, now, rules_now),) = found
        committed = generation - before.generation
        assert committed in (0, 1), place
        wanted = {"publish": attempt, "change": attempt, "fold": number, "roll_back": previous}
        assert now == (wanted[operation] if committed else number), place
        assert rules_now == rules or (rules_now == attempt and committed), place
        if killed:
            outcomes.add((operation, committed, rules_now != rules))
        if committed and operation != "fold":
            previous = number
        number, rules, before = now, rules_now, published(views[0])
        if rng.random() < 0.2:
            readers[1] = Catalog(directory)
    assert outcomes == {
        ("publish", 0, False),
        ("publish", 1, False),
        ("publish", 1, True),
        *((operation, committed, False) for operation in OPERATIONS[1:] for committed in (0, 1)),
    }, "kills fell on every side of every commit"

    assert kills > KILLS * 2 / 3

    for operation in OPERATIONS:
        assert publisher.run(operation, 999).startswith("done ")
        only_live_files(directory)
    assert {number_of(reader.current()) for reader in readers} == {999}


def test_killed_while_creating(publisher: Publisher, tmp_path: Path) -> None:
    """Each step of the first publication, from no directory at all."""
    directory = tmp_path / "lists"
    step = 0
    result = "killed"
    while result == "killed" and not (directory / "counter").exists():
        step += 1
        result = publisher.run("publish", 11, step)
    assert result == "killed"
    assert step > 10
    assert Catalog(directory).current().lists == {}
    assert publisher.run("publish", 12).startswith("done ")
    assert number_of(Catalog(directory).current()) == 12
    only_live_files(directory)
