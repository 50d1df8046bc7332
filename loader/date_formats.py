"""Dates as people write them, read by formats that somebody stated, never guessed."""

import datetime
import re
from collections.abc import Sequence

from loader.store import BadValueError, parse_date, parse_expiry, quoted

MAX_REMEMBERED = 4096
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "DD": r"(?P<day>\d\d)",
    "MM": r"(?P<month>\d\d)",
    "D": r"(?P<day>\d{1,2})",
    "M": r"(?P<month>\d{1,2})",
}
_TOKEN = re.compile("YYYY|DD|MM|D|M|[^A-Za-z0-9]")


class Dates:
    """Reads days by formats such as "DD.MM.YYYY" or "M/D/YYYY"; without any, ISO dates.

    days: None, or the cells that were read by the formats -> ISO days, for the fast path.
    """

    def __init__(self, formats: Sequence[str] = ()) -> None:
        """Raises BadValueError for a format that does not say day, month and four-digit year."""
        self._formats = tuple(formats)
        self._patterns = [_pattern(text) for text in formats]
        self.days: dict[bytes, bytes] | None = {} if formats else None

    def day(self, text: str) -> datetime.date:
        """Raises BadValueError; so it does for a text that two formats read as different days."""
        if self.days is None:
            return parse_date(text)
        found = set()
        for pattern in self._patterns:
            if match := pattern.fullmatch(text):
                parts = {name: int(value) for name, value in match.groupdict().items()}
                try:
                    found.add(datetime.date(**parts))
                except ValueError:
                    continue  # there is no such day; another format may fit
        if len(found) != 1:
            days = " or ".join(day.isoformat() for day in sorted(found))
            what = f"{quoted(text)}, which may be {days}" if found else quoted(text)
            raise BadValueError(f"date: expected {' or '.join(self._formats)}, found {what}")
        day = found.pop()
        if len(self.days) >= MAX_REMEMBERED:
            self.days.clear()
        self.days[text.encode()] = day.isoformat().encode()
        return day

    def expiry(self, text: str) -> datetime.datetime:
        """The last second of such a day; without formats, what store.parse_expiry reads."""
        return parse_expiry(self.day(text).isoformat() if self._formats else text)


def _pattern(text: str) -> re.Pattern[str]:
    tokens = _TOKEN.findall(text)
    named = sorted(token[0] for token in tokens if token in _TOKENS)
    if "".join(tokens) != text or named != ["D", "M", "Y"]:
        raise BadValueError(
            "date format: expected DD or D, MM or M, and YYYY once each, with marks between them"
            f" (such as DD.MM.YYYY), found {quoted(text)}"
        )
    return re.compile("".join(_TOKENS.get(token) or re.escape(token) for token in tokens), re.ASCII)
