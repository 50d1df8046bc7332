"""A CSV file that somebody made, as UTF-8 lines: which encoding it has, read in pieces."""

import codecs
import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from loader.csv_rows import Lines
from loader.store import BadValueError, os_problem

PIECE = 1 << 20
# What operators call them -> what Python does.
ENCODINGS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "windows-1250": "cp1250",
    "latin-2": "iso8859-2",
}
_NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1250": "Windows-1250",
    "iso8859-2": "Latin-2",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ASCII = bytes(range(128))
# Letters of Polish in one of the two encodings, where the other has a symbol or a foreign letter.
_LATIN_2_LETTERS = b"\xa1\xb1\xa6\xb6\xac\xbc"
_WINDOWS_LETTERS = b"\xa5\xb9"
_BAD = "callsieve-unreadable"


def _mark_unreadable(error: UnicodeError) -> tuple[str, int]:
    """What cannot be decoded becomes a character that no text has, so that its row is rejected."""
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error(_BAD, _mark_unreadable)


class ImportFileError(BadValueError):
    """The file or how it is to be read is at fault; nothing was imported."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """codec: Python's name. bom: bytes of byte order mark at the start of the file."""

    codec: str
    bom: int = 0

    @property
    def name(self) -> str:
        return _NAMES[self.codec]


def find_encoding(file: Path, wanted: str | None = None) -> Encoding:
    """The encoding of `file`, or the wanted one of ENCODINGS. Raises ImportFileError.

    A byte order mark decides, then zero bytes in every other place (UTF-16), then whether the text
    is UTF-8; of Windows-1250 and Latin-2, whose letters it has more of.
    """
    with _errors(file), file.open("rb") as data:
        start = data.read(1 << 16)
        found = next((Encoding(c, len(bom)) for bom, c in _BOMS if start.startswith(bom)), None)
        if wanted is not None:
            codec = ENCODINGS[wanted]
            if found and found.codec.startswith(codec):
                return found
            return Encoding("utf-16-le" if codec == "utf-16" else codec)
        if found is None:
            found = _by_zeros(start)
        if found is None:
            data.seek(0)
            found = Encoding(_by_letters(data))
        return found


def _by_zeros(start: bytes) -> Encoding | None:
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start) or min(even, odd) * 10 > max(even, odd) or not start:
        return None
    return Encoding("utf-16-le" if odd > even else "utf-16-be")


def _by_letters(data: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    letters: Counter[int] = Counter()
    good = bad = 0
    while piece := data.read(PIECE):
        text = decoder.decode(piece)
        if not text.isascii():
            high = [c for c in text if c > "\x7f"]
            wrong = sum("\udc80" <= c <= "\udcff" for c in high)
            bad += wrong
            good += len(high) - wrong
            letters.update(piece.translate(None, _ASCII))
    if good >= bad:  # a few rows of a UTF-8 file may be damaged: those are rejects
        return "utf-8"
    if any(letters[byte] for byte in range(0x80, 0xA0)):  # control characters in Latin-2
        return "cp1250"
    latin = sum(letters[byte] for byte in _LATIN_2_LETTERS)
    return "iso8859-2" if latin > sum(letters[byte] for byte in _WINDOWS_LETTERS) else "cp1250"


class Source:
    """The lines of a file while it is read. progress: told how many bytes of it were read."""

    def __init__(
        self, file: BinaryIO, encoding: Encoding, progress: Callable[[int], object]
    ) -> None:
        self._file = file
        self._progress = progress
        self._hash = hashlib.sha256(file.read(encoding.bom))
        self._decoder = None
        if encoding.codec != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding.codec)(_BAD)
        self.lines = Lines(self._read)

    @property
    def sha256(self) -> str:
        """Of what was read; of the whole file at the end."""
        return self._hash.hexdigest()

    def _read(self) -> bytes:
        while piece := self._file.read(PIECE):
            self._hash.update(piece)
            self._progress(len(piece))
            if self._decoder is None:
                return piece
            if text := self._decoder.decode(piece):
                return text.encode("utf-8", "surrogatepass")
        if self._decoder is None:
            return b""
        return self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


@contextlib.contextmanager
def open_source(
    file: Path, encoding: Encoding, progress: Callable[[int], object] = lambda _: None
) -> Iterator[Source]:
    """Raises ImportFileError when the file cannot be opened or read."""
    with _errors(file), file.open("rb") as data:
        yield Source(data, encoding, progress)


@contextlib.contextmanager
def _errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImportFileError(os_problem(error, file)) from error
