"""Dates as people write them, read by formats that somebody stated, never guessed."""

import datetime
import re
from collections.abc import Sequence

from loader.store import BadValueError, parse_date, parse_expiry, quoted

MAX_REMEMBERED = 4096
EXCEL = "excel"
# The day 0 of a spreadsheet's serial days. Excel's first system has a 29 February 1900, which there
# never was: before March 1900 its days are others, and no list has such dates.
DAY_ZERO_1900 = datetime.date(1899, 12, 30)
DAY_ZERO_1904 = datetime.date(1904, 1, 1)
_FIRST_SERIAL, _LAST_SERIAL = 61, 2_958_465  # to the end of the year 9999
_SERIAL = re.compile(r"(\d{1,7})(\.\d+)?", re.ASCII)
# A year of two digits: 70 to 99 are 1970 to 1999, 00 to 69 are 2000 to 2069.
_PIVOT = 70
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<year>\d{2})",
    "DD": r"(?P<day>\d\d)",
    "MM": r"(?P<month>\d\d)",
    "D": r"(?P<day>\d{1,2})",
    "M": r"(?P<month>\d{1,2})",
}
_TOKEN = re.compile("YYYY|YY|DD|MM|D|M|[^A-Za-z0-9]")
_TIME_IN_FORMAT = re.compile(r"[ T]HH?:MM(:SS)?")
_TIME = (
    r"(?:(?:[ T]|, )(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d{1,9})?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
)
_LOOKS_LIKE_A_DATE = re.compile(
    r"(\d{4}|\d{1,2})([./ -])(\d{1,2})\2(\d{4}|\d{1,2})" + _TIME, re.ASCII
)
_EIGHT_DIGITS = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII)


class Dates:
    """Reads days by formats such as "DD.MM.YYYY" or "M/D/YY", "excel" for serial days; without any,
    ISO dates. A time of day behind a day is read in every format.

    day_zero: of serial days. iso_too: ISO dates are read besides, as a workbook's real dates are.
    days: None, or the cells that were read by the formats -> ISO days, for the fast path.
    """

    def __init__(
        self,
        formats: Sequence[str] = (),
        day_zero: datetime.date = DAY_ZERO_1900,
        iso_too: bool = False,
    ) -> None:
        """Raises BadValueError for a format that does not say day, month and year."""
        self._formats = tuple(formats)
        self._day_zero = day_zero
        self._serial = EXCEL in formats
        self._patterns = [_pattern(text) for text in formats if text != EXCEL]
        if formats and iso_too:
            self._patterns.append(_pattern("YYYY-MM-DD"))
        self.days: dict[bytes, bytes] | None = {} if formats else None

    def day(self, text: str) -> datetime.date:
        """Raises BadValueError; so it does for a text that two formats read as different days."""
        if self.days is None:
            try:
                return parse_date(text)
            except BadValueError as error:
                raise BadValueError(f"{error}{_hint(text)}") from None
        day, _ = self._read(text, "date")
        if len(self.days) >= MAX_REMEMBERED:
            self.days.clear()
        self.days[text.encode()] = day.isoformat().encode()
        return day

    def expiry(self, text: str) -> datetime.datetime:
        """That moment, or the last second of a day without a time; in UTC. Raises BadValueError."""
        if self.days is None:
            try:
                return parse_expiry(text)
            except BadValueError as error:
                raise BadValueError(f"{error}{_hint(text)}") from None
        day, time = self._read(text, "expires")
        return parse_expiry(day.isoformat() + time)

    def _read(self, text: str, field: str) -> tuple[datetime.date, str]:
        """The day, and the time in ISO as `T12:30:00`, "" for none."""
        found = {read for pattern in self._patterns if (read := _match(pattern, text))}
        if self._serial and (serial := _SERIAL.fullmatch(text)):
            number = int(serial[1])
            if _FIRST_SERIAL <= number <= _LAST_SERIAL:
                found.add((self._day_zero + datetime.timedelta(number), ""))
        if len(found) == 1:
            return found.pop()
        days = " or ".join(sorted({day.isoformat() for day, _ in found}))
        what = f"{quoted(text)}, which may be {days}" if found else quoted(text) + _hint(text)
        expected = " or ".join("a serial day" if f == EXCEL else f for f in self._formats)
        raise BadValueError(f"{field}: expected {expected}, found {what}")


def looks_like_a_date(text: str) -> bool:
    """Whether digits stand as in a date, in any order of day, month and year."""
    return _LOOKS_LIKE_A_DATE.fullmatch(text) is not None


def formats_for(text: str) -> list[str]:
    """The formats that read a text which looks like a date; several when it is not certain."""
    if _EIGHT_DIGITS.fullmatch(text):
        return ["YYYYMMDD"]
    if (serial := _SERIAL.fullmatch(text)) and 20_000 <= int(serial[1]) < 80_000:
        return [EXCEL]
    match = _LOOKS_LIKE_A_DATE.fullmatch(text)
    if match is None:
        return []
    first, mark, second, third = match.group(1, 2, 3, 4)

    def one(letter: str, digits: str) -> str:
        return letter if len(digits) == 1 else letter * 2

    if len(first) == 4:
        orders = [f"YYYY{mark}{one('M', second)}{mark}{one('D', third)}"]
    else:
        # One of the two may have a digit by chance: DD.MM would not read the next row's 1.6.
        size = 1 if 1 in (len(first), len(second)) else 2
        day, month, year = "D" * size, "M" * size, "YYYY" if len(third) == 4 else "YY"
        orders = [f"{day}{mark}{month}{mark}{year}"]
        if mark != ".":  # with dots the day comes first, everywhere
            orders.append(f"{month}{mark}{day}{mark}{year}")
    return [order for order in orders if _match(_pattern(order), text)]


def _hint(text: str) -> str:
    formats = formats_for(text)
    return f"; say --date-format {' or '.join(formats)}" if formats else ""


def _match(pattern: re.Pattern[str], text: str) -> tuple[datetime.date, str] | None:
    match = pattern.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(match[name]) for name in ("year", "month", "day"))
    if len(match["year"]) == 2:
        year += 1900 if year >= _PIVOT else 2000
    try:
        found = datetime.date(year, month, day)
        if match["hour"] is None:
            return found, ""
        hour = int(match["hour"])
        if match["half"]:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if match["half"] in "Pp" else 0)
        time = datetime.time(hour, int(match["minute"]), int(match["second"] or 0))
    except ValueError:
        return None  # there is no such day; another format may fit
    return found, f"T{time.isoformat()}{match['zone'] or ''}"


def _pattern(text: str) -> re.Pattern[str]:
    time = _TIME_IN_FORMAT.search(text)
    body = text[: time.start()] if time and time.end() == len(text) else text
    tokens = _TOKEN.findall(body)
    named = sorted(token[0] for token in tokens if token in _TOKENS)
    if "".join(tokens) != body or named != ["D", "M", "Y"]:
        raise BadValueError(
            "date format: expected DD or D, MM or M, and YYYY or YY once each, with marks between"
            f" them (such as DD.MM.YYYY), or excel; found {quoted(text)}"
        )
    days = "".join(_TOKENS.get(token) or re.escape(token) for token in tokens)
    return re.compile(days + _TIME, re.ASCII)
