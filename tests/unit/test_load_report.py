"""The report of a load: its figures, and a page that needs nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from tests.support.load_report import CaseReport, LoadReport, percentiles, seconds_of, write

REPORT = LoadReport(
    proxy='Kamailio <&"',
    rate=100.0,
    hold_milliseconds=200,
    at_once=10,
    seconds=2.0,
    calls=4,
    failures=1,
    retransmissions=2,
    changes=3,
    milliseconds={"p50": 1.5, "p100": 400.0},
    replies={"200": 2, "603": 1, "none": 1},
    cases=(
        CaseReport("listed <caller>", 2, 1, "603", {"none": 1}),
        CaseReport("free", 2, 2, "200 continue", {}),
    ),
    per_second=({"200": 2}, {"603": 1}),
)


def test_percentiles_are_of_what_was_measured() -> None:
    seconds = [number / 1000 for number in range(1, 101)]
    found = percentiles(list(reversed(seconds)))
    assert (found["p50"], found["p99"], found["p100"]) == (50.0, 99.0, 100.0)
    assert percentiles([0.002])["p50"] == percentiles([0.002])["p100"] == 2.0
    assert percentiles([]) == {}


def test_replies_are_counted_by_second() -> None:
    moments = [(10.2, "200"), (10.1, "603"), (11.9, "200"), (13.2, "200")]
    assert seconds_of(moments) == ({"200": 1, "603": 1}, {"200": 1}, {}, {"200": 1})
    assert seconds_of([]) == ()


class Tags(HTMLParser):
    """Opening tags, and whether every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "line", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_three_reports_tell_the_same(tmp_path: Path) -> None:
    write(REPORT, tmp_path)
    text = (tmp_path / "report.txt").read_text("utf-8")
    assert "1 calls were NOT decided as the data file expects" in text
    assert re.search(r"listed <caller> +2 +603 +1 +none 1", text)

    document = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (document["calls"], document["unexpected"], document["failures"]) == (4, 1, 1)

    page = (tmp_path / "report.html").read_text("utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.seen.count("svg") == 2
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert not {name for name, _ in tags.attributes} & {"src", "href"}
    assert "listed &lt;caller&gt;" in page
    assert "1 calls were not decided as the data file expects" in page
