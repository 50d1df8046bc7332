"""A program of its own: one sheet of a workbook on standard output, as CSV, a line for each row.

    python -P workbook_rows.py FILE SHEET MEMORY SECONDS OUTPUT

SHEET: a name, a position from 1, or nothing for the only one with cells. MEMORY and OUTPUT in
bytes and SECONDS of processor time bound what a hostile workbook can take: the library keeps a
sheet in memory, and ends its process when there is not enough. On standard error, at the end, one
JSON object: `problem`, or `sheet`, `is_1904` and `unread`: how many cells read as blank that are
not.

It imports nothing of this package, so that it starts in a moment.
"""

import csv
import datetime
import errno
import io
import json
import re
import resource
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import python_calamine

MAX_CELL = 2000  # characters; a description has 500
MAX_UNPACKED = 1 << 31  # bytes in all files of the archive
WHOLE = 1e15  # up to here a floating-point number says exactly which whole number it is
_LINE_BREAKS = re.compile(r"[\r\n]+")
_MARK = "\v"
PIECE = 1 << 20
_UNREAD_CELL = re.compile(
    rb"<c [^>]{0,150}\bt=\"e\"|(?:</f>|<f[^>]{0,150}/>)\s*(?:<v\s*/>|<v>\s*</v>|</c>)"
)
_END_OF_CELL = b"</c>"
_RELS = "xl/_rels/workbook.xml.rels"
_RELATIONSHIPS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_IS_1904 = re.compile(rb"<workbookPr\b[^>]*\bdate1904\s*=\s*[\"'](?:1|true|on)[\"']")


class WorkbookError(Exception):
    """One sentence: what was expected and found."""


def main(file: str, sheet: str, memory: str, seconds: str, output: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(output), int(output)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = convert(file, sheet)
    except WorkbookError as error:
        answer = {"problem": str(error)}
    except MemoryError:
        answer = {"problem": "memory"}
    except python_calamine.PasswordError:
        answer = {"problem": "expected a workbook without a password, found one that has one"}
    except OSError as error:
        answer = {
            "problem": "memory" if error.errno == errno.EFBIG else str(error.strerror or error)
        }
    except (python_calamine.CalamineError, zipfile.BadZipFile, ValueError) as error:
        answer = {"problem": f"expected an .xlsx, .xlsb, .ods or .xls workbook: {error}"}
    json.dump(answer, sys.stderr)


def convert(file: str, wanted: str) -> dict[str, Any]:
    is_1904 = check_archive(file)
    # Under a name that says nothing: the library goes by the ending of a name, if it has one.
    with (
        Path(file).open("rb") as opened,
        python_calamine.CalamineWorkbook.from_path(f"/dev/fd/{opened.fileno()}") as workbook,
    ):
        sheet = find_sheet(workbook, wanted)
        with io.TextIOWrapper(sys.stdout.buffer, "utf-8", "replace", newline="") as out:
            write_rows(sheet, out)
        unread = unread_cells(file, workbook.sheet_names.index(sheet.name))
        return {"sheet": sheet.name, "is_1904": is_1904, "unread": unread}


def check_archive(file: str) -> bool:
    """Whether days are counted from 1904. Raises WorkbookError when it is too large."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > MAX_UNPACKED:
            raise WorkbookError(
                f"expected a workbook of at most {MAX_UNPACKED >> 20} MiB unpacked,"
                f" found {unpacked >> 20} MiB"
            )
        if "xl/workbook.xml" not in archive.NameToInfo:
            return False
        with archive.open("xl/workbook.xml") as part:
            return _IS_1904.search(part.read(1 << 20)) is not None


def unread_cells(file: str, at: int) -> int:
    """Cells of an .xlsx sheet that the library reads as blank: errors, formulas without a value."""
    if not zipfile.is_zipfile(file):
        return 0
    with zipfile.ZipFile(file) as archive:
        part = _part_of_sheet(archive, at)
        if part not in archive.NameToInfo:
            return 0
        found, kept = 0, b""
        with archive.open(part) as sheet:
            while piece := sheet.read(PIECE):
                whole, end, rest = (kept + piece).rpartition(_END_OF_CELL)
                found += len(_UNREAD_CELL.findall(whole + end))
                kept = rest[-PIECE:]
        return found


def _part_of_sheet(archive: zipfile.ZipFile, at: int) -> str:
    """The name of its file in the archive; "" where there is none."""
    try:
        sheets = [
            sheet.get(f"{_RELATIONSHIPS}id")
            for sheet in _xml(archive, "xl/workbook.xml").iter()
            if sheet.tag.endswith("}sheet")
        ]
        targets = {one.get("Id"): one.get("Target", "") for one in _xml(archive, _RELS)}
        target = targets[sheets[at]]
    except (KeyError, IndexError, ElementTree.ParseError):
        return ""
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _xml(archive: zipfile.ZipFile, part: str) -> ElementTree.Element:
    with archive.open(part) as text:
        return ElementTree.fromstring(text.read(PIECE))


def find_sheet(
    workbook: python_calamine.CalamineWorkbook, wanted: str
) -> python_calamine.CalamineSheet:
    """The sheet of that name or position; without one, the only one that is seen and has cells."""
    names = workbook.sheet_names
    if wanted:
        if wanted in names:
            return workbook.get_sheet_by_name(wanted)
        if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
            return workbook.get_sheet_by_index(int(wanted) - 1)
        raise WorkbookError(
            f"--sheet: expected one of {one_of(names)} or its position, found {wanted[:80]!r}"
        )
    found = None
    for at, about in enumerate(workbook.sheets_metadata):
        if about.visible != python_calamine.SheetVisibleEnum.Visible:
            continue
        sheet = workbook.get_sheet_by_index(at)
        if sheet.start is None:
            continue
        if found is not None:
            raise WorkbookError(
                f"expected one sheet with cells, found {one_of(names)}; say --sheet NAME"
            )
        found = sheet
    if found is None:
        raise WorkbookError("expected a sheet with cells, found none")
    return found


def one_of(names: list[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names[:20])


def write_rows(sheet: python_calamine.CalamineSheet, out: io.TextIOBase) -> None:
    """Blank rows too, so that a line is what its row is in the sheet; not those at the end."""
    write = csv.writer(out, lineterminator="\n").writerow
    # The library leaves out the columns before the first that has a cell.
    before = [""] * (sheet.start[1] if sheet.start else 0)
    blank = 0
    for row in sheet.iter_rows():
        cells = [text(cell) for cell in row]
        if any(cells):
            out.write("\n" * blank)
            blank = 0
            write(before + cells)
        else:
            blank += 1


def text(cell: object) -> str:
    """A cell as it would be typed: whole numbers without a point, days and times in ISO."""
    if type(cell) is str:
        if len(cell) > MAX_CELL:
            cell = cell[:MAX_CELL]
        # A line is a row; the mark in place of a line break is no space, so that it is noticed.
        return cell if cell.isprintable() else _LINE_BREAKS.sub(_MARK, cell)
    if type(cell) is float:
        return str(int(cell)) if cell.is_integer() and abs(cell) < WHOLE else repr(cell)
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    return str(cell)


if __name__ == "__main__":
    main(*sys.argv[1:])
