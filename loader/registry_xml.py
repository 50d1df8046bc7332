"""A registry's XML as the rows of its flat file: `201,5550123`, and in a change file `...,A`.

    <list type='full' level='all' val=''>
      <ac val='201'> <ph val='5550123' /> <ph val='5550124' /> </ac>
    </list>

The CRTC's own example closes the list twice (`<list ... />` and `</list>`), so a parser of XML
would refuse it. This reads tags one by one, as a stream; there is nothing in it that a file could
make grow: no text, no entities, no nesting. How a change file says added or deleted is not
published: any attribute of `ph` whose value is A or D says it, as any cell does in the flat file.
"""

import re
from collections.abc import Callable

from loader.registry_rows import rows_of_phone_tags
from loader.store import BadValueError, quoted

MAX_TAG = 500
_TAG = re.compile(rb"\s*<([^<>]{0,%d})>" % MAX_TAG)
_ATTRIBUTE = re.compile(rb"""([\w:-]+)\s*=\s*(?:'([^'\r\n]*)'|"([^"\r\n]*)")""")
_MARKS = {b"a": b",A", b"add": b",A", b"d": b",D", b"delete": b",D"}
_UNMARKED = b",?"  # of a change file: no row of a full one, and no change


class XmlRows:
    """Rows of XML that comes in pieces."""

    def __init__(self, read: Callable[[], bytes], file: str) -> None:
        self._pieces = read
        self._file = file
        self._buffer = b""
        self._before = 0  # bytes before the buffer
        self._at = 0  # bytes of the buffer that were taken
        self._is_open = self._is_closed = False
        self._is_full = True
        self._list_area = self._area = b""

    def read(self) -> bytes:
        """Some rows, each with its line end; b"" at the end. Raises BadValueError."""
        while piece := self._pieces():
            self._buffer += piece
            if rows := self._rows():
                return rows
        if self._buffer.strip() or not self._is_closed:
            raise self._error("</list> at the end", self._buffer, ": the file is cut off")
        return b""

    def _rows(self) -> bytes:
        """Of the tags that are whole."""
        rows: list[bytes] = []
        while tag := _TAG.match(self._buffer, self._at):
            rows.append(self._row(tag[1]))
            self._at = tag.end()
            if self._is_open and not self._is_closed:
                end = b"\n" if self._is_full else _UNMARKED + b"\n"
                self._at, found = rows_of_phone_tags(self._buffer, self._at, self._area + b",", end)
                rows.append(found)
        rest = self._buffer[self._at :].lstrip()
        if rest and (not rest.startswith(b"<") or b">" in rest or len(rest) > MAX_TAG):
            raise self._error("a tag", rest)
        self._before += len(self._buffer) - len(rest)
        self._buffer = rest
        self._at = 0
        return b"".join(rows)

    def _row(self, tag: bytes) -> bytes:
        """What one tag says: a row, or nothing."""
        words = tag.strip().rstrip(b"/").split(None, 1)
        name = words[0] if words else b""
        if name.startswith((b"?", b"!--")):
            return b""
        if self._is_closed:
            raise self._error("nothing behind </list>", tag)
        if not self._is_open and name != b"list":
            raise self._error("<list> first", tag)
        attributes: dict[bytes, bytes] = {
            key: single or double
            for key, single, double in _ATTRIBUTE.findall(words[1] if len(words) > 1 else b"")
        }
        value = attributes.pop(b"val", b"").strip()
        match name:
            case b"list" if not self._is_open:
                self._is_open = True
                self._is_full = attributes.get(b"type", b"full").lower() == b"full"
                if attributes.get(b"level") == b"ac":
                    self._list_area = value
                self._area = self._list_area
            case b"ac":
                self._area = value
            case b"ph":
                return self._area + b"," + value + self._mark(attributes) + b"\n"
            case _ if tag.startswith(b"/"):
                self._close(tag)
            case _:
                raise self._error("list, ac or ph", tag)
        return b""

    def _mark(self, attributes: dict[bytes, bytes]) -> bytes:
        found = [_MARKS[v.lower()] for v in attributes.values() if v.lower() in _MARKS]
        return b"".join(found) if found or self._is_full else _UNMARKED

    def _close(self, tag: bytes) -> None:
        match tag.strip():
            case b"/ac":
                self._area = self._list_area
            case b"/list":
                self._is_closed = True
            case b"/ph":
                pass
            case _:
                raise self._error("/list, /ac or /ph", tag)

    def _error(self, expected: str, found: bytes, why: str = "") -> BadValueError:
        text = quoted(found.decode("utf-8", "replace"), 60) if found else "nothing"
        place = f"{self._file}: XML, byte {self._before + self._at}"
        return BadValueError(f"{place}: expected {expected}, found {text}{why}")
