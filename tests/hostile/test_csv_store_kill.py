"""Writers that are killed: nothing acknowledged is lost, nothing torn is read as something else."""

import datetime
import random
import subprocess
import sys
from pathlib import Path

import pytest

from loader.csv_store import CsvStore
from loader.store import Entry, Reject
from tests.support.logged_lists import by_the_log, in_the_lists

KILLS = 40

# Adds, updates and removes, and says on stdout what is done as soon as it is.
WRITER = """
import datetime, sys
from pathlib import Path
from loader.csv_store import CsvStore
from loader.store import Entry

store = CsvStore(Path(sys.argv[1]))
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


def _writer(directory: Path, start: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(start)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    rng = random.Random(20261123)
    store = CsvStore(tmp_path / "store", create=True)
    expected: set[str] = set()
    waiting = _writer(store.directory, 600_000_000)
    try:
        for kill in range(1, KILLS + 1):
            writer = waiting
            waiting = _writer(store.directory, 600_000_000 + kill * 1000)  # it starts up meanwhile
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

            store = CsvStore(store.directory)  # what was recorded and not made is made now
            entries = [row for row in store.entries("Default", "PL") if isinstance(row, Entry)]
            assert by_the_log(store) == in_the_lists(store)
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


WHOLE = (
    "number,date,description,expires\n"
    '+48600100200,2026-01-01,"first, with a comma",2099-01-01T00:00:00Z\n'
)
ROWS = [
    "+48600100300,2026-01-02,,\n",
    '+48600100300,2026-01-02,"a ""quoted"" Łódź, yes",2099-06-01T10:00:00Z\n',
]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_cut_anywhere_is_itself_or_a_reject(tmp_path: Path, row: str) -> None:
    data = row.encode()
    for cut in range(1, len(data)):
        store = CsvStore(tmp_path / f"store{cut}", create=True)
        file = store.directory / "lists" / "Default.csv"
        file.write_bytes(WHOLE.encode() + data[:cut])
        for _ in range(2):  # the same before and after the next change has closed the row
            rows = list(store.entries("Default", "PL"))
            numbers = [entry.number for entry in rows if isinstance(entry, Entry)]
            rejects = [reject for reject in rows if isinstance(reject, Reject)]
            assert numbers[0] == "+48600100200"
            assert set(numbers) <= {"+48600100200", "+48600100300", "+48600100400"}
            assert len(rejects) + ("+48600100300" in numbers) == 1
            store.add("Default", Entry("+48600100400"), "PL")
        assert numbers[-1] == "+48600100400"
        assert file.read_bytes().startswith(WHOLE.encode() + data[:cut])
        # Rewriting keeps what could not be read.
        store.remove("Default", "+48600100200", "PL")
        assert sum(isinstance(r, Reject) for r in store.entries("Default", "PL")) == len(rejects)
        assert file.read_bytes().endswith(b"\n")


def test_a_working_file_left_behind_does_no_harm(tmp_path: Path) -> None:
    store = CsvStore(tmp_path / "store", create=True)
    store.add("Default", Entry("+48600100200"), "PL")
    left = store.directory / "lists" / ".Default.csv.0123abcd.new"
    left.write_text("+48999")
    assert store.list_names() == ("Default",)
    store.remove("Default", "+48600100200", "PL")
    assert list(store.entries("Default", "PL")) == []
    assert not left.exists()
