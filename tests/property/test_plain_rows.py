"""The compiled reading of plain rows against reading every row in Python.

Two stores with the same list get the same file; one of them has no plain rows. Whatever the rows,
the lists, what is published, the reports, rejects and batches are the same.
"""

from __future__ import annotations

import dataclasses
import datetime
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader import csv_edit, csv_layout, csv_list
from loader.change_log import Batch
from loader.csv_import import ImportOptions, ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_source import ImportFileError
from loader.csv_store import CsvStore
from loader.dangerous_entries import Guard
from loader.key_table import KeyTable
from loader.list_keys import list_keys
from loader.number_rules import in_region
from loader.plain_rows import PlainReader
from loader.store import Entry, StoreError
from loader.undo import take_back, undo
from tests.support.logged_lists import by_the_log, in_the_lists
from tests.support.number_spellings import spellings

NOW = datetime.datetime(2026, 11, 24, 8, 0, 0, 500_000, tzinfo=datetime.UTC)

known_numbers = st.sampled_from(
    [
        "+48600100200",
        "600100200",
        "600 100-200",
        "0048600100200",
        "(600) 100.200",
        "+48 (0) 600 100 201",
        "+48221234500",
        "+48585100200",
        "1000",
        "112",
        "*30",
        "anonymous",
        "no-number",
        "+48700*",
        "+48*",
        "2026-01-02",
        "2026-13-45",
        "48600100200",
        "6001002001234567",
        "12345678",
        "",
        "  600100202 ",
        "\t600100203",
        "600100204\x00",
        "600\u00a0100204",
        "+999123456789",
    ]
)
any_numbers = st.sampled_from([text for text, _ in spellings(7, 3_000)])
dates = st.sampled_from(
    [
        "",
        "",
        "2026-01-02",
        " 2026-01-02 ",
        "2024-02-29",
        "2023-02-29",
        "0000-01-01",
        "2026-00-10",
        "2026-1-2",
        "02.01.2026",
        "03/04/2026",
        "2026-01-02 10:00",
        "2026-01-02T25:00",
        "x",
    ]
)
descriptions = st.one_of(
    st.sampled_from(
        [
            "",
            "",
            "a",
            "b, c",
            'said "no"',
            "'quoted'",
            "Łódź",
            "x" * 500,
            "x" * 501,
            "a\x1bb",
            " a ",
        ]
    ),
    st.text(max_size=20),
)
expiries = st.sampled_from(
    [
        "",
        "",
        "",
        "2099-01-01",
        "2099-01-01T00:00:00Z",
        "2001-01-01T00:00:00Z",
        "2026-11-24T08:00:00Z",
        "2026-11-24T08:00:01Z",
        "2099-01-01T24:00:00Z",
        "2099-02-30T00:00:00Z",
        "2099-01-01 00:00:00Z",
        "never",
    ]
)


@st.composite
def row(draw: st.DrawFn) -> str:
    cells = [
        draw(st.one_of(known_numbers, any_numbers)),
        draw(dates),
        draw(descriptions),
        draw(expiries),
        draw(st.sampled_from(["", "extra"])),
    ][: draw(st.integers(1, 5))]
    delimiter = draw(st.sampled_from(",,,,;"))
    quoting = draw(st.sampled_from(["none", "none", "all", "broken"]))
    if quoting == "all":
        cells = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    text = delimiter.join(cells) + ('"' if quoting == "broken" else "")
    return text + draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", ""]))


files = st.lists(row(), max_size=12).map("".join)


@contextmanager
def no_plain_rows() -> Iterator[None]:
    def never(region: str | None) -> PlainReader:
        return PlainReader(b",", (-1, -1, -1, -1), 4, in_region(region)[1])

    with (
        patch.object(csv_list, "plain_reader", never),
        patch.object(csv_edit, "plain_reader", never),
        patch.object(csv_layout.Layout, "plain_reader", lambda _, region, __: never(region)),
        patch.object(csv_edit.CsvEdit, "take_back", take_back_in_python),
    ):
        yield


def take_back_in_python(edit: csv_edit.CsvEdit, batch: Batch, left: KeyTable) -> int:
    rows = edit._batches.rows
    return take_back(edit, rows(batch, "after", None), rows(batch, "before", None), left)


@contextmanager
def all_rows() -> Iterator[None]:
    yield


def everything(
    directory: Path, listed: str, file: bytes, wanted: Wanted, options: ImportOptions
) -> tuple[object, ...]:
    """Import into a new store with that list; all that can be seen of it."""
    (directory / "lists").mkdir(parents=True)
    (directory / "callsieve.toml").touch()
    (directory / "lists" / "Default.csv").write_bytes(listed.encode(errors="surrogatepass"))
    source = directory / "numbers.csv"
    source.write_bytes(file)
    store = CsvStore(directory)
    seen: list[object] = []
    try:
        report = ImportReport(read_layout(source, wanted, "PL"))
        import_file(store, "Default", source, report, "PL", options)
    except StoreError as error:
        return (str(error).replace(str(directory), "DIR"),)
    seen += [report.counts, report.removed, report.rejected, report.named_rejects]
    seen += [report.possible, report.repaired, report.short, report.ranges, report.notes_cleaned]
    seen.append((directory / "lists" / "Default.csv").read_bytes())
    seen += [list(store.entries("Default", "PL")), store.keys("Default", "PL", NOW)]
    by_row = list_keys(store.entries("Default", "PL"), NOW)
    assert dataclasses.replace(store.keys("Default", "PL", NOW), has_header=None) == by_row
    rejects = directory / "numbers.csv.rejects.csv"
    seen.append(rejects.read_bytes() if rejects.exists() else None)
    for number in ("+48600100200", "+48700100200", "1000", "anonymous"):
        seen.append(list(store.find(number, "PL")))
    if report.batch:
        parts: tuple[Literal["before", "after"], ...] = ("before", "after")
        for part in parts:
            seen.append(list(store.batch_rows(report.batch, part)))
        undone = undo(store, report.batch.id, "PL")
        seen += [undone.removed, undone.restored, undone.left]
        seen.append((directory / "lists" / "Default.csv").read_bytes())
    return tuple(seen)


GUARD = Guard("PL", ["+48221234500"], [list_keys([Entry("+48585*"), Entry("+48600100201")], NOW)])


@settings(max_examples=250, deadline=None)
@given(
    listed=files,
    file=files,
    header=st.sampled_from(["", "number,date,description,expires\n", "Telefon,Data,Opis\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1250"]),
    formats=st.sampled_from([(), (), ("DD.MM.YYYY", "YYYY-MM-DD"), ("DD/MM/YYYY", "MM/DD/YYYY")]),
    replace=st.booleans(),
    guard=st.sampled_from([None, GUARD]),
)
def test_plain_rows_say_what_python_reads(
    listed: str,
    file: str,
    header: str,
    encoding: str,
    formats: tuple[str, ...],
    replace: bool,
    guard: Guard | None,
) -> None:
    listed = "number,date,description,expires\n" * (len(listed) % 3 != 0) + listed
    data = (header + file).encode(encoding, "replace")
    wanted = Wanted(date_formats=formats, delimiter=",")
    options = ImportOptions(replace=replace, accept=True, guard=guard)
    with tempfile.TemporaryDirectory() as directory:
        with all_rows():
            plain = everything(Path(directory) / "plain", listed, data, wanted, options)
        with no_plain_rows():
            slow = everything(Path(directory) / "slow", listed, data, wanted, options)
    assert plain == slow


def test_the_rows_of_both_ways_are_as_many_as_there_should_be(tmp_path: Path) -> None:
    """That the test above compares two ways and not one with itself."""
    text = "".join(f"+48{number},2026-01-02,note\n" for number in range(600_000_000, 600_000_050))
    taken = []

    class Counted(CsvStore):
        @contextmanager
        def edit(self, name, region, replace=False):  # type: ignore[no-untyped-def]
            with super().edit(name, region, replace) as edit:
                plain = edit.take_plain

                def take(lines, reader, kept_out):  # type: ignore[no-untyped-def]
                    before = lines.number
                    plain(lines, reader, kept_out)
                    taken.append(lines.number - before)

                edit.take_plain = take  # type: ignore[method-assign]
                yield edit

    for way, rows in ((all_rows, 50), (no_plain_rows, 0)):
        taken.clear()
        file = tmp_path / "numbers.csv"
        file.write_text(text)
        store = Counted(tmp_path / way.__name__, create=True)
        with way():
            report = ImportReport(read_layout(file, Wanted(), "PL"))
            import_file(store, "Default", file, report, "PL")
        assert report.accepted == 50
        assert sum(taken) == rows


@pytest.mark.parametrize("bad", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_of_nothing(tmp_path: Path, bad: bytes) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(bad)
    with pytest.raises(ImportFileError, match="expected rows of CSV, found none"):
        read_layout(file, Wanted(), "PL")


def test_the_log_explains_the_list_after_any_import(tmp_path: Path) -> None:
    store = CsvStore(tmp_path / "store", create=True)
    file = tmp_path / "numbers.csv"
    for at, replace in enumerate([False, False, True, False, True]):
        file.write_text(
            "number,date,description,expires\n"
            + "".join(
                f"{600_000_000 + number * 7 % 11},2026-01-0{at + 1},{'a b' * (number % 3)},"
                f"{'2099-01-01' * (number % 2)}\n"
                for number in range(at, at + 20)
            )
        )
        report = ImportReport(read_layout(file, Wanted(), "PL"))
        import_file(
            store, "Default", file, report, "PL", ImportOptions(replace=replace, accept=True)
        )
        assert report.rejected == 0
        assert by_the_log(store) == in_the_lists(store)
