"""Dates by stated formats."""

from __future__ import annotations

import datetime

import pytest

from loader.date_formats import Dates
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
    ],
)
def test_what_is_not_certain_is_refused(formats: tuple[str, ...], text: str, problem: str) -> None:
    with pytest.raises(BadValueError, match=problem):
        Dates(formats).day(text)


@pytest.mark.parametrize(
    "text", ["", "DD.MM.YY", "DD.MM", "%d.%m.%Y", "DDMMYYYYDD", "DD.DD.YYYY", "DD.MM.YYYY h"]
)
def test_a_format_says_day_month_and_whole_year(text: str) -> None:
    with pytest.raises(BadValueError, match="date format: expected DD or D"):
        Dates([text])


def test_an_expiry_is_the_end_of_the_day() -> None:
    by_format = Dates(["D.M.YYYY"]).expiry("4.3.2099")
    assert by_format == Dates().expiry("2099-03-04")
    assert by_format.astimezone().time() == datetime.time(23, 59, 59)


def test_what_is_remembered_stays_bounded() -> None:
    dates = Dates(["YYYY/MM/DD"])
    first = datetime.date(1990, 1, 1)
    for at in range(10_000):
        day = first + datetime.timedelta(days=at)
        assert dates.day(day.strftime("%Y/%m/%d")) == day
    assert dates.days is not None
    assert len(dates.days) < 5_000
