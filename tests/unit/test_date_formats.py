"""Dates by stated formats."""

from __future__ import annotations

import datetime

import pytest

from loader.date_formats import DAY_ZERO_1904, Dates
from loader.store import BadValueError


@pytest.mark.parametrize(
    ("formats", "text", "day"),
    [
        ((), "2026-03-04", (2026, 3, 4)),
        ((), "2026-03-04 10:00", (2026, 3, 4)),
        (("DD.MM.YYYY",), "04.03.2026", (2026, 3, 4)),
        (("M/D/YYYY",), "3/4/2026", (2026, 3, 4)),
        (("D/M/YYYY",), "3/4/2026", (2026, 4, 3)),
        (("DD.MM.YYYY", "YYYY-MM-DD"), "2026-03-04", (2026, 3, 4)),
        (("DD/MM/YYYY", "MM/DD/YYYY"), "13/04/2026", (2026, 4, 13)),
        (("DD/MM/YYYY", "MM/DD/YYYY"), "04/04/2026", (2026, 4, 4)),
        (("YYYY MM DD",), "2026 12 31", (2026, 12, 31)),
        (("YYYYMMDD",), "20261231", (2026, 12, 31)),
        (("DD.MM.YYYY",), "04.03.2026 12:30", (2026, 3, 4)),
        (("DD.MM.YYYY",), "04.03.2026 9:30:15", (2026, 3, 4)),
        (("DD.MM.YYYY HH:MM:SS",), "04.03.2026 09:30:15", (2026, 3, 4)),
        (("DD.MM.YYYY HH:MM",), "04.03.2026", (2026, 3, 4)),
        (("M/D/YYYY",), "3/4/2026 12:05 AM", (2026, 3, 4)),
        (("DD/MM/YYYY",), "04/03/2026, 09:30", (2026, 3, 4)),
        (("D.M.YY",), "4.3.26", (2026, 3, 4)),
        (("D.M.YY",), "4.3.69", (2069, 3, 4)),
        (("D.M.YY",), "4.3.70", (1970, 3, 4)),
        (("excel",), "46085", (2026, 3, 4)),
        (("excel",), "46085.75", (2026, 3, 4)),
        (("excel",), "61", (1900, 3, 1)),
        (("excel", "DD.MM.YYYY"), "04.03.2026", (2026, 3, 4)),
    ],
)
def test_days(formats: tuple[str, ...], text: str, day: tuple[int, int, int]) -> None:
    for _ in range(2):
        assert Dates(formats).day(text) == datetime.date(*day)


@pytest.mark.parametrize(
    ("formats", "text", "problem"),
    [
        ((), "03/04/2026", "expected YYYY-MM-DD, found '03/04/2026'"),
        ((), "4.3.26", "expected YYYY-MM-DD"),
        (
            ("DD/MM/YYYY", "MM/DD/YYYY"),
            "03/04/2026",
            "which may be 2026-03-04 or 2026-04-03",
        ),
        (("DD.MM.YYYY",), "4.3.2026", r"expected DD\.MM\.YYYY, found '4\.3\.2026'"),
        (("DD.MM.YYYY",), "31.02.2026", "found"),
        (("DD.MM.YYYY",), "2026-03-04", "found"),
        (("DD.MM.YYYY",), "٠٤.٠٣.2026", "found"),
        (("DD.MM.YYYY",), "04.03.2026 25:00", "found"),
        (("M/D/YYYY",), "3/4/2026 13:05 PM", "found"),
        (("DD.MM.YYYY",), "04.03.26", "say --date-format DD.MM.YY$"),
        (("D.M.YY",), "4.3.2026", "say --date-format D.M.YYYY$"),
        (("excel",), "60", "expected a serial day, found '60'"),
        (("excel",), "9999999", "expected a serial day"),
        ((), "04.03.2026", "say --date-format DD.MM.YYYY$"),
        ((), "4.3.26", "say --date-format D.M.YY$"),
        ((), "04.03.2026 12:30", "say --date-format DD.MM.YYYY$"),
        ((), "13/04/2026", "say --date-format DD/MM/YYYY$"),
        ((), "04/13/2026", "say --date-format MM/DD/YYYY$"),
        ((), "03/04/2026", "say --date-format DD/MM/YYYY or MM/DD/YYYY$"),
        ((), "2026/03/04", "say --date-format YYYY/MM/DD$"),
        ((), "20260304", "say --date-format YYYYMMDD$"),
        ((), "46085", "say --date-format excel$"),
        ((), "31.02.2026", "found '31.02.2026'$"),
    ],
)
def test_what_is_not_certain_is_refused(formats: tuple[str, ...], text: str, problem: str) -> None:
    with pytest.raises(BadValueError, match=problem):
        Dates(formats).day(text)


@pytest.mark.parametrize(
    "text", ["", "DD.MM.Y", "DD.MM", "%d.%m.%Y", "DDMMYYYYDD", "DD.DD.YYYY", "DD.MM.YYYY h"]
)
def test_a_format_says_day_month_and_whole_year(text: str) -> None:
    with pytest.raises(BadValueError, match="date format: expected DD or D"):
        Dates([text])


def test_an_expiry_is_the_end_of_the_day() -> None:
    by_format = Dates(["D.M.YYYY"]).expiry("4.3.2099")
    assert by_format == Dates().expiry("2099-03-04")
    assert by_format.astimezone().time() == datetime.time(23, 59, 59)


def test_an_expiry_with_a_time_is_that_moment() -> None:
    assert Dates(["D.M.YYYY"]).expiry("4.3.2099 12:30") == Dates().expiry("2099-03-04T12:30")
    assert Dates(["M/D/YYYY"]).expiry("3/4/2099 1:30 PM") == Dates().expiry("2099-03-04T13:30")
    with pytest.raises(BadValueError, match=r"expires: expected D\.M\.YYYY, found 'x'"):
        Dates(["D.M.YYYY"]).expiry("x")


def test_serial_days_are_counted_from_another_day_where_the_workbook_does() -> None:
    assert Dates(["excel"], DAY_ZERO_1904).day("44623") == datetime.date(2026, 3, 4)


def test_what_is_remembered_stays_bounded() -> None:
    dates = Dates(["YYYY/MM/DD"])
    first = datetime.date(1990, 1, 1)
    for at in range(10_000):
        day = first + datetime.timedelta(days=at)
        assert dates.day(day.strftime("%Y/%m/%d")) == day
    assert dates.days is not None
    assert len(dates.days) < 5_000
