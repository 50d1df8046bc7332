"""What a load came to, as text, as JSON and as one HTML page that needs nothing else."""

from __future__ import annotations

import html
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)
_MILLISECOND = 1000.0
_WIDTH, _HEIGHT, _MARGIN = 760, 260, 48


@dataclass(frozen=True, slots=True)
class CaseReport:
    """Calls of one case: how many, and how many got the decision that the data file expects."""

    case: str
    calls: int
    as_expected: int
    expected: str
    others: dict[str, int]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """milliseconds: INVITE to final response, by percentile. per_second: of the start of the load,
    how many calls began and were answered in each second, by reply.
    """

    proxy: str
    rate: float
    hold_milliseconds: int
    at_once: int
    seconds: float
    calls: int
    failures: int
    retransmissions: int
    changes: int
    milliseconds: dict[str, float]
    replies: dict[str, int]
    cases: tuple[CaseReport, ...]
    per_second: tuple[dict[str, int], ...]

    @property
    def unexpected(self) -> int:
        return sum(case.calls - case.as_expected for case in self.cases)


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """By nearest rank, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {
        f"p{percent:g}": round(
            ordered[math.ceil(percent / 100 * len(ordered)) - 1] * _MILLISECOND, 3
        )
        for percent in PERCENTILES
    }


def seconds_of(moments: Sequence[tuple[float, str]]) -> tuple[dict[str, int], ...]:
    """How many of each reply in each second, from the first moment on."""
    if not moments:
        return ()
    start = min(moment for moment, _ in moments)
    counted: list[Counter[str]] = []
    for moment, reply in moments:
        second = int(moment - start)
        while len(counted) <= second:
            counted.append(Counter())
        counted[second][reply] += 1
    return tuple(dict(count) for count in counted)


def as_text(report: LoadReport) -> str:
    lines = [
        f"{report.proxy}: {report.calls} calls in {report.seconds:.1f} s, asked for "
        f"{report.rate:g} a second, answered calls held {report.hold_milliseconds} ms, "
        f"at most {report.at_once} at once",
        f"failures {report.failures}, retransmissions {report.retransmissions}, "
        f"changes of lists meanwhile {report.changes}",
        "INVITE to final response, ms: "
        + ", ".join(f"{name} {value:g}" for name, value in report.milliseconds.items()),
        "replies: " + ", ".join(f"{reply} {count}" for reply, count in report.replies.items()),
        "",
        f"{'case':<45} {'calls':>6} {'expected':>18} {'as expected':>11}  otherwise",
    ]
    for case in report.cases:
        others = ", ".join(f"{what} {count}" for what, count in case.others.items())
        lines.append(
            f"{case.case[:45]:<45} {case.calls:>6} {case.expected:>18} {case.as_expected:>11}"
            f"  {others}".rstrip()
        )
    verdict = "every call was decided as the data file expects"
    if report.unexpected:
        verdict = f"{report.unexpected} calls were NOT decided as the data file expects"
    return "\n".join([*lines, "", verdict, ""])


def as_json(report: LoadReport) -> str:
    return json.dumps({**asdict(report), "unexpected": report.unexpected}, indent=1) + "\n"


def write(report: LoadReport, directory: Path) -> None:
    """report.txt, report.json and report.html."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.txt").write_text(as_text(report), "utf-8")
    (directory / "report.json").write_text(as_json(report), "utf-8")
    (directory / "report.html").write_text(as_html(report), "utf-8")


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; color: #222;
  padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } td, th { padding: .25rem .6rem;
  border-bottom: 1px solid #ddd; text-align: left } td.n, th.n { text-align: right }
tr.bad td { background: #fde8e6 } .good { color: #176b34 } .bad { color: #a3211b }
svg text { font: 12px system-ui, sans-serif; fill: #444 } svg { max-width: 100% }
"""
_COLOURS = ("#2f6db5", "#d1792c", "#3f8f5b", "#8a5aa8", "#b0413e", "#6b7280", "#b59b2f", "#4fa3a5")


def as_html(report: LoadReport) -> str:
    escape = html.escape
    verdict = (
        f'<p class="bad">{report.unexpected} calls were not decided as the data file expects.</p>'
        if report.unexpected
        else '<p class="good">Every call was decided as the data file expects.</p>'
    )
    figures = [
        ("Calls", f"{report.calls}"),
        ("Seconds", f"{report.seconds:.1f}"),
        ("Asked for", f"{report.rate:g} calls a second"),
        ("Answered calls held", f"{report.hold_milliseconds} ms"),
        ("At most at once", f"{report.at_once}"),
        ("Failures", f"{report.failures}"),
        ("Retransmissions", f"{report.retransmissions}"),
        ("Changes of lists meanwhile", f"{report.changes}"),
        *((f"INVITE to final response, {n}", f"{v:g} ms") for n, v in report.milliseconds.items()),
    ]
    rows = "".join(
        f'<tr><td>{escape(n)}</td><td class="n">{escape(v)}</td></tr>' for n, v in figures
    )
    cases = "".join(
        f"<tr{' class=bad' if case.calls != case.as_expected else ''}><td>{escape(case.case)}</td>"
        f'<td>{escape(case.expected)}</td><td class="n">{case.calls}</td>'
        f'<td class="n">{case.as_expected}</td>'
        f"<td>{escape(', '.join(f'{w} {c}' for w, c in case.others.items()))}</td></tr>"
        for case in report.cases
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Load of {escape(report.proxy)}</title>
<style>{_STYLE}</style></head><body>
<h1>Load of {escape(report.proxy)}</h1>
{verdict}
<table>{rows}</table>
<h2>INVITE to final response</h2>
{_bars(report.milliseconds)}
<h2>Final responses in each second</h2>
{_timeline(report)}
<h2>Decisions</h2>
<table><tr><th>Case</th><th>Expected</th><th class="n">Calls</th><th class="n">As expected</th>
<th>Otherwise</th></tr>{cases}</table>
</body></html>
"""


def _bars(milliseconds: dict[str, float]) -> str:
    """A bar for each percentile, on a logarithmic scale: the tail is what one looks for."""
    if not milliseconds:
        return "<p>No call was answered.</p>"
    low = math.floor(math.log10(max(min(milliseconds.values()), 0.001)))
    high = max(math.ceil(math.log10(max(milliseconds.values()))), low + 1)
    step = 26
    inner = _WIDTH - 2 * _MARGIN - 40
    parts = []
    for power in range(low, high + 1):
        x = _MARGIN + inner * (power - low) / (high - low)
        parts.append(
            f'<line x1="{x:.1f}" y1="8" x2="{x:.1f}" y2="{step * len(milliseconds) + 12}" '
            f'stroke="#ddd"/><text x="{x:.1f}" y="{step * len(milliseconds) + 28}" '
            f'text-anchor="middle">{10.0**power:g} ms</text>'
        )
    for index, (name, value) in enumerate(milliseconds.items()):
        width = inner * (math.log10(max(value, 0.001)) - low) / (high - low)
        y = 10 + index * step
        parts.append(
            f'<text x="{_MARGIN - 6}" y="{y + 14}" text-anchor="end">{name}</text>'
            f'<rect x="{_MARGIN}" y="{y}" width="{max(width, 1):.1f}" height="18" '
            f'fill="{_COLOURS[0]}"/>'
            f'<text x="{_MARGIN + width + 5:.1f}" y="{y + 14}">{value:g}</text>'
        )
    return _svg(step * len(milliseconds) + 36, parts, "Response times by percentile")


def _timeline(report: LoadReport) -> str:
    """Stacked columns, a second each."""
    if not report.per_second:
        return "<p>No call was answered.</p>"
    replies = list(report.replies)
    colour = {reply: _COLOURS[index % len(_COLOURS)] for index, reply in enumerate(replies)}
    most = max(sum(second.values()) for second in report.per_second)
    inner_width, inner_height = _WIDTH - 2 * _MARGIN, _HEIGHT - 70
    column = inner_width / len(report.per_second)
    parts = [
        f'<line x1="{_MARGIN}" y1="{10 + inner_height}" x2="{_WIDTH - _MARGIN}" '
        f'y2="{10 + inner_height}" stroke="#888"/>',
        f'<text x="{_MARGIN - 6}" y="18" text-anchor="end">{most}</text>',
        f'<text x="{_MARGIN - 6}" y="{10 + inner_height}" text-anchor="end">0</text>',
        f'<text x="{_MARGIN}" y="{26 + inner_height}">0 s</text>',
        f'<text x="{_WIDTH - _MARGIN}" y="{26 + inner_height}" text-anchor="end">'
        f"{len(report.per_second)} s</text>",
    ]
    for index, second in enumerate(report.per_second):
        y = 10.0 + inner_height
        for reply in replies:
            height = inner_height * second.get(reply, 0) / most
            y -= height
            parts.append(
                f'<rect x="{_MARGIN + index * column:.2f}" y="{y:.2f}" '
                f'width="{max(column - 1, 0.5):.2f}" height="{height:.2f}" fill="{colour[reply]}"/>'
            )
    for index, reply in enumerate(replies):
        x = _MARGIN + index * 85
        parts.append(
            f'<rect x="{x}" y="{_HEIGHT - 24}" width="12" height="12" fill="{colour[reply]}"/>'
            f'<text x="{x + 17}" y="{_HEIGHT - 14}">{html.escape(reply)}</text>'
        )
    return _svg(_HEIGHT, parts, "Final responses by second")


def _svg(height: int, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img">'
        f"<title>{title}</title>{''.join(parts)}</svg>"
    )
