"""Runs SIPp with the scenarios of ``tests/integration/sipp/`` on data files of our own.

A data file is CSV, a call a row: what is asked (`source`, `from`, `uri`, `headers`) and what must
come of it: `reply` to the caller, and the receipt, which the switch gets with a call that goes on
and the dialler with one that is skipped.
"""

from __future__ import annotations

import contextlib
import csv
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.patience import PATIENCE_SECONDS

SCENARIOS = Path(__file__).parents[1] / "integration" / "sipp"
_SEPARATOR = " ~|~ "
LAST_CALLS_SECONDS = 5
_RECEIPT = ("action", "number", "list", "rule", "status", "generation")


@dataclass(frozen=True, slots=True)
class Call:
    """A row of a data file. expected: the columns that are filled in.

    freeswitch: the reply where FreeSWITCH plays it (its test extensions refuse with 480, and it
    cannot tell From from an asserted identity); 0 where it does not.
    """

    case: str
    source: str
    sender: str
    uri: str
    headers: tuple[str, ...]
    reply: int
    expected: Mapping[str, str]
    freeswitch: int = 0

    def fields(self) -> str:
        """The row as SIPp takes it: see caller.xml. Fillers mean nothing, to the screening too."""
        sender = self.sender
        if ";" not in sender:
            user, bracket, rest = sender.rpartition(">")
            sender = f"{user};x=1{bracket}{rest}" if bracket else f"{sender};x=1"
        parts = [self.case, *sender.split(";"), *f"{self.uri};user=phone;y=1".split(";")[:3]]
        parts += [*self.headers, "X-Filler: 1", "X-Filler: 1"][:2]
        assert len(parts) == 8, f"{self.case}: SIPp joins two parts of From and three of the URI"
        return ";".join(parts)

    def is_met_by(self, seen: Seen) -> bool:
        """Whether that is what must come of the call. In an expected value ? stands for a digit."""
        return (
            seen.reply == self.reply
            and all(
                re.fullmatch(re.escape(value).replace(r"\?", "[0-9]"), seen.facts.get(name, ""))
                for name, value in self.expected.items()
            )
            and ("arrives" in self.expected) == ("arrives" in seen.facts)
        )


def read_calls(path: Path) -> list[Call]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Call(
                row["case"],
                row["source"],
                row["from"],
                row["uri"],
                tuple(line for line in row["headers"].split(" | ") if line),
                int(row["reply"]),
                {
                    name: row[name]
                    for name in (*_RECEIPT, "reason", "contact", "arrives", "identity")
                    if row.get(name)
                },
                int(row["freeswitch"] or 0),
            )
            for row in csv.DictReader(file)
        ]


@dataclass
class Seen:
    """What both ends saw of one call. Times are seconds of the clock."""

    case: str
    asked_at: float
    answered_at: float = 0.0
    reply: int = 0
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.answered_at - self.asked_at


class Switch:
    """SIPp as the switch behind the proxy."""

    def __init__(self, directory: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self._log = directory / "switch.log"
        self._directory = directory
        self.port = port
        self._process = process

    def stop(self) -> list[list[str]]:
        """Ends it; the lines that it logged, split."""
        # The first SIGUSR1 ends it after the calls in hand, the second at once; logs are written.
        for seconds in (LAST_CALLS_SECONDS, PATIENCE_SECONDS):
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGUSR1)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(seconds)
        self._process.kill()
        self._process.wait()
        return list(_lines(self._log))


@contextlib.contextmanager
def switch(directory: Path, port: int, scenario: str = "switch.xml") -> Iterator[Switch]:
    command = ["sipp", "-sf", str(SCENARIOS / scenario), "-i", "127.0.0.1", "-p", str(port)]
    command += ["-nostdin", "-trace_logs", "-log_file", str(directory / "switch.log")]
    with (directory / "switch.out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=directory)
    running = Switch(directory, port, process)
    try:
        yield running
    finally:
        running.stop()


@dataclass(frozen=True, slots=True)
class Load:
    """How many calls, how fast, how long answered, how many at once."""

    calls: int
    rate: float = 100.0
    milliseconds: int = 0
    at_once: int = 1000


@dataclass(frozen=True, slots=True)
class Played:
    """What SIPp did: its exit code (0: every call ended as the scenario has it) and what it saw."""

    returncode: int
    calls: dict[str, Seen]
    failed: int
    retransmissions: int
    output: str


class Caller:
    """SIPp as the callers of one address: started by `__init__`, read by `finish`."""

    def __init__(
        self,
        directory: Path,
        port: int,
        calls: Sequence[Call],
        load: Load,
    ) -> None:
        """port: of the proxy, on 127.0.0.1. calls: of one source, over and over in turn."""
        (source,) = {call.source for call in calls}
        self._place = directory / f"from-{source}"
        self._place.mkdir()
        data = self._place / "calls.csv"
        rows = [call.fields() for call in calls]
        data.write_text("\n".join(["SEQUENTIAL", *rows]) + "\n", "utf-8", "surrogateescape")
        # SIPp ends by itself when all calls have ended, or at this time.
        self._seconds = int(load.calls / load.rate + load.milliseconds / 1000) + PATIENCE_SECONDS
        command = ["sipp", "-sf", str(SCENARIOS / "caller.xml"), "-i", source]
        command += ["-inf", str(data), "-m", str(load.calls), "-r", str(load.rate)]
        command += ["-l", str(load.at_once), "-d", str(load.milliseconds)]
        command += ["-timeout", str(self._seconds), "-timeout_error", "-nostdin", "-trace_logs"]
        command += ["-log_file", str(self._place / "caller.log"), f"127.0.0.1:{port}"]
        command += ["-trace_stat", "-stf", str(self._place / "stat.csv"), "-fd", "1"]
        with (self._place / "caller.out").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, cwd=self._place)

    def finish(self) -> Played:
        """Waits for the last call to end."""
        try:
            returncode = self._process.wait(self._seconds + 10)
        finally:
            self._process.kill()
            self._process.wait()
        statistics = _last_row(self._place / "stat.csv")
        return Played(
            returncode,
            _seen(_lines(self._place / "caller.log")),
            int(statistics.get("FailedCall(C)", "0")),
            int(statistics.get("Retransmissions(C)", "0")),
            (self._place / "caller.out").read_text("utf-8", "replace")[-3000:],
        )


def play(directory: Path, port: int, calls: Sequence[Call], load: Load) -> Played:
    return Caller(directory, port, calls, load).finish()


def join(played: Mapping[str, Seen], arrived: Sequence[Sequence[str]]) -> None:
    """Adds what the switch logged to the calls, by Call-ID, which the proxy keeps."""
    for line in arrived:
        if line[0] != "arrived" or line[1] not in played:
            continue
        _, call_id, uri, sender, identity, *receipt = line
        facts = played[call_id].facts
        facts["arrives"] = uri.partition("@")[0].removeprefix("sip:").partition(";")[0]
        facts["from"] = _value(sender)
        facts["identity"] = _value(identity)
        facts.update(zip(_RECEIPT, map(_value, receipt), strict=True))


def _seen(lines: Iterator[list[str]]) -> dict[str, Seen]:
    calls: dict[str, Seen] = {}
    for line in lines:
        kind, case, call_id, moment, *rest = line
        if kind == "asked":
            calls[call_id] = Seen(case, _seconds(moment))
        elif kind == "answered":
            status, reason, contact, *receipt = rest
            call = calls[call_id]
            call.reply = int(status)
            call.answered_at = _seconds(moment)
            call.facts["reason"] = _value(reason)
            call.facts["contact"] = _value(contact)
            call.facts.update(zip(_RECEIPT, map(_value, receipt), strict=True))
    return calls


def _seconds(timestamp: str) -> float:
    """SIPp's [timestamp] has a date, a time and seconds since 1970."""
    return float(timestamp.split()[-1])


def _value(header: str) -> str:
    return header.partition(":")[2].strip()


def _lines(path: Path) -> Iterator[list[str]]:
    if path.exists():
        for line in path.read_text("utf-8", "surrogateescape").splitlines():
            if _SEPARATOR in line:
                # SIPp drops what is empty at the end of a line, with the space before it.
                yield [part.strip() for part in (line + " ").split(_SEPARATOR)]


def _last_row(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return rows[-1] if rows else {}
