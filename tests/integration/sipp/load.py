"""`make loadtest`: the calls of calls.csv as a load, and a report of what became of them.

    python -m tests.integration.sipp.load --rate 200 --calls 4000 --hold 500 --at-once 1000

Plays them through Debian's Kamailio, and through FreeSWITCH with `callsieve serve` where there is
one; lists are reloaded and numbers added meanwhile. Exit code: 0 every call ended and was decided
as the data file expects; 1 not.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.support.freeswitch import FreeSwitch, find_freeswitch, free_port
from tests.support.kamailio import CONFIGURATIONS, Kamailio
from tests.support.load_report import (
    CaseReport,
    LoadReport,
    as_text,
    percentiles,
    seconds_of,
    write,
)
from tests.support.service import run, running
from tests.support.sip import Trunk
from tests.support.sipp import SCENARIOS, Call, Caller, Load, Played, Seen, join, read_calls, switch


def main() -> int:
    options = _options()
    calls = read_calls(options.data)
    load = Load(options.calls, options.rate, options.hold, options.at_once)
    good = True
    for proxy in options.proxy:
        played_calls, played_load = calls, load
        if proxy == "freeswitch":
            if find_freeswitch() is None:
                print("FreeSWITCH: none found here (FREESWITCH_BIN names it); left out\n")
                continue
            played_calls = [
                replace(call, reply=call.freeswitch, expected={})
                for call in calls
                if call.freeswitch
            ]
            played_load = replace(load, rate=min(options.rate, options.freeswitch_rate))
        with tempfile.TemporaryDirectory(prefix="callsieve-load-") as place:
            report = _PROXIES[proxy](Path(place), played_calls, played_load)
        print(as_text(report))
        write(report, options.out / proxy)
        print(f"written: {options.out / proxy}/report.txt, report.json, report.html\n")
        good = good and report.unexpected == 0 and report.failures == 0
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--calls", type=int, default=3000, help="how many, of all callers together")
    add("--rate", type=float, default=150.0, help="calls a second, of all callers together")
    add(
        "--freeswitch-rate",
        type=float,
        default=60.0,
        help="the same through FreeSWITCH, whose test configuration logs every step of a call",
    )
    add("--hold", type=int, default=200, help="milliseconds that an answered call is held")
    add("--at-once", type=int, default=1000, help="calls at once, of each caller")
    add("--data", type=Path, default=SCENARIOS / "calls.csv", help="the calls, and what to expect")
    add("--out", type=Path, default=Path(".build/loadtest"), help="where the reports go")
    add(
        "--proxy",
        action="append",
        choices=tuple(_PROXIES),
        help="what to play them through; may be repeated (kamailio, kamailio_kemi and freeswitch)",
    )
    options = parser.parse_args()
    options.proxy = options.proxy or list(_PROXIES)
    return options


def _through_kamailio(configuration: str) -> Callable[[Path, Sequence[Call], Load], LoadReport]:
    def through(place: Path, calls: Sequence[Call], load: Load) -> LoadReport:
        store = _store(place)
        directory = place / "kamailio"
        directory.mkdir()
        kamailio = Kamailio(directory, store, free_port())
        with kamailio.running(configuration), switch(place, kamailio.switch_port) as behind:
            with _changing(store) as changes:
                played = _play(place, kamailio.port, calls, load)
            arrived = behind.stop()
        seen = {key: call for one in played for key, call in one.calls.items()}
        join(seen, arrived)
        return _report(f"Kamailio, {configuration}", calls, load, played, len(changes))

    return through


def _through_freeswitch(place: Path, calls: Sequence[Call], load: Load) -> LoadReport:
    binary = find_freeswitch()
    assert binary is not None
    store = _store(place)
    directory = place / "freeswitch"
    directory.mkdir()
    trunk = Trunk()
    try:
        with (
            running(store) as service,
            FreeSwitch(directory, trunk.port).running(binary) as freeswitch,
        ):
            freeswitch.use_service(service.place)
            with _changing(store) as changes:
                played = _play(place, freeswitch.sip_port, calls, load)
    finally:
        trunk.close()
    return _report("FreeSWITCH, callsieve serve", calls, load, played, len(changes))


_PROXIES: dict[str, Callable[[Path, Sequence[Call], Load], LoadReport]] = {
    **{name.removesuffix(".cfg"): _through_kamailio(name) for name in CONFIGURATIONS},
    "freeswitch": _through_freeswitch,
}


def _store(place: Path) -> Path:
    store = place / "store"
    shutil.copytree(SCENARIOS / "store", store)
    published = run("reload", store=store)
    assert published.returncode == 0, published.stderr
    return store


@contextmanager
def _changing(store: Path) -> Iterator[list[float]]:
    """Numbers that nobody calls from are added, and all of a list published anew, until the end."""
    ended = threading.Event()
    changes: list[float] = []

    def change() -> None:
        while not ended.is_set():
            number = f"+48511{len(changes):06}"
            if len(changes) % 3 == 2:
                with (store / "lists" / "Default.csv").open("a") as file:
                    file.write(f"{number}\n")
                done = run("reload", store=store)
            else:
                done = run("add", "Default", number, store=store)
            assert done.returncode == 0, done.stderr
            changes.append(time.time())

    changing = threading.Thread(target=change)
    changing.start()
    try:
        yield changes
    finally:
        ended.set()
        changing.join()


def _play(place: Path, port: int, calls: Sequence[Call], load: Load) -> list[Played]:
    """The callers of each address at once, each with its share of the calls."""
    players = []
    for source in sorted({call.source for call in calls}):
        mine = [call for call in calls if call.source == source]
        share = len(mine) / len(calls)
        part = replace(
            load, calls=max(len(mine), round(load.calls * share)), rate=load.rate * share
        )
        players.append(Caller(place, port, mine, part))
    return [player.finish() for player in players]


def _report(
    proxy: str, calls: Sequence[Call], load: Load, played: Sequence[Played], changes: int
) -> LoadReport:
    seen = [call for one in played for call in one.calls.values()]
    answered = [call for call in seen if call.reply]
    began = min(call.asked_at for call in seen)
    replies = Counter(str(call.reply or "none") for call in seen)
    return LoadReport(
        proxy=proxy,
        rate=load.rate,
        hold_milliseconds=load.milliseconds,
        at_once=load.at_once,
        seconds=max((call.answered_at for call in answered), default=began) - began,
        calls=len(seen),
        failures=sum(one.failed for one in played),
        retransmissions=sum(one.retransmissions for one in played),
        changes=changes,
        milliseconds=percentiles([call.seconds for call in answered]),
        replies=dict(sorted(replies.items())),
        cases=tuple(_case(call, [one for one in seen if one.case == call.case]) for call in calls),
        per_second=seconds_of([(call.answered_at, str(call.reply)) for call in answered]),
    )


def _case(call: Call, seen: Sequence[Seen]) -> CaseReport:
    others = Counter(_outcome(one) for one in seen if not call.is_met_by(one))
    action = call.expected.get("action")
    expected = f"{call.reply} {action}" if action else str(call.reply)
    return CaseReport(call.case, len(seen), len(seen) - others.total(), expected, dict(others))


def _outcome(seen: Seen) -> str:
    return f"{seen.reply or 'none'} {seen.facts.get('action', '')}".strip()


if __name__ == "__main__":
    sys.exit(main())
