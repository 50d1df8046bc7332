"""Encodings of imported files."""

from __future__ import annotations

import codecs
import hashlib
from pathlib import Path

import pytest

from loader.csv_source import ImportFileError, find_encoding, open_source
from loader.encodings import ENCODINGS

POLISH = "Imię;Telefon\nZażółć gęślą jaźń;600100200\nŁódź, Ćmielów;600100201\n"
CZECH = "Jméno;Telefon\nPříliš žluťoučký kůň;600100200\n"


def lines(file: Path, wanted: str | None = None) -> tuple[str, list[str]]:
    encoding = find_encoding(file, wanted)
    found = []
    with open_source(file, encoding) as source:
        while line := source.lines.peek():
            source.lines.skip(line)
            found.append(line.decode("utf-8", "surrogateescape"))
    return encoding.name, found


@pytest.mark.parametrize("text", [POLISH, CZECH], ids=["Polish", "Czech"])
@pytest.mark.parametrize(
    ("codec", "bom", "name"),
    [
        ("utf-8", b"", "UTF-8"),
        ("utf-8", codecs.BOM_UTF8, "UTF-8"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "UTF-16"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "UTF-16"),
        ("utf-16-le", b"", "UTF-16"),
        ("utf-16-be", b"", "UTF-16"),
        ("cp1250", b"", "Windows-1250"),
        ("iso8859-2", b"", "Latin-2"),
    ],
)
def test_the_encoding_is_found(
    tmp_path: Path, text: str, codec: str, bom: bytes, name: str
) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(bom + text.encode(codec))
    assert lines(file) == (name, text.splitlines(keepends=True))


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        ("Имя;Телефон\nИванов Пётр и Ко;600100200\n", "cp1251", "Windows-1251"),
        ("ИМЯ;ТЕЛЕФОН\n", "cp1251", "Windows-1251"),
        ("Ім'я;Телефон\nЇжак Ґанна;600100200\n", "cp1251", "Windows-1251"),
        ("Prénom;Téléphone\nÇa dépend d'où;600100200\n", "cp1252", "Windows-1252"),
        ("José Peña;Teléfono\n¿Año?;1\n", "cp1252", "Windows-1252"),
        ("São João;ação\n", "cp1252", "Windows-1252"),
        ("Größenträger Ärger\n", "cp1252", "Windows-1252"),
        ("Åse Bjørnsøn\n", "cp1252", "Windows-1252"),
        ("Perché è così, à, ò\n", "cp1252", "Windows-1252"),
        ("Árvíztűrő tükörfúrógép\n", "cp1250", "Windows-1250"),
        ("Příliš žluťoučký kůň\n", "iso8859-2", "Latin-2"),
        ("„Żółw” – gęś\n", "cp1250", "Windows-1250"),
    ],
)
def test_the_letters_of_a_language_tell_its_encoding(
    tmp_path: Path, text: str, codec: str, name: str
) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(text.encode(codec))
    assert lines(file) == (name, text.splitlines(keepends=True))
    assert find_encoding(file).or_else == ""
    (wanted,) = [key for key, value in ENCODINGS.items() if value == codec]
    assert lines(file, wanted) == (name, text.splitlines(keepends=True))


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"gda\xf1sk", {"Windows-1250", "Windows-1252"}),  # of gdansk, or the n of senor
        (b"Ja\xbc", {"Latin-2", "Windows-1250"}),
    ],
)
def test_what_letters_do_not_tell_is_said(tmp_path: Path, data: bytes, names: set[str]) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(data)
    found = find_encoding(file)
    assert {found.name, found.or_else} == names


def test_plain_ascii_and_an_empty_file_are_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    for data in (b"", b"600100200\n", b"1", b"\n"):
        file.write_bytes(data)
        assert lines(file) == ("UTF-8", data.decode().splitlines(keepends=True))


def test_letters_cut_by_the_end_of_a_piece_are_read(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    for shift in range(4):
        text = "x" * shift + "\n" + "ż€😀;600100200\n" * 60_000
        for codec in ("utf-8", "utf-16-le"):
            file.write_bytes(text.encode(codec))
            assert "".join(lines(file)[1]) == text


@pytest.mark.parametrize(
    ("wanted", "data", "good"),
    [
        ("utf-8", b"600\n6\xb3\n700\n", ["600\n", "700\n"]),
        ("windows-1250", b"600\n\x81\n700\n", ["600\n", "700\n"]),
        ("utf-16", "600\n".encode("utf-16") + b"\x00\xd8\n\x00" + b"7\x000", ["600\n"]),
    ],
)
def test_only_the_row_that_cannot_be_decoded_is_spoilt(
    tmp_path: Path, wanted: str, data: bytes, good: list[str]
) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(data)
    _, found = lines(file, wanted)
    assert [line for line in found if line.isascii()] == good
    assert len(found) > len(good)


def test_a_few_damaged_bytes_do_not_make_another_encoding(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(POLISH.encode() * 5 + b"\xff;600100202\n")
    assert lines(file)[0] == "UTF-8"


def test_the_hash_is_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    told: list[int] = []
    for data in (b"", codecs.BOM_UTF8 + b"600\n", POLISH.encode("utf-16")):
        file.write_bytes(data)
        with open_source(file, find_encoding(file), told.append) as source:
            while line := source.lines.peek():
                source.lines.skip(line)
        assert sum(told) == len(data) - (
            3 if data.startswith(codecs.BOM_UTF8) else 2 if data[:2] == codecs.BOM_UTF16_LE else 0
        )
        told.clear()
        assert source.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"PK\x05\x06" + bytes(18), bytes(range(256)) * 20])
def test_a_binary_file_is_no_text(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(data)
    with pytest.raises(ImportFileError, match="found a binary file"):
        find_encoding(file)
