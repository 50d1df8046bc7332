"""Entries that are held back."""

from __future__ import annotations

import datetime
from pathlib import Path

import phonenumbers
import pytest

from loader.csv_store import CsvStore
from loader.dangerous_entries import DangerousEntryError, Guard, covered_numbers
from loader.list_keys import list_keys
from loader.store import Entry
from tests.support.number_spellings import e164
from tests.support.shell import Shell

NOW = datetime.datetime.now(datetime.UTC)
OWN = list_keys([Entry("+48221234500"), Entry("+48585*"), Entry("800")], NOW)


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("+48600100200", ""),
        ("+48700*", ""),
        ("+4870*", "covers 7,000,000 numbers"),
        ("+48*", "covers"),
        ("+4*", "covers"),
        ("+999*", "covers"),
        ("anonymous", ""),
        ("1000", ""),
        ("*30", ""),
        ("112", "emergency or public short number"),
        ("997", "emergency or public short number"),
        ("116111", "emergency or public short number"),
        ("+48221234567", "is a number of our own"),
        ("+48221234500", "is a number of our own"),
        ("+48585654321", "is a number of our own"),
        ("+4858565432*", "is a number of our own"),
        ("+4822123456*", "covers numbers of our own"),
        ("+48226543*", ""),
        ("800", "is a number of our own"),
    ],
)
def test_what_is_held_back(number: str, problem: str) -> None:
    guard = Guard("PL", ["+48221234567"], [OWN])
    if not problem:
        guard.check(number)
        return
    with pytest.raises(DangerousEntryError, match=f"held back: .*{problem}"):
        guard.check(number)


def test_emergency_numbers_count_without_a_region() -> None:
    Guard(None).check("997")
    for number in ("112", "911"):
        with pytest.raises(DangerousEntryError):
            Guard(None).check(number)


@pytest.mark.parametrize("region", ["PL", "GB", "US", "FR", "AT", "IT", "BR"])
def test_covered_numbers_are_those_that_phonenumbers_calls_valid(region: str) -> None:
    example = phonenumbers.example_number(region)
    assert example
    prefix = f"{e164(example)[:-3]}*"
    longest = 15 - len(prefix[1:-1])
    # Longer numbers come in whole thousands: one of each is asked about.
    valid = is_valid(prefix[:-1]) + sum(
        10 ** max(size - 3, 0) * is_valid(f"{prefix[:-1]}{rest:0{min(size, 3)}}{'0' * (size - 3)}")
        for size in range(1, longest + 1)
        for rest in range(10 ** min(size, 3))
    )
    assert valid
    assert covered_numbers(prefix) == valid


def is_valid(text: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(text))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path / "store")
    CsvStore(shell.directory, create=True).create_list("Our numbers")
    shell.write(
        "callsieve.toml",
        'default_region = "PL"\n[[forwarding]]\nlist = "Default"\naction = "hangup"\n'
        'called = ["221234567"]\n[route.Poland]\npresent_from = "Our numbers"\n',
    )
    shell.run("add", "Our numbers", "221234500")
    return shell


@pytest.mark.parametrize("number", ["221234567", "221234500", "112", "+48*"])
def test_add_holds_back_unless_told(shell: Shell, number: str) -> None:
    output = shell.run("add", "Default", number, code=2).output
    assert "held back" in output
    assert list(CsvStore(shell.directory).entries("Default", "PL")) == []
    shell.run("add", "Default", number, "--yes-really")


def test_our_own_numbers_may_be_added_to_the_list_of_our_own(shell: Shell) -> None:
    shell.run("add", "Our numbers", "221234567")
    shell.run("add", "Our numbers", "112", code=2)


def test_import_holds_back_rows(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("600100200\n221234567\n+48221234500\n112\n1000\n+48*\n+48700*\n")
    output = shell.run("import", "Default", str(file), code=3).output
    assert "3 added, 0 already there, 0 updated, 4 rejected" in output
    rejects = (tmp_path / "numbers.csv.rejects.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in rejects[1:]] == [
        "221234567",
        "+48221234500",
        "112",
        "+48*",
    ]
    assert all("held back: " in line for line in rejects[1:])
    again = shell.run("import", "Default", f"{file}.rejects.csv", "--yes-really").output
    assert "4 added" in again
