"""What somebody names to be imported, as a file of text: a CSV file as it is, a workbook's sheet, a
pipe, the output of Asterisk's `database show blacklist`.
"""

import contextlib
import datetime
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from loader.csv_import import MadeOf
from loader.csv_rows import MAX_LINE, csv_line
from loader.csv_source import PIECE, ImportFileError
from loader.date_formats import DAY_ZERO_1900, DAY_ZERO_1904
from loader.rejects_file import REJECTS_ENDING
from loader.store import escaped, os_problem, quoted

STANDARD_INPUT = "-"
MAX_PIPED = 1 << 31  # bytes
MAX_WORKBOOK = 1 << 29  # bytes, packed
WORKBOOK_MEMORY = 1 << 31  # bytes
WORKBOOK_SECONDS = 300  # of processor time
MAX_TEXT = 1 << 32  # bytes that a sheet may become
_PROGRAM = Path(__file__).with_name("workbook_rows.py")
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls, and workbooks with a password
_ASTERISK_ROW = re.compile(rb"/blacklist/(\S{1,64})\s*:\s?(.*?)\s*")
_ASTERISK_END = re.compile(rb"\d+ results? found\.")
_NO_NOTE = ("", "1")  # what Asterisk has for a number without one


@dataclass(frozen=True)
class ImportSource:
    """A file of text to import.

    file: its path. name: of what it was made of, for people. made_of: None when it is that itself.
    how: what it is, for people: "sheet 'May'"; "" for a file of text. mapping: columns that are
    known. day_zero: of its serial days. iso_dates: its real dates are written in ISO. unread: cells
    of a workbook that read as blank and are not: errors, formulas that nobody calculated.
    """

    file: Path
    name: str
    made_of: MadeOf | None = None
    how: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    day_zero: datetime.date = DAY_ZERO_1900
    iso_dates: bool = False
    unread: int = 0


@contextlib.contextmanager
def import_source(path: Path, sheet: str | None) -> Iterator[ImportSource]:
    """`path`: a file, a pipe, or STANDARD_INPUT. sheet: the name or position of a workbook's.

    What is made of it is gone at the end. Raises ImportFileError.
    """
    with contextlib.ExitStack() as made:
        with _errors(path):
            source = _prepare(path, sheet, made)
        yield source


def _prepare(path: Path, sheet: str | None, made: contextlib.ExitStack) -> ImportSource:
    file, name, rejects = path, path.name, path.with_name(path.name + REJECTS_ENDING)
    if _is_piped(path):
        name = "stdin"
        rejects = Path(name + REJECTS_ENDING)
        file = made.enter_context(_temporary("piped"))
        _spool(path, file)
    with file.open("rb") as data:
        start = data.read(PIECE)
    is_workbook = start.startswith((_ZIP, _OLE))
    if sheet is not None and not is_workbook:
        raise ImportFileError(f"--sheet: expected a workbook, found that {name} is none")
    if not is_workbook and not _is_asterisk(start):
        made_of = None if file is path else MadeOf(name, _sha256(file), rejects)
        return ImportSource(file, name, made_of)
    made_of = MadeOf(name, _sha256(file), rejects)
    text = made.enter_context(_temporary("rows"))
    if not is_workbook:
        _convert_asterisk(file, text)
        mapping = {"number": "1", "description": "2"}
        return ImportSource(text, name, made_of, "Asterisk's blacklist", mapping)
    answer = _read_workbook(file, name, sheet, text)
    how = f"sheet {quoted(answer['sheet'])}"
    day_zero = DAY_ZERO_1904 if answer["is_1904"] else DAY_ZERO_1900
    unread = answer["unread"]
    return ImportSource(text, name, made_of, how, {}, day_zero, iso_dates=True, unread=unread)


def _is_piped(path: Path) -> bool:
    if str(path) == STANDARD_INPUT:
        return True
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return False
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or _is_standard_input(path):
        return True
    raise ImportFileError(f"{escaped(str(path), 300)}: expected a file or a pipe, found neither")


def _is_standard_input(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return os.path.samestat(path.stat(), os.fstat(sys.stdin.fileno()))
    return False


@contextlib.contextmanager
def _temporary(what: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"callsieve-{what}-") as directory:
        yield Path(directory) / "rows"


def _spool(path: Path, into: Path) -> None:
    """Copy what comes through the pipe. Raises ImportFileError when there is too much."""
    piped: contextlib.AbstractContextManager[BinaryIO] = (
        contextlib.nullcontext(sys.stdin.buffer) if str(path) == STANDARD_INPUT else path.open("rb")
    )
    left = MAX_PIPED
    with piped as source, into.open("wb") as out:
        while piece := source.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise ImportFileError(
                    f"standard input: expected at most {MAX_PIPED >> 30} GiB, found more:"
                    " name a file"
                )
            out.write(piece)


def _read_workbook(file: Path, name: str, sheet: str | None, into: Path) -> dict[str, Any]:
    """Write a sheet's rows as CSV, in a process of its own that cannot take more than it may."""
    shown = escaped(name, 100)
    size = file.stat().st_size
    if size > MAX_WORKBOOK:
        raise ImportFileError(
            f"{shown}: expected a workbook of at most {MAX_WORKBOOK >> 20} MiB,"
            f" found {size >> 20} MiB"
        )
    command = [sys.executable, "-P", str(_PROGRAM), str(file.absolute()), sheet or ""]
    limits = map(str, (WORKBOOK_MEMORY, WORKBOOK_SECONDS, MAX_TEXT))
    with into.open("wb") as out:
        child = subprocess.run(
            [*command, *limits],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    try:
        answer: dict[str, Any] = json.loads(child.stderr) if child.returncode == 0 else {}
    except ValueError:
        answer = {}
    problem = answer.get("problem", "" if answer else "memory")
    if problem == "memory":
        problem = (
            f"expected a sheet that can be read with {WORKBOOK_MEMORY >> 30} GiB of memory and"
            f" {WORKBOOK_SECONDS} s, found a larger or a broken one;"
            " save it as CSV, or delete cells far from the table"
        )
    if problem:
        raise ImportFileError(f"{shown}: {escaped(problem, 600)}")
    return answer


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _is_asterisk(start: bytes) -> bool:
    """Whether the first lines are those of `database show blacklist`."""
    lines = [line for line in start[: 1 << 14].splitlines()[:20] if line.strip()]
    return bool(lines) and _ASTERISK_ROW.fullmatch(lines[0]) is not None


def _convert_asterisk(file: Path, into: Path) -> None:
    """A line for each line: number and note; other lines of the database as comments."""
    with file.open("rb") as lines, into.open("w", encoding="utf-8", newline="") as out:
        for line in iter(lambda: lines.readline(MAX_LINE), b""):
            text = line.rstrip(b"\r\n")
            row = _ASTERISK_ROW.fullmatch(text)
            if row is None:
                other = _ASTERISK_END.fullmatch(text) or text.startswith(b"/")
                out.write("#\n" if other or not text else csv_line([_text(text), ""]))
                continue
            number, note = _text(row[1]), _text(row[2])
            out.write(csv_line([number, "" if note in _NO_NOTE else note]))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImportFileError(os_problem(error, path)) from error
