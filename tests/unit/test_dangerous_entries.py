"""Entries that are held back."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from loader.csv_store import CsvStore
from loader.dangerous_entries import MAX_COVERED, DangerousEntryError, Guard, covered_lines
from loader.list_keys import list_keys
from loader.number_ranges import expand
from loader.numbers import read_number
from loader.numbers_in_use import counts_by_length
from loader.store import Entry
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


NO_DANGER = [
    ("+48700*", 1_000_000),
    ("+48600*", 1_000_000),
    ("+48600100*", 1_000),
    ("+44207946*", 10_000),
    ("+1202555*", 10_000),
    # Germany, Austria, Italy: the same digits are one line or the start of longer ones.
    ("+492012464*", 1_000),
    ("+4920124*", 100_000),
    ("+431588*", 100_000),
    ("+43158858*", 1_000),
    ("+39061234*", 1_000),
    ("+35226*", 1_000_000),
    ("+33162*", 1_000_000),
]
DANGER = [
    ("+4930*", 10_000_000),  # Berlin
    ("+49201*", 10_000_000),  # Essen
    ("+431*", 80_000_010),  # Vienna; the ten are its shortest numbers, 111 and a digit
    ("+43316*", 10_000_000),  # Graz
    ("+3906*", 10_000_000),  # Rome
    ("+1202*", 8_000_000),  # Washington
    ("+1800*", 8_100_000),  # one range of 25 countries, and not 25 ranges
    ("+4870*", 7_000_000),
    ("+48990*", 10_000_000),  # nothing in use: the longest numbers that the plan allows
    ("+999*", 10**12),
]


@pytest.mark.parametrize(("prefix", "lines"), [*NO_DANGER, *DANGER])
def test_a_prefix_is_judged_by_the_numbering_plan(prefix: str, lines: int) -> None:
    assert covered_lines(prefix) == lines
    guard = Guard("PL")
    if lines <= MAX_COVERED:
        guard.check(prefix)
        return
    with pytest.raises(DangerousEntryError, match=f"covers {lines:,} numbers, more than"):
        guard.check(prefix)


@pytest.mark.parametrize("start", ["48", "49", "4930", "492012", "43", "4315", "1", "39", "352"])
def test_a_longer_prefix_never_covers_more(start: str) -> None:
    in_use = [longer for digit in "0123456789" if counts_by_length(longer := start + digit)]
    assert len(in_use) > 4
    for longer in in_use:
        assert covered_lines(f"+{longer}*") <= covered_lines(f"+{start}*")


@pytest.mark.parametrize("text", ["600XXXXXX", "600000000-600999999", "60[0-4]XXXXXX", "60XXXXXXX"])
def test_a_mask_or_range_is_judged_as_the_prefix_for_it_would_be(text: str) -> None:
    entries = expand(text, "PL", read_number)
    assert entries
    guard = Guard("PL")
    if text.startswith("600"):
        guard.check_all(entries)
        return
    with pytest.raises(DangerousEntryError, match=r"covers .* numbers, more than 1,000,000"):
        guard.check_all(entries)


def test_entries_of_one_text_count_together() -> None:
    entries = ["+48600*", "+48601*"]
    for entry in entries:
        Guard("PL").check(entry)
    with pytest.raises(
        DangerousEntryError, match=r"held back: \+48600\* with 1 more covers 2,000,000 numbers"
    ):
        Guard("PL").check_all(entries)


def test_each_entry_of_a_text_is_checked() -> None:
    guard = Guard("PL", ["+48221234567"], [OWN])
    guard.check_all(["+48600100200", "+48600100201"])
    for entries, problem in [
        (["+48600100200", "+48221234567"], r"\+48221234567 is a number of our own"),
        (["+4860010020*", "+4822123456*"], r"\+4822123456\* covers numbers of our own"),
        (["111", "112", "113"], "112 is an emergency or public short number"),
    ]:
        with pytest.raises(DangerousEntryError, match=f"held back: {problem}"):
            guard.check_all(entries)


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
    again = shell.run("import", "Default", f"{file}.rejects.csv", "--yes-really", "--short").output
    assert "4 added" in again
