"""A registry's download as it comes, and what is refused before it takes another one's place."""

from __future__ import annotations

import bz2
import datetime
import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.attached_list import new_attached
from loader.csv_store import CsvStore
from loader.registry_file import RegistryFile
from loader.registry_xml import XmlRows
from loader.store import BadValueError
from tests.support.registry_files import numbers, registry
from tests.support.shell import Shell, polish_shell

FLAT = b"201,5550123\n201,5550124\n416,1234567\n"
NUMBERS = ["+12015550123", "+12015550124", "+14161234567"]
XML = (
    b"<?xml version='1.0'?>\n<list type='full' level='all' val=''>\n"
    b"<ac val='201'>\n<ph val='5550123' /> <ph val='5550124' />\n</ac>\n"
    b'<ac val="416"><ph val="1234567"/></ac>\n</list>\n'
)
# As in the CRTC's brochure, which closes the list twice.
CRTC_XML = (
    b"<list type='full' level='ac' val='416' /> <ac val='416'>\n"
    b"<ph val='1234567' /> <ph val='1234568' />\n</ac> </list>\n"
)
CHANGES = b"201,5550123,2026-11-05,D\n201,5550199,2026-11-06,A\n"
CHANGE_XML = (
    b"<list type='change' level='all' val=''><ac val='201'>"
    b"<ph val='5550123' date='2026-11-05' chg='D' /><ph val='5550199' date='2026-11-06' chg='A' />"
    b"</ac></list>"
)


def zipped(*members: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for i, data in enumerate(members):
            archive.writestr(f"dnc-{i}.txt", data)
    return out.getvalue()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return polish_shell(tmp_path)


def attach(shell: Shell, file: str, file_format: str = "ftc", code: int = 0) -> str:
    command = ["list", "attach", "US", "--format", file_format, file]
    return str(shell.run(*command, code=code).output)


def check(tmp_path: Path, data: bytes, file_format: str = "ftc") -> None:
    file = tmp_path / "download"
    file.write_bytes(data)
    RegistryFile(file, file_format, None).check()


@pytest.mark.parametrize(
    "data",
    [
        FLAT,
        FLAT.replace(b"\n", b"\r\n"),
        FLAT.rstrip(),
        b"\xef\xbb\xbf" + FLAT,
        XML,
        b"\xef\xbb\xbf" + XML,
        XML.replace(b"\n", b"\r\n"),
        XML.replace(b"val='' />", b"val=''>"),
        zipped(FLAT),
        zipped(FLAT, method=zipfile.ZIP_STORED),
        zipped(XML),
    ],
)
def test_a_download_is_taken_as_it_comes(shell: Shell, data: bytes) -> None:
    attach(shell, registry(shell, "dnc", data))
    assert set(shell.published("US").snapshot) == set(NUMBERS)
    assert numbers(shell) == NUMBERS
    shell.run("find", NUMBERS[2])
    shell.run("find", "+14161234568", code=1)
    record = json.loads(shell.run("log", "show", "--json").output)[-1]
    assert record["batch"]["source_sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [CHANGES, CHANGE_XML, zipped(CHANGES), zipped(CHANGE_XML)])
def test_a_change_file_is_applied_as_it_comes(shell: Shell, data: bytes) -> None:
    attach(shell, registry(shell, "full-2026-11-01", FLAT))
    changes = registry(shell, "changes-2026-11-01-2026-11-08", data)
    output = shell.run("list", "update", "US", changes).output
    assert "1 added, 1 deleted, 0 rejected, as of 2026-11-08" in output
    Path(changes).unlink()
    shell.run("reload")
    assert sorted(numbers(shell)) == ["+12015550124", "+12015550199", "+14161234567"]
    assert set(shell.published("US").snapshot) == set(numbers(shell))


def test_the_list_of_an_area_code_in_xml(shell: Shell) -> None:
    attach(shell, registry(shell, "416.xml", CRTC_XML), "crtc")
    assert numbers(shell) == ["+14161234567", "+14161234568"]
    bare = b"<list type='full' level='ac' val='905'><ph val='1234567'/></list>"
    attach(shell, registry(shell, "905.xml", bare), "crtc")
    assert numbers(shell) == ["+19051234567"]


TAGS = st.sampled_from(
    [
        "<ph val='%s' />",
        '<ph val="%s"/>',
        "\r\n\t<ph   val='%s'\n/>",
        "<ph\tval = '%s' />",
        "<ph val='%s'></ph>",
        "<!-- a comment --><ph val='%s'/>",
        "<ph id='1' val='%s'/>",
    ]
)
PHONES = st.lists(st.tuples(TAGS, st.integers(0, 9_999_999).map("{:07}".format)), max_size=6)


@given(
    st.lists(st.tuples(st.integers(200, 999), PHONES), max_size=4),
    st.booleans(),
    st.integers(1, 60),
)
def test_xml_gives_the_same_rows_however_it_is_written_and_comes(
    areas: list[tuple[int, list[tuple[str, str]]]], is_full: bool, piece: int
) -> None:
    text = "".join(
        f"<ac val='{area}'>{''.join(tag % phone for tag, phone in phones)}</ac>\n"
        for area, phones in areas
    )
    data = f"<list type='{'full' if is_full else 'change'}'>{text}</list>".encode()
    pieces = iter([data[at : at + piece] for at in range(0, len(data), piece)])
    rows = XmlRows(lambda: next(pieces, b""), "dnc.xml")
    found = b"".join(iter(rows.read, b""))
    end = "" if is_full else ",?"
    expected = [f"{area},{phone}{end}" for area, phones in areas for _, phone in phones]
    assert found.decode().splitlines() == expected


def test_a_zip_of_canada_has_a_file_for_each_area_code(shell: Shell) -> None:
    data = zipped(b"416,1234567", CRTC_XML, b"905,1234567\n")
    attach(shell, registry(shell, "dncl.zip", data), "crtc")
    assert numbers(shell) == ["+14161234567", "+14161234567", "+14161234568", "+19051234567"]
    assert "expected a zip of one file, found 3: 'dnc-0.txt'" in (
        attach(shell, registry(shell, "dncl.zip", data), "ftc", code=2)
    )


@pytest.mark.parametrize(
    ("file_format", "data"),
    [
        ("ftc", CHANGES),
        ("ftc", FLAT * 1000 + CHANGES),
        ("crtc", CHANGES.replace(b"2026-11-05,", b"").replace(b"2026-11-06,", b"")),
        ("ftc", CHANGE_XML),
        ("ftc", zipped(CHANGES)),
        ("ftc", zipped(CHANGE_XML)),
        ("tps", b"020 7946 0958,D\n020 7946 0959,A\n"),
        ("dncm", b"02 555 12 12,2026-11-05,D\n"),
        ("dncm", b"02 555 12 12,D\n"),
        ("numbers", b"+12015550123,Delete\n"),
        ("numbers", b'+12015550123\n+12015550124,x,"a"\n'),
        ("numbers", b"+12015550123\n" * 200_000 + b"+12015550124,,,d"),
    ],
)
def test_a_change_file_is_not_taken_for_the_registry(
    shell: Shell, file_format: str, data: bytes
) -> None:
    attach(shell, registry(shell, "full-2026-11-01.txt", FLAT))
    changes = registry(shell, "changes-2026-11-01-2026-11-08.txt", data)
    output = attach(shell, changes, file_format, code=2)
    assert "expected a full file, found a change file" in output
    assert "use callsieve list update for it" in output
    assert numbers(shell) == NUMBERS
    attached = CsvStore(shell.directory).attached("US")
    assert attached is not None
    assert attached.as_of == datetime.date(2026, 11, 1)
    assert all(shell.published("US").match(number) for number in NUMBERS)


@pytest.mark.parametrize("data", [FLAT, XML, zipped(FLAT), FLAT + CHANGES])
def test_a_full_file_is_not_taken_for_changes(shell: Shell, data: bytes) -> None:
    attach(shell, registry(shell, "full-2026-11-01.txt", FLAT))
    full = registry(shell, "full-2026-11-01-2026-11-08.txt", data)
    output = shell.run("list", "update", "US", full, code=2).output
    assert "expected a change file, rows with A or D, found a full one: '201,5550123" in output
    assert "use callsieve list attach for it" in output
    attached = CsvStore(shell.directory).attached("US")
    assert attached is not None
    assert attached.changes == ()


@pytest.mark.parametrize(
    "cut", [b"201,5550123", b"201,5550123,2026-11-0", b"201,555", b"201,5550123,2026-11-05,"]
)
def test_changes_that_are_cut_off_are_refused(shell: Shell, cut: bytes) -> None:
    attach(shell, registry(shell, "full-2026-11-01.txt", FLAT))
    changes = registry(shell, "c-2026-11-01-2026-11-08.txt", CHANGES * 2 + cut)
    output = shell.run("list", "update", "US", changes, code=2).output
    assert f"line 5: expected a whole row at the end, found '{cut.decode()}'" in output
    assert numbers(shell) == NUMBERS


def test_a_whole_registry_is_known_without_reading_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "full.xml"
    file.write_bytes(b"<list type='full'><ac val='201'>" + b"<ph val='5550123' />" * 100_000)
    with pytest.raises(BadValueError, match="cut off"):
        RegistryFile(file, "ftc", None).check()
    with pytest.raises(BadValueError, match="found a full one"):
        RegistryFile(file, "ftc", None).check_changes()


UNUSABLE = [
    (b"", "expected rows of numbers, found none"),
    (b"\n\n \n", "expected rows of numbers, found none"),
    (b"area,number\n", "expected rows of numbers, found none"),
    (zipped(b""), "expected rows of numbers, found none"),
    (b"\x7fELF" + bytes(1000), "found a binary file"),
    (FLAT.decode().encode("utf-16"), "found text in UTF-16"),
    (gzip.compress(FLAT), "found a gzip file"),
    (bz2.compress(FLAT), "found a bzip2 file"),
    (b"%PDF-1.7\n", "found a PDF document"),
    (
        b"<!DOCTYPE html>\n<html><p>Please log in</p>",
        "expected <list> first, found '!DOCTYPE html'",
    ),
    (b"<html><p>Please log in</p>", "expected <list> first, found 'html'"),
    (FLAT + b"not a row\n" * 4, "line 4: expected a file of the format ftc, found 'not a row'"),
    (FLAT * 1000 + b"not a row\n" * 3001, "(3001 of 6001 rows cannot be read)"),
    (zipped(), "expected a zip of one file, found 0"),
    (zipped(FLAT, FLAT), "expected a zip of one file, found 2"),
    (zipped(zipped(FLAT)), "found a binary file"),
    (zipped(FLAT)[:-10], "found a broken one: File is not a zip file"),
    (zipped(FLAT).replace(b"PK\x01\x02", b"PK\x01\x03"), "found a broken one: Bad magic number"),
    (zipped(FLAT, method=zipfile.ZIP_LZMA), "found method 14; unpack it first"),
    (zipped(FLAT, method=zipfile.ZIP_BZIP2), "found method 12; unpack it first"),
    (zipped(b"201,5550123\n" * 1_000_000), "expected a zip that grows to at most 100 times"),
    (XML.replace(b"</ac>\n<ac", b"<!DOCTYPE a><ac"), "expected list, ac or ph, found '!DOCTYPE a'"),
    (XML.replace(b"<ph val='5550123' />", b"<ph>5550123</ph>"), "expected a tag, found '5550123"),
    (XML + XML, "expected nothing behind </list>"),
    (b"<list>" + b" " * 600 + b"<" + b"a" * 600, "expected a tag"),
]


@pytest.mark.parametrize(("data", "problem"), UNUSABLE)
@pytest.mark.parametrize("command", ["attach", "update"])
def test_what_is_no_registry_is_refused_and_named(
    shell: Shell, command: str, data: bytes, problem: str
) -> None:
    attach(shell, registry(shell, "full-2026-11-01.txt", FLAT))
    bad = registry(shell, "bad-2026-11-01-2026-11-08", data)
    if command == "attach":
        output = attach(shell, bad, code=2)
        assert problem in output
    else:
        output = shell.run("list", "update", "US", bad, code=2).output
    assert "bad-2026-11-01-2026-11-08" in output
    assert numbers(shell) == NUMBERS
    assert all(shell.published("US").match(number) for number in NUMBERS)


def test_a_workbook_is_named(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(BadValueError, match="found an Office document; save it as CSV"):
        check(tmp_path, out.getvalue())


def test_a_zip_with_a_password_is_named(tmp_path: Path) -> None:
    data = bytearray(zipped(FLAT))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadValueError, match="expected a zip without a password"):
        check(tmp_path, bytes(data))


def test_a_zip_whose_directory_is_huge_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(BadValueError, match=r"found a broken one: a directory of \d{7} bytes"):
        check(tmp_path, zipped(*[b"416,1234567\n"] * 20_000), "crtc")


@pytest.mark.parametrize("data", [zipped(FLAT), zipped(XML), XML.rstrip()])
def test_wherever_a_zip_or_xml_is_cut_off_it_is_refused(tmp_path: Path, data: bytes) -> None:
    check(tmp_path, data)
    for size in range(len(data)):
        with pytest.raises(BadValueError):
            check(tmp_path, data[:size])


def test_wherever_rows_of_area_codes_are_cut_inside_a_row_they_are_refused(tmp_path: Path) -> None:
    for size in range(len(FLAT)):
        if size % 12 in (0, 11) and size:  # at the end of a row nobody can see it
            check(tmp_path, FLAT[:size])
        else:
            with pytest.raises(BadValueError, match=r"cut off|found none"):
                check(tmp_path, FLAT[:size])


@pytest.mark.parametrize("damaged", range(40, 60))
def test_a_damaged_zip_is_named(tmp_path: Path, damaged: int) -> None:
    data = bytearray(zipped(FLAT))
    data[damaged] ^= 0x55
    with pytest.raises(BadValueError, match="expected a whole zip, found a broken one"):
        check(tmp_path, bytes(data))


@pytest.mark.parametrize(
    ("last", "is_whole"),
    [
        (b"07400 123456\n", True),
        (b"07400 123456", True),
        (b"07400 1234567", False),  # cannot exist, and has no end
        (b"01539 42345\n", True),
        (b"01539 42345", False),  # a number, but shorter than all before it, and has no end
        (b"07400 1", False),
    ],
)
def test_a_last_row_without_end_must_be_as_long_as_the_others(
    tmp_path: Path, last: bytes, is_whole: bool
) -> None:
    data = b"telephone\r\n" + b"07400 123455\r\n" * 9 + last
    if is_whole:
        check(tmp_path, data, "tps")
    else:
        with pytest.raises(BadValueError, match="line 11: expected a whole row at the end"):
            check(tmp_path, data, "tps")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "dnc.txt"
    file.write_bytes(FLAT)

    def change(_: int) -> None:
        file.write_bytes(FLAT + FLAT)

    with pytest.raises(BadValueError, match="expected a file that stays, found it changed"):
        new_attached(file, "ftc", None, None, 31, change)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"999", "found an extension or short number"),
        (b"*30", "found an extension or short number"),
        (b"anonymous", "found an extension or short number"),
        (b"+44207*", "found a prefix"),
        (b"+999123456789", "there can be no number +999123456789"),
        (b"2026-11-01", "found '2026-11-01': a date"),
        (b"020 7946 0958,registered", "expected 1 cell in a row, found 2"),
    ],
)
def test_rows_that_are_no_full_number_are_rejects(shell: Shell, row: bytes, problem: str) -> None:
    file = registry(shell, "tps.txt", b"020 7946 0959\n" + row + b"\n020 7946 0950\n")
    output = attach(shell, file, "tps", code=3)
    assert "2 entries, 1 row not read" in output
    assert problem in output
    assert numbers(shell) == ["+442079460959", "+442079460950"]


@pytest.mark.parametrize(
    ("file_format", "row", "number"),
    [
        ("tps", b"0207 9460958", "+442079460958"),
        ("ctps", b"02079460958 ", "+442079460958"),
        ("tps", b"2079460958.0", "+442079460958"),
        ("acma", b"0412 345 678", "+61412345678"),
        ("pdpc", b"81234567", "+6581234567"),
        ("ofca", b"51234567,20261101", "+85251234567"),
        ("dncm", b"0470 12 34 56,2026-11-01", "+32470123456"),
        ("repep", b"55 1234 5678", "+525512345678"),
        ("lista-robinson", b"612 34 56 78", "+34612345678"),
        ("numbers", b"600 100 200", "+48600100200"),
    ],
)
def test_numbers_are_read_in_the_registry_s_country_whatever_the_store_s_is(
    shell: Shell, file_format: str, row: bytes, number: str
) -> None:
    attach(shell, registry(shell, "full-2026-11-01.txt", row + b"\n"), file_format)
    assert numbers(shell) == [number]
    assert set(shell.published("US").snapshot) == {number}
    shell.run("find", number)
    gone = registry(shell, "c-2026-11-01-2026-11-02.txt", row.split(b",")[0] + b",D\n")
    shell.run("list", "update", "US", gone)
    assert numbers(shell) == []


def test_a_file_of_wash_results_with_columns_is_not_taken_as_registered_numbers(
    shell: Shell,
) -> None:
    rows = b"81234567,Y,N,N\n81234568,N,N,N\n"
    output = attach(shell, registry(shell, "result.csv", rows), "pdpc", code=2)
    assert "expected 1 cell in a row, found 4 (2 of 2 rows cannot be read)" in output
