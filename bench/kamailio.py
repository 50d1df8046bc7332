"""What screening costs a Kamailio proxy, beside the same proxy without it and with its own htable.

    make bench-kamailio                       # 10 million numbers, 5 rounds
    make bench-kamailio BENCH="--numbers 1000000 --rounds 3"

All proxies are kamailio_conf/kamailio.cfg, 4 workers, and relay every call of callers that no list
has to a busy SIPp; only what they do to a caller's number differs. They run side by side and take
turns, so that whatever else the machine does falls on all of them. Figures are medians of rounds.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from loader.store import open_store
from lookup_core import Catalog
from tests.support.freeswitch import free_port
from tests.support.kamailio import STRANGER, Kamailio
from tests.support.sipp import Call, Load, play, switch

SCREENED, UNSCREENED, HTABLE, EMPTY = "callsieve", "unscreened", "htable", "empty script"
RULES = 'default_region = "PL"\n[[forwarding]]\nlist = "Default"\naction = "hangup"\n'
HTABLE_MEGABYTES_A_MILLION = 260


@dataclass
class Proxy:
    """A running proxy and what was measured of it."""

    name: str
    kamailio: Kamailio
    cpu: list[float] = field(default_factory=list)
    loss_free: float = 0.0

    @property
    def cpu_seconds(self) -> float:
        """Of all its processes so far, as the scheduler counts it: not in ticks."""
        nanoseconds = 0
        for pid in self.kamailio.processes:
            nanoseconds += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        return nanoseconds / 1e9

    def worker_megabytes(self, kind: str) -> float:
        """Rss, Pss or Private_Dirty of the workers, their mean."""
        sizes = []
        for pid in self.kamailio.workers:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found = re.search(rf"^{kind}: +(\d+) kB", text, re.MULTILINE)
            assert found is not None
            sizes.append(int(found[1]) / 1024)
        return statistics.mean(sizes)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--numbers", type=int, default=10_000_000, help="on the list")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=4000, help="in a round, for each proxy")
    parser.add_argument("--rate", type=float, default=400.0, help="calls a second")
    parser.add_argument("--highest", type=float, default=3000.0, help="where the rate search ends")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="callsieve-bench-") as name, ExitStack() as stack:
        place = Path(name)
        port = free_port()
        print(f"publishing {options.numbers:,} numbers", file=sys.stderr)
        store = _store(place / "store", options.numbers)
        stack.enter_context(switch(place, port, "busy_switch.xml"))
        proxies = {}
        for kind, prepare in _KINDS.items():
            print(f"starting Kamailio: {kind}", file=sys.stderr)
            directory = place / kind.replace(" ", "_")
            directory.mkdir()
            kamailio = Kamailio(directory, store, port)
            options_of = prepare(kamailio.conf, options.numbers)
            stack.enter_context(kamailio.running(options=options_of, patience=180))
            proxies[kind] = Proxy(kind, kamailio)
        runs = _places(place)
        for kind in proxies:  # every worker has answered, and learned what it needs
            _load(next(runs), proxies[kind], Load(400, 200.0))
        for number in range(options.rounds):
            for proxy in proxies.values():
                print(f"round {number + 1}: {proxy.name}", file=sys.stderr)
                before = proxy.cpu_seconds
                load = Load(options.calls, options.rate)
                lost = _load(next(runs), proxy, load)
                if lost:
                    print(f"round {number + 1}: {proxy.name} lost {lost} calls", file=sys.stderr)
                proxy.cpu.append((proxy.cpu_seconds - before) * 1000 / options.calls)
        for kind in (UNSCREENED, SCREENED):
            proxies[kind].loss_free = _highest(proxies[kind], options.highest, runs)
        return _report(proxies, options.numbers)


def _store(directory: Path, numbers: int) -> Path:
    """A store with that many numbers published, none of them a caller of ours."""
    store = open_store(f"csv:{directory}", create=True)
    catalog = Catalog(store.catalog_directory, create=True)
    catalog.publish("Default", (f"+4870{number:08}" for number in range(numbers)))
    catalog.publish_document("rules", RULES)
    return directory


def _callsieve(_conf: Path, _numbers: int) -> list[str]:
    return []


def _edited(conf: Path, screening: str, module: str) -> None:
    """kamailio.cfg with `screening` where it screens, and `module` in place of the plugin."""
    path = conf / "kamailio.cfg"
    text = path.read_text("utf-8")
    begin, end = text.index("\tif (is_in_subnet("), text.index("\tif ($ru =~")
    text = text[:begin] + screening + text[end:]
    text = text.replace("\troute(CALLSIEVE_STRIP);\n", "").replace(
        'include_file "callsieve.cfg"', module
    )
    path.write_text(text, "utf-8")


def _unscreened(conf: Path, _numbers: int) -> list[str]:
    _edited(conf, "", "")
    return []


def _htable(conf: Path, numbers: int) -> list[str]:
    """Exact match of the caller's digits as they come: htable knows no formats."""
    _edited(
        conf,
        '\tif ($sht(listed=>$fU) != $null) {\n\t\tt_reply("603", "Decline");\n\t\texit;\n\t}\n',
        'loadmodule "htable.so"\n'
        'modparam("htable", "htable", "listed=>size=22;")\n'
        f"max_while_loops={numbers + 1}\n"
        "event_route[htable:mod-init] {\n"
        "\t$var(i) = 0;\n"
        f"\twhile ($var(i) < {numbers}) {{\n"
        "\t\t$var(n) = 100000000 + $var(i);\n"
        '\t\t$var(k) = "+4870" + $(var(n){s.substr,1,0});\n'
        "\t\t$sht(listed=>$var(k)) = 1;\n"
        "\t\t$var(i) = $var(i) + 1;\n"
        "\t}\n"
        "}\n",
    )
    return ["-m", str(64 + numbers * HTABLE_MEGABYTES_A_MILLION // 1_000_000)]


def _empty(conf: Path, _numbers: int) -> list[str]:
    script = conf / "empty.py"
    script.write_text(
        "class Empty:\n"
        "    def child_init(self, rank):\n"
        "        return 0\n"
        "    def screen(self, message):\n"
        "        return 1\n"
        "def mod_init():\n"
        "    return Empty()\n"
    )
    module = f'loadmodule "app_python3.so"\nmodparam("app_python3", "load", "{script}")'
    _edited(conf, '\tpython_exec("screen");\n', module)
    return []


_KINDS: dict[str, Callable[[Path, int], list[str]]] = {
    UNSCREENED: _unscreened,
    EMPTY: _empty,
    SCREENED: _callsieve,
    HTABLE: _htable,
}


def _places(place: Path) -> Iterator[Path]:
    for number in count():
        directory = place / f"run{number}"
        directory.mkdir()
        yield directory


def _load(place: Path, proxy: Proxy, load: Load) -> int:
    """Plays it; how many calls failed or had to be asked again."""
    calls = [
        Call("unlisted", STRANGER, f"<sip:+48600{number:06}@h>", "sip:+48221000001@h", (), 486, {})
        for number in range(1000)
    ]
    played = play(place, proxy.kamailio.port, calls, load)
    refused = sum(call.reply != 486 for call in played.calls.values())
    return max(played.failed, refused) + played.retransmissions


def _highest(proxy: Proxy, limit: float, runs: Iterator[Path]) -> float:
    """The highest rate without a loss, of 4-second runs, best of two at each rate: to 2 in 100."""
    best, worst, rate = 0.0, limit, 400.0
    while 10 <= rate <= limit and worst > 1.02 * best:
        print(f"{proxy.name}: {rate:.0f} calls a second", file=sys.stderr)
        losses = (_load(next(runs), proxy, Load(int(rate * 4), rate)) for _ in range(2))
        if all(losses):
            worst = rate
        else:
            best = rate
        rate = min(best * 1.3, (best + worst) / 2) if best else rate / 2
        time.sleep(1)  # the transactions of the run before are gone
    return best


def _report(proxies: dict[str, Proxy], numbers: int) -> int:
    print(f"{numbers:,} numbers, CPU seconds per 1,000 relayed calls (median of the rounds):")
    cpu = {kind: statistics.median(proxy.cpu) for kind, proxy in proxies.items()}
    for kind, proxy in proxies.items():
        print(
            f"  {kind:<13} {cpu[kind]:.3f}   (of {min(proxy.cpu):.3f} to {max(proxy.cpu):.3f})   "
            f"a worker: Rss {proxy.worker_megabytes('Rss'):.1f}, "
            f"Pss {proxy.worker_megabytes('Pss'):.1f}, "
            f"dirty and its own {proxy.worker_megabytes('Private_Dirty'):.1f} MB"
        )
    screened, empty = proxies[SCREENED], proxies[EMPTY]
    grown = screened.worker_megabytes("Pss") - empty.worker_megabytes("Pss")
    fastest = proxies[UNSCREENED].loss_free
    targets = (
        ("CPU, callsieve / unscreened", cpu[SCREENED] / cpu[UNSCREENED], "at most", 1.15),
        ("CPU, callsieve / htable", cpu[SCREENED] / cpu[HTABLE], "at most", 1.0),
        (
            "highest loss-free rate, callsieve / unscreened",
            screened.loss_free / fastest if fastest else 0.0,
            "at least",
            0.9,
        ),
        ("memory of a worker over an empty script, MB (Pss)", grown, "less than", 40.0),
    )
    print(f"loss-free: callsieve {screened.loss_free:.0f}, unscreened {fastest:.0f} calls a second")
    missed = 0
    for what, value, how, bound in targets:
        met = value >= bound if how == "at least" else value <= bound
        missed += not met
        print(f"  {what}: {value:.2f}, target {how} {bound:g}: {'met' if met else 'NOT MET'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
