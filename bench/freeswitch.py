"""`make bench-freeswitch`: a real FreeSWITCH refuses listed callers, screened in several ways.

Every caller is on the list and must get 603. FreeSWITCH, SIPp and the service share the
machine's cores. Each way is

    none          the dialplan hangs up on everybody
    mod_blacklist FreeSWITCH's own module with the same list
    bare          an event-socket service of asyncio that answers hangup and decides nothing, in
                  sync mode: the socket's own ceiling
    bare async    the same under the guards of the inbound flow: the ceiling of what fails open
    C             a service in C that finds the caller and answers hangup, in sync mode
    callsieve     freeswitch_conf/ as shipped: the inbound flow, async with socket_resume
    callsieve sync  the mode of the flows that fail closed

Two figures: the time from INVITE to the final response at 20 calls a second (median of interleaved
rounds of 100 calls), and the highest rate at which 4 s pass without a failed call, a retransmission
or a stray message in two tries of three, called by SIPp.
"""

from __future__ import annotations

import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.esl import BUILD, LISTED, listed, write_store
from tests.support.freeswitch import NOT_FOUND, FreeSwitch, find_freeswitch, free_port
from tests.support.sip import Phone

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("ROUNDS", "5"))
CALLS = 100
CALLERS = 1000
STEP = 20
FIRST_RATE = 160
LAST_RATE = 6400
RUN_SECONDS = 4
PATIENCE_SECONDS = 8
"""How long after the last call a run may take to end."""

# The number called says how the call is screened.
WAYS = {
    "none": "100",
    "mod_blacklist": "200",
    "bare": "300",
    "bare async": "500",
    "C": "600",
    "callsieve": "+48221234567",
    "callsieve sync": "400",
}

_HANGUP = '<action application="hangup" data="CALL_REJECTED"/>'

_SYNC_LEG = "sync|${uuid}|inbound|${caller_id_number}|400||||inbound||||||||false|end"

_PUBLIC = f"""\
<include>
  <context name="public">
    <extension name="none"><condition field="destination_number" expression="^100$">
      {_HANGUP}
    </condition></extension>
    <extension name="mod_blacklist">
      <condition field="destination_number" expression="^200$"/>
      <condition field="${{blacklist(check bench ${{caller_id_number}})}}" expression="^true$">
        {_HANGUP}
      </condition>
    </extension>
    <extension name="bare"><condition field="destination_number" expression="^300$">
      <action application="socket" data="$${{bare_service}}"/>
    </condition></extension>
    <extension name="C"><condition field="destination_number" expression="^600$">
      <action application="socket" data="$${{c_service}}"/>
    </condition></extension>
    <extension name="bare_async"><condition field="destination_number" expression="^500$">
      <action application="set" data="socket_resume=true"/>
      <action application="sched_transfer" data="+2 ${{destination_number}} XML public"/>
      <action application="socket" data="$${{bare_service}} async full"/>
      <action application="sched_cancel" data="${{last_sched_id}}"/>
    </condition></extension>
    <extension name="sync"><condition field="destination_number" expression="^400$">
      <action application="set" data="callsieve_leg={_SYNC_LEG}"/>
      <action application="sched_hangup" data="+2 NORMAL_TEMPORARY_FAILURE"/>
      <action application="socket" data="$${{callsieve_service}}"/>
      <action application="sched_cancel"/>
    </condition></extension>
    <X-PRE-PROCESS cmd="include" data="public/*.xml"/>
  </context>
</include>
"""

_BLACKLIST = """\
<configuration name="mod_blacklist.conf"><lists>
  <list name="bench" filename="{file}"/>
</lists></configuration>
"""


class BenchFreeSwitch(FreeSwitch):
    """The tests' FreeSWITCH with a quiet log, no limit on calls, and the ways to screen them."""

    def __init__(self, directory: Path, bare_service: str, c_service: str, blacklist: Path) -> None:
        self._peers = {"bare_service": bare_service, "c_service": c_service}
        self._blacklist = blacklist
        super().__init__(directory, trunk_port=free_port())

    def _write_configuration(self) -> None:
        super()._write_configuration()
        document = self._conf / "freeswitch.xml"
        text = document.read_text("utf-8")
        for old, new in (
            ('value="debug,info,notice,warning,err,crit,alert"', 'value="notice"'),
            ('name="loglevel" value="info"', 'name="loglevel" value="notice"'),
            ('name="loglevel" value="debug"', 'name="loglevel" value="warning"'),
            (
                '"sessions-per-second" value="1000"/>',
                '"sessions-per-second" value="100000"/><param name="max-sessions" value="100000"/>',
            ),
            (
                '<load module="mod_console"/>',
                '<load module="mod_console"/><load module="mod_blacklist"/>',
            ),
            (
                '<param name="context" value="public"/>',
                '<param name="context" value="public"/>'
                '<param name="max-recv-requests-per-second" value="0"/>',
            ),
        ):
            assert old in text, old
            text = text.replace(old, new)
        document.write_text(text, "utf-8")
        (self._conf / "dialplan" / "00_site.xml").write_text(_PUBLIC, "utf-8")
        (self._conf / "autoload_configs" / "blacklist.conf.xml").write_text(
            _BLACKLIST.format(file=self._blacklist), "utf-8"
        )

    def _variables(self) -> dict[str, object]:
        return super()._variables() | self._peers


@contextmanager
def service(command: list[str], log: Path) -> Iterator[str]:
    """A running service: HOST:PORT."""
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                raise SystemExit(f"{command}: {log.read_text('utf-8')[-2000:]}")
            yield line.removeprefix("listening on ").strip()
        finally:
            process.terminate()


class Caller:
    """Calls FreeSWITCH, one call after another or, with SIPp, many."""

    def __init__(self, directory: Path, sip_port: int) -> None:
        self._directory = directory
        self._sip_port = sip_port
        self._callers = directory / "callers.csv"
        numbers = "\n".join(listed(index * 97 % LISTED) for index in range(CALLERS))
        self._callers.write_text(f"SEQUENTIAL\n{numbers}\n", "utf-8")

    def times(self, number: str) -> list[float]:
        """Milliseconds from INVITE to the final response, of 100 calls at 20 a second.

        SIPp's clock counts whole milliseconds, so these calls are made here.
        """
        times = []
        due = time.perf_counter()
        for index in range(CALLS):
            due += 1 / 20
            time.sleep(max(0.0, due - time.perf_counter()))
            with Phone(self._sip_port) as phone:
                outcome = phone.call(number, listed(index * 97 % LISTED))
            if outcome.status != 603:
                raise SystemExit(f"{number}: expected 603, got {outcome.response.start}")
            times.append(outcome.seconds * 1000)
        return times

    def is_clean(self, number: str, rate: int) -> bool:
        """Whether 4 s at that rate pass without failure, retransmission or stray message."""
        return self._call(number, rate, rate * RUN_SECONDS)

    def _call(self, number: str, rate: int, calls: int) -> bool:
        command = ["sipp", f"127.0.0.1:{self._sip_port}", "-sf", str(HERE / "reject.xml")]
        command += ["-inf", str(self._callers), "-s", number, "-i", "127.0.0.1", "-nostdin"]
        command += ["-r", str(rate), "-m", str(calls), "-l", "100000", "-trace_stat", "-fd", "1"]
        command += ["-p", str(free_port())]
        seconds = RUN_SECONDS + PATIENCE_SECONDS
        try:
            subprocess.run(
                command, cwd=self._directory, capture_output=True, check=False, timeout=seconds
            )
            in_time = True
        except subprocess.TimeoutExpired:  # it waits for ever for a call that got no answer
            in_time = False
        (file,) = (path for path in self._directory.glob("reject_*_.csv"))
        with file.open(newline="") as rows:
            *_, last = csv.DictReader(rows, delimiter=";")
        file.unlink()
        wrong = ("FailedCall(C)", "Retransmissions(C)", "OutOfCallMsgs(C)", "DeadCallMsgs(C)")
        return (
            in_time
            and int(last["SuccessfulCall(C)"]) == calls
            and not any(int(last[it]) for it in wrong)
        )


def highest_rates(caller: Caller) -> dict[str, int]:
    """Of every way. They take their tries in turn: the machine is not the same all the time."""
    searches = {way: search() for way in WAYS}
    rates = {way: next(searching) for way, searching in searches.items()}
    found = {}
    while searches:
        for way, searching in list(searches.items()):
            clean = caller.is_clean(WAYS[way], rates[way])
            print(f"{way:16} {rates[way]:8} calls/s {'' if clean else 'not '}clean", flush=True)
            try:
                rates[way] = searching.send(clean)
            except StopIteration as end:
                found[way] = end.value
                del searches[way]
    return found


def search() -> Generator[int, bool, int]:
    """Yields the rates to try, takes whether the try was clean, returns the highest clean rate.

    In steps of 20 calls a second, doubling first.
    """
    good, bad = 0, FIRST_RATE
    while bad <= LAST_RATE and (yield from _holds(bad)):
        good, bad = bad, bad * 2
    while bad - good > STEP:
        middle = (good + bad) // 2 // STEP * STEP
        if (yield from _holds(middle)):
            good = middle
        else:
            bad = middle
    return good


def _holds(rate: int) -> Generator[int, bool, bool]:
    """Two of three tries: one late answer among thousands must not decide."""
    first, second = (yield rate), (yield rate)
    return (first and second) or ((first or second) and (yield rate))


def main() -> None:
    binary = find_freeswitch()
    if binary is None or shutil.which("sipp") is None:
        raise SystemExit(NOT_FOUND if binary is None else "no sipp: apt-get install sip-tester")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-fs-")))
        write_store(directory / "store")
        blacklist = directory / "blacklist.txt"
        blacklist.write_text("\n".join(map(listed, range(LISTED))) + "\n", "utf-8")
        serve = [sys.executable, "-m", "callsieve", "serve", "--listen", "127.0.0.1:0"]
        serve += ["--store", f"csv:{directory / 'store'}", "--metrics", "127.0.0.1:0"]
        asyncio = [sys.executable, str(HERE / "esl_peers.py"), "asyncio"]
        bare = stack.enter_context(service(asyncio, directory / "bare.log"))
        c = stack.enter_context(service([str(BUILD / "esl_epoll")], directory / "c.log"))
        ours = stack.enter_context(service(serve, directory / "callsieve.log"))
        switch = BenchFreeSwitch(directory / "fs", bare, c, blacklist)
        stack.enter_context(switch.running(binary))
        switch.use_service(ours)
        with switch.control() as control:
            assert control.api(f"blacklist check bench {listed(0)}") == "true"
        caller = Caller(directory, switch.sip_port)
        for number in WAYS.values():
            caller.times(number)  # the first calls of a process are slow
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        highest: dict[str, list[int]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, number in WAYS.items():
                times[way].append(statistics.median(caller.times(number)))
                print(f"{way:16} {times[way][-1]:8.2f} ms", flush=True)
        for _ in range((ROUNDS + 1) // 2):
            for way, rate in highest_rates(caller).items():
                highest[way].append(rate)
                print(f"{way:16} {rate:8} calls/s", flush=True)
    print(f"{ROUNDS} rounds", f"load average {os.getloadavg()[0]:.1f}", sep=", ")
    report(
        {way: statistics.median(values) for way, values in times.items()},
        {way: statistics.median(values) for way, values in highest.items()},
    )


def report(times: dict[str, float], highest: dict[str, float]) -> None:
    print(f"{'screened by':16} {'p50 ms':>8} {'highest calls/s':>16}")
    for way in WAYS:
        print(f"{way:16} {times[way]:8.2f} {highest[way]:16.0f}")
    more = times["callsieve"] - times["mod_blacklist"]
    parts = {
        f"{ours}, of {bare}": highest[ours] / max(1, highest[bare])
        for ours, bare in (
            ("callsieve sync", "bare"),
            ("callsieve", "bare async"),
            ("callsieve", "bare"),
        )
    }
    print()
    print(f"{'pass' if more <= 1.5 else 'MISS'}  mod_blacklist plus {more:.2f} ms (target: 1.5)")
    for what, part in parts.items():
        print(f"{'pass' if part >= 0.9 else 'MISS'}  {part:.2f} of the rate: {what} (target: 0.9)")
    print(f"      {highest['callsieve sync'] / max(1, highest['C']):.2f} of the rate: sync, of C")


if __name__ == "__main__":
    main()
