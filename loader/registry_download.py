"""A registry's download as it comes: flat rows, XML, or a zip of these; read as flat rows.

A zip is read as a stream and never unpacked to the disk. What a file may make us do is bounded: how
many files a zip holds, how much they grow to, how large its own directory is.
"""

import contextlib
import errno
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from loader.csv_list import system_errors
from loader.csv_rows import BOM
from loader.registries import AREA_CODES, Registry
from loader.registry_xml import XmlRows
from loader.store import BadValueError, escaped, quoted

PIECE = 1 << 17  # small enough to stay in the processor's cache while it is looked at twice
MAX_GROWTH = 100  # of a zip: registries grow 5 to 20 times
MAX_UNPACKED = 64 << 30  # the largest registry has 5 GB as XML
MAX_DIRECTORY = 1 << 20  # bytes of a zip's list of files
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_SPLIT_ZIP = b"PK\x07\x08"
# What else operators attach, by its first bytes.
_KNOWN = (
    (b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"BZh", "a bzip2 file; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or Word document; save it as CSV"),
    (b"%PDF", "a PDF document"),
)
_START = 4096
# zipfile's own, and what it lets through from broken fields.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
    OSError,  # a place before the start of the file
)
Read = Callable[[], bytes]


@contextlib.contextmanager
def open_download(
    path: Path, registry: Registry, seen: Callable[[bytes], object] = lambda _: None
) -> Iterator[Read]:
    """What gives the next piece of the file's rows, b"" at the end.

    seen: given every byte of the file as it is, once all was read. Raises BadValueError, here or
    while it is read, saying what was found; StoreError when the system cannot read it.
    """
    name = escaped(str(path), 300)
    with system_errors(path), _DownloadFile(path) as file:
        if not file.peek(4).startswith((_ZIP, _EMPTY_ZIP, _SPLIT_ZIP)):

            def read() -> bytes:
                piece = file.read(PIECE)
                seen(piece)
                return piece

            yield _rows(read, registry, name)
            return
        size = 0
        while piece := file.read(PIECE):
            seen(piece)
            size += len(piece)
        limit = min(MAX_UNPACKED, MAX_GROWTH * size + PIECE)
        with _zip_errors(name):
            archive = zipfile.ZipFile(file)
        with archive:
            yield _unpacked(archive, limit, registry, name)


class _DownloadFile(io.BufferedReader):
    """zipfile reads a zip's whole directory at once, and a file can say that this is huge."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise zipfile.BadZipFile(f"a directory of {size} bytes")
        return super().read(size)


@contextlib.contextmanager
def _zip_errors(name: str) -> Iterator[None]:
    try:
        yield
    except BadValueError:
        raise
    except _ZIP_ERRORS as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise BadValueError(
            f"{name}: expected a whole zip, found a broken one: {escaped(str(error), 200)};"
            " download it again"
        ) from error


def _unpacked(archive: zipfile.ZipFile, limit: int, registry: Registry, name: str) -> Read:
    """The rows of all files of the archive, one after the other. limit: bytes of them all."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    _check_members(members, registry, name)
    unpacked = 0

    def pieces() -> Iterator[bytes]:
        nonlocal unpacked
        for member in members:
            with _zip_errors(name), archive.open(member) as file:

                def read(file: zipfile.ZipExtFile = file) -> bytes:  # type: ignore[assignment]
                    nonlocal unpacked
                    piece = file.read(PIECE)
                    unpacked += len(piece)
                    if unpacked > limit:
                        raise BadValueError(
                            f"{name}: expected a zip that grows to at most {MAX_GROWTH} times its"
                            f" size and {MAX_UNPACKED >> 30} GB, found more"
                        )
                    return piece

                rows = _rows(read, registry, f"{name}, {escaped(member.filename, 100)}")
                last = b""
                while piece := rows():
                    last = piece
                    yield piece
                if member is not members[-1] and last and not last.endswith(b"\n"):
                    yield b"\n"

    stream = pieces()
    return lambda: next(stream, b"")


def _check_members(members: list[zipfile.ZipInfo], registry: Registry, name: str) -> None:
    wanted = "one file" if registry.files == 1 else f"1 to {registry.files} files"
    names = [member.filename for member in members]
    if "[Content_Types].xml" in names:
        raise BadValueError(f"{name}: expected rows, found an Office document; save it as CSV")
    if not 1 <= len(members) <= registry.files:
        some = ", ".join(quoted(found, 40) for found in names[:3])
        raise BadValueError(
            f"{name}: expected a zip of {wanted}, found {len(members)}" + (f": {some}" * bool(some))
        )
    for member in members:
        if member.flag_bits & 1:
            raise BadValueError(f"{name}: expected a zip without a password, found one with")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadValueError(
                f"{name}: expected a zip that is stored or deflated, found method"
                f" {member.compress_type}; unpack it first"
            )


def _rows(read: Read, registry: Registry, name: str) -> Read:
    """The rows of one file, whatever form it has."""
    first = read()
    for start, what in _KNOWN:
        if first.startswith(start):
            raise BadValueError(f"{name}: expected rows of numbers, found {what}")
    if b"\0" in first[:_START]:
        raise BadValueError(f"{name}: expected rows of numbers, found a binary file")
    pending = [first.removeprefix(BOM)]

    def again() -> bytes:
        return pending.pop() if pending else read()

    if not pending[0][:_START].lstrip().startswith(b"<"):
        return again
    if registry.form != AREA_CODES:
        raise BadValueError(f"{name}: expected rows of numbers, found XML or HTML")
    return XmlRows(again, name).read
