"""Writers that are killed: nothing acknowledged is lost, in any store."""

import datetime
import random
import subprocess
import sys

from loader.store import Entry, open_store
from tests.conftest import NewStore

KILLS = 40

# Adds, updates and removes, and says on stdout what is done as soon as it is.
WRITER = """
import datetime, sys
from loader.store import Entry, open_store

store = open_store(sys.argv[1])
sys.stdin.readline()
number = int(sys.argv[2])
while True:
    number += 1
    text = f"+48{number}"
    description = f"description of {text}, " + "x" * (number % 400)
    store.add("Default", Entry(text, datetime.date(2026, 1, 1), description), "PL")
    print("added", text, flush=True)
    if number % 7 == 0:
        store.remove("Default", f"+48{number - 3}", "PL")
        print("removed", f"+48{number - 3}", flush=True)
"""


def _writer(url: str, start: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(start)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_writers_lose_nothing_that_was_acknowledged(new_store: NewStore) -> None:
    rng = random.Random(20261123)
    url = new_store()
    store = open_store(url, create=True)
    store.list_names()  # now at the latest it is made
    expected: set[str] = set()
    waiting = _writer(url, 600_000_000)
    try:
        for kill in range(1, KILLS + 1):
            writer = waiting
            waiting = _writer(url, 600_000_000 + kill * 1000)  # it starts up meanwhile
            assert writer.stdin
            assert writer.stdout
            writer.stdin.write("go\n")
            writer.stdin.flush()
            lines = [writer.stdout.readline() for _ in range(rng.randrange(1, 25))]
            writer.kill()
            # Not communicate(): it passes over what readline() has read ahead.
            rest = writer.stdout.read()
            writer.communicate(timeout=30)
            if rest and not rest.endswith("\n"):
                rest = rest[: rest.rfind("\n") + 1]
            removed = set()
            for line in [*lines, *rest.splitlines()]:
                done, number = line.split()
                (expected.add if done == "added" else expected.discard)(number)
                removed |= {number} if done == "removed" else set()

            entries = [row for row in store.entries("Default", "PL") if isinstance(row, Entry)]
            found = {entry.number for entry in entries}
            # At most one change was under way: one number more, or one less.
            assert len(expected - found) + len(found - expected) <= 1
            assert all(number in expected or number not in removed for number in found), (
                "a removed number came back"
            )
            in_doubt = expected - found
            assert all(int(number[3:]) % 7 == 4 for number in in_doubt), "an added number is lost"
            assert len(entries) == len(found)
            for entry in entries:
                assert entry.date == datetime.date(2026, 1, 1)
                expected_text = "x" * (int(entry.number[3:]) % 400)
                assert (
                    entry.description == f"description of {entry.number}, {expected_text}".strip()
                )
            expected = found
    finally:
        waiting.kill()
        waiting.communicate(timeout=30)
    assert len(expected) > KILLS
