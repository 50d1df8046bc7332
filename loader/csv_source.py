"""A CSV file that somebody made, as UTF-8 lines: which encoding it has, read in pieces."""

import codecs
import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from loader.csv_rows import Lines
from loader.encodings import ENCODINGS, NAMES, Letters, guess
from loader.store import BadValueError, os_problem

PIECE = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ASCII = bytes(range(128))
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\x1a\x1b")
_WORD_OF_HIGH = re.compile(rb"(?<![A-Za-z\x80-\xff])[\x80-\xff]{2,}(?![A-Za-z])")
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
    """codec: Python's name. bom: bytes of byte order mark at the start of the file.

    or_else: another encoding that the text may have as well, as operators call it; "" for none.
    """

    codec: str
    bom: int = 0
    or_else: str = ""

    @property
    def name(self) -> str:
        return NAMES[self.codec]


def find_encoding(file: Path, wanted: str | None = None) -> Encoding:
    """The encoding of `file`, or the wanted one of ENCODINGS. Raises ImportFileError.

    A byte order mark decides, then zero bytes in every other place (UTF-16), then whether the text
    is UTF-8; of the others, which language's letters it has.
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
        if found is None and _is_binary(start):
            raise ImportFileError("expected rows of text or a workbook, found a binary file")
        if found is None:
            data.seek(0)
            found = _by_letters(data)
        return found


def _is_binary(start: bytes) -> bool:
    """Whether more than one byte in twenty is a control character; one bad row is a reject."""
    return 20 * (len(start) - len(start.translate(None, _CONTROLS))) > len(start)


def _by_zeros(start: bytes) -> Encoding | None:
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start) or min(even, odd) * 10 > max(even, odd) or not start:
        return None
    return Encoding("utf-16-le" if odd > even else "utf-16-be")


def _by_letters(data: BinaryIO) -> Encoding:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    counts: Counter[int] = Counter()
    good = bad = alone = 0
    while piece := data.read(PIECE):
        text = decoder.decode(piece)
        if not text.isascii():
            high = [c for c in text if c > "\x7f"]
            wrong = sum("\udc80" <= c <= "\udcff" for c in high)
            bad += wrong
            good += len(high) - wrong
            counts.update(piece.translate(None, _ASCII))
            alone += sum(map(len, _WORD_OF_HIGH.findall(piece)))
    if good >= bad:  # a few rows of a UTF-8 file may be damaged: those are rejects
        return Encoding("utf-8")
    codec, or_else = guess(Letters(counts, alone))
    return Encoding(codec, or_else=or_else)


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
