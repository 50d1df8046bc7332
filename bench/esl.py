"""`make bench-esl`: the service alone, against peers, in one run.

A generator in C plays FreeSWITCH's side of the socket with recorded channel data: half the callers
are listed. "callsieve" reads legs as the shipped dialplans describe them, in one line; "callsieve,
connect" and the peers read all of the channel's data. callsieve decides, sends its receipt, logs
every decision and counts it. Each figure is the median of interleaved rounds. One core serves, the
other generates; two workers are compared with one by giving each the same two cores, the generator
among them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esl_service.channel_data import ChannelData, write_channel_data, write_leg
from esl_service.switch_side import encode_channel_data, encode_reply

HERE = Path(__file__).parent
BUILD = HERE.parent / ".build"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = float(os.environ.get("SECONDS", "3"))
CONNECTIONS = 100
LISTED = 100_000
LEGS = 512
HOTLINE = "+48221234567"
RULES = """\
default_region = "PL"

[[forwarding]]
list = "Default"
action = "hangup"
"""


@dataclass(frozen=True)
class Result:
    """One run of the generator: legs a second, median and 99th percentile in milliseconds, and how
    much of a core the service took."""

    rate: float
    p50: float
    p99: float
    busy: float = 0.0


def listed(index: int) -> str:
    return f"+48600{index * 7:06d}"


def unlisted(index: int) -> str:
    return f"+48601{index * 7:06d}"


def write_store(store: Path) -> None:
    (store / "lists").mkdir(parents=True)
    rows = "\n".join(f"{listed(index)},2026-11-24" for index in range(LISTED))
    (store / "lists" / "Default.csv").write_text(f"number,date\n{rows}\n", "utf-8")
    (store / "callsieve.toml").write_text(RULES, "utf-8")


def write_legs(path: Path) -> None:
    """What the generator plays: legs of both kinds in turn, in the mode of the inbound flow."""
    with path.open("wb") as file:
        for index in range(LEGS):
            hangup = index % 2 == 0
            caller = listed(index * 97 % LISTED) if hangup else unlisted(index)
            channel = ChannelData(
                uuid=f"4eed56e5-cef5-4d1a-842c-{index:012x}",
                direction="inbound",
                caller_number=caller,
                called_number=HOTLINE,
                from_user=caller,
                network_address="192.0.2.10",
                flow="inbound",
            )
            line = encode_reply(write_leg(channel, asynchronous=True) or "")
            block = encode_channel_data(write_channel_data(channel), asynchronous=True)
            sizes = len(line).to_bytes(4, "little") + len(block).to_bytes(4, "little")
            file.write(sizes + bytes([hangup]) + line + block)


def pinned(command: list[str], cpus: set[int], **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["taskset", "--cpu-list", ",".join(map(str, sorted(cpus))), *command], text=True, **options
    )


@dataclass
class Served:
    """A running service: its port, its first process."""

    port: int
    pid: int

    def workers(self) -> list[int]:
        """The processes that answer legs: its children, or itself if it has none."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        return [int(child) for child in children] or [self.pid]

    def seconds(self) -> float:
        """Processor time so far."""
        ticks = 0
        for pid in self.workers():
            fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Resident in the largest worker, without the mapped snapshots that all of them share."""
        return max(_resident_kilobytes(pid) for pid in self.workers()) / 1024


def _resident_kilobytes(pid: int) -> int:
    total = 0
    shared = False
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8").splitlines():
        if "-" in line.split(" ", 1)[0]:
            shared = line.endswith(".snapshot")
        elif line.startswith("Rss:") and not shared:
            total += int(line.split()[1])
    return total


@contextmanager
def served(command: list[str], cpus: set[int], log: Path) -> Iterator[Served]:
    with (
        log.open("w") as errors,
        pinned(command, cpus, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                raise SystemExit(f"{command}: {log.read_text('utf-8')[-2000:]}")
            yield Served(int(line.rpartition(":")[2]), process.pid)
        finally:
            process.terminate()


def generate(
    service: Served, connections: int, legs: Path, cpus: set[int], *more: str, generators: int = 1
) -> Result:
    """One run; with several generators the sum of their rates and the worst of their times."""
    command = [str(BUILD / "esl_generator"), str(service.port), str(connections // generators)]
    command += [str(SECONDS), str(legs), *more]
    before = service.seconds()
    started = [pinned(command, cpus, stdout=subprocess.PIPE) for _ in range(generators)]
    results = []
    for process in started:
        output, _ = process.communicate()
        if process.returncode:
            raise SystemExit(process.returncode)
        figures = json.loads(output)
        if figures["failed"]:
            print(f"    {figures['failed']} legs not answered as they must be", file=sys.stderr)
        results.append(figures)
    return Result(
        sum(figures["legs"] / figures["seconds"] for figures in results),
        max(figures["p50"] for figures in results) / 1e3,
        max(figures["p99"] for figures in results) / 1e3,
        (service.seconds() - before) / SECONDS,
    )


class Bench:
    """The runs of one session, in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._legs = directory / "legs"
        listed_file = directory / "listed"
        store = directory / "store"
        write_legs(self._legs)
        write_store(store)
        listed_file.write_text("\n".join(map(listed, range(LISTED))), "utf-8")
        serve = [sys.executable, "-m", "callsieve", "serve", "--store", f"csv:{store}"]
        serve += ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
        peers = [sys.executable, str(HERE / "esl_peers.py")]
        self._commands = {
            "callsieve": serve,
            "callsieve, connect": serve,
            "callsieve, 2 workers": [*serve, "--workers", "2"],
            "C epoll": [str(BUILD / "esl_epoll")],
            "gevent": [*peers, "gevent", str(listed_file)],
            "greenswitch": [*peers, "greenswitch", str(listed_file)],
        }
        self.results: dict[tuple[str, str], list[Result]] = {}
        self.megabytes: list[float] = []

    def round(self) -> None:
        options = {"C epoll": ["any"], "callsieve, connect": ["unprepared"]}
        for name in ("callsieve", "callsieve, connect", "C epoll", "gevent", "greenswitch"):
            more = options.get(name, [])
            with self._served(name, {0}) as service:
                for connections in (CONNECTIONS, 1):
                    result = generate(service, connections, self._legs, {1}, *more)
                    self._note(name, f"{connections}", result)
                if name == "callsieve":
                    self.megabytes.append(service.megabytes())
        with self._served("callsieve", {0}) as service:
            self._note("callsieve", "1 core", generate(service, CONNECTIONS, self._legs, {0}))
        with self._served("callsieve, 2 workers", {0, 1}) as service:
            both = generate(service, CONNECTIONS, self._legs, {0, 1}, generators=2)
            self._note("callsieve, 2 workers", "2 cores", both)

    def _served(self, name: str, cpus: set[int]) -> AbstractContextManager[Served]:
        return served(self._commands[name], cpus, self._directory / "service.log")

    def _note(self, name: str, load: str, result: Result) -> None:
        self.results.setdefault((name, load), []).append(result)
        print(
            f"{name:22} {load:>8} {result.rate:9.0f} {result.p50:9.3f} {result.p99:9.3f}"
            f" {result.busy:7.2f}",
            flush=True,
        )

    def median(self, name: str, load: str, what: str = "rate") -> float:
        return statistics.median(getattr(result, what) for result in self.results[name, load])


def main() -> None:
    print(f"{'service':22} {'load':>8} {'legs/s':>9} {'p50 ms':>9} {'p99 ms':>9} {'cores':>7}")
    with tempfile.TemporaryDirectory(prefix="bench-esl-") as directory:
        bench = Bench(Path(directory))
        for _ in range(ROUNDS):
            bench.round()
    rate = bench.median("callsieve", "100")
    greenswitch = rate / bench.median("greenswitch", "100")
    epoll = rate / bench.median("C epoll", "100")
    connected = bench.median("callsieve, connect", "100") / bench.median("C epoll", "100")
    gevent = rate / bench.median("gevent", "100")
    alone = bench.median("callsieve", "1", "p50")
    memory = statistics.median(bench.megabytes)
    two = bench.median("callsieve, 2 workers", "2 cores") / bench.median("callsieve", "1 core")
    print(f"\nmedians of {ROUNDS} rounds; load: connections, or the cores of service and generator")
    for good, line in (
        (greenswitch >= 8, f"{greenswitch:.1f} of greenswitch's server (target: 8)"),
        (epoll >= 0.45, f"{epoll:.2f} of C epoll (target: 0.45)"),
        (connected >= 0.45, f"{connected:.2f} of C epoll, asked with connect (target: 0.45)"),
        (alone < 0.4, f"{alone:.3f} ms at one connection (target: under 0.4)"),
        (memory < 60, f"{memory:.0f} MB a worker besides the shared map (target: under 60)"),
        (two >= 1.7, f"{two:.2f} with two workers on two cores of one on one (target: 1.7)"),
    ):
        print(f"{'pass' if good else 'MISS'}  {line}")
    print(f"      {gevent:.2f} of a gevent server that looks the caller up and does no more")


if __name__ == "__main__":
    main()
