"""Publishers killed with SIGKILL: readers see the old or the new generation, never neither."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookup_core import Catalog, PublishedList, View

ROOT = Path(__file__).parents[2]
KILLS = 200
SEED = 2


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

    def publish(self, number: int, kill_at: int = 0) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(kill_at, number, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().rstrip("\n")


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    publisher = Publisher(tmp_path / "lists")
    yield publisher
    with publisher.process:
        assert publisher.process.stdin is not None
        publisher.process.stdin.close()
        assert publisher.process.wait(30) == 0


def published_number(view: View) -> int:
    """The number that the view's only list has; its parts agree with each other."""
    assert view.problems == ()
    found = view.lists["Default"]
    assert isinstance(found, PublishedList)
    found.snapshot.verify()
    (number,) = found.snapshot
    assert found.info == {"number": number}
    assert found.match("+48600100200") == "+48*"
    return int(number)


def published_document(view: View) -> int:
    return int(view.documents["rules"].text)


@pytest.mark.parametrize("seed", [SEED])
def test_killed_at_random_steps(publisher: Publisher, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    directory = tmp_path / "lists"
    publisher.publish(0)
    first = Catalog(directory)
    assert published_number(first.current()) == published_document(first.current()) == 0
    steps = int(publisher.publish(1).removeprefix("published "))
    assert steps > 100, "the tracing sees the publisher's steps"
    readers = [first, Catalog(directory)]
    number, document = 1, 1
    outcomes = set()
    for attempt in range(2, KILLS + 2):
        step = rng.randint(1, steps)
        place = f"seed {seed}, attempt {attempt}, killed at step {step} of {steps}"
        result = publisher.publish(attempt, step)
        assert result == "killed", place
        # The long-lived readers first: they get there without a later opener's help.
        views = [reader.current() for reader in readers] + [Catalog(directory).current()]
        found = {(published_number(view), published_document(view)) for view in views}
        (after,) = found
        allowed = {(number, document), (attempt, document), (attempt, attempt)}
        assert after in allowed, place
        outcomes.add((after[0] == attempt, after[1] == attempt))
        number, document = after
        if rng.random() < 0.2:
            readers[1] = Catalog(directory)
    assert outcomes == {(False, False), (True, False), (True, True)}, "kills fell on every side"

    assert publisher.publish(999).startswith("published ")
    assert {published_number(reader.current()) for reader in readers} == {999}
    names = {path.name for path in directory.iterdir() if path.suffix != ".snapshot"}
    assert names == {"building", "catalog.json", "counter", "lock"}, (
        "what dead publishers left is gone"
    )
    assert len(list(directory.glob("*.snapshot"))) <= 2


def test_killed_while_creating(publisher: Publisher, tmp_path: Path) -> None:
    """Each step of the first publication, from no directory at all."""
    directory = tmp_path / "lists"
    step = 0
    result = "killed"
    while result == "killed" and not (directory / "catalog.json").exists():
        step += 1
        result = publisher.publish(1, step)
    assert result == "killed"
    assert step > 10
    assert Catalog(directory).current().lists == {}
    assert publisher.publish(2).startswith("published ")
    assert published_number(Catalog(directory).current()) == 2
