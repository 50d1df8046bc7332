"""Stop to block: from the return of `callsieve add` until a leg of the number is refused.

    python -m bench.live_changes [--numbers 1000000] [--changes 100]

A service with two workers answers legs of four callers all the time. After each `callsieve add`, so
many legs of the new number are asked as reach every worker; one that is not refused is counted.
Beside it: how long the command took, and `callsieve reload LIST`, which reads all of the list anew.
Exit code: 0 the target is reached; 1 it is not.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path

from callsieve.probe import ProbeError, ask
from esl_service.channel_data import ChannelData
from tests.support.service import Service, running

TARGET_MILLISECONDS = 10.0
CALLED = "+48221234567"
LEGS = 8  # two workers take turns; so many reach both


def leg(number: str) -> ChannelData:
    return ChannelData(flow="inbound", caller_number=number, called_number=CALLED, from_user=number)


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="callsieve-bench-") as directory:
        store = Path(directory) / "store"
        (store / "lists").mkdir(parents=True)
        with (store / "lists" / "Default.csv").open("w") as file:
            file.write("number,date,description,expires\n")
            file.writelines(f"+48{500_000_000 + i},,,\n" for i in range(options.numbers))
        (store / "callsieve.toml").write_text(
            'default_region = "PL"\n[[forwarding]]\nlist = "Default"\naction = "hangup"\n'
        )
        with running(store, "--workers", "2") as service:
            return measure(service, options.changes)


def measure(service: Service, changes: int) -> int:
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            # On a machine that is too busy a leg comes too late for its answer.
            with suppress(ProbeError):
                ask(service.address, leg("+48221110000"), 10.0)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    commands, blocked, late = [], [], 0
    try:
        for number in (f"+4822{3_000_000 + i}" for i in range(changes)):
            started = time.perf_counter()
            added = service.command("add", "Default", number)
            returned = time.perf_counter()
            assert added.returncode == 0, added.stderr
            actions = [ask(service.address, leg(number), 10.0).decision["action"]]
            blocked.append((time.perf_counter() - returned) * 1000)
            actions += [
                ask(service.address, leg(number), 10.0).decision["action"] for _ in range(LEGS - 1)
            ]
            late += sum(action != "hangup" for action in actions)
            commands.append(returned - started)
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "callsieve", "reload", "Default", "--store", service.url],
            check=True,
            capture_output=True,
        )
        reload = time.perf_counter() - started
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    p50 = statistics.median(blocked)
    p99 = statistics.quantiles(blocked, n=100)[98]
    reached = late == 0 and p99 < TARGET_MILLISECONDS
    print(
        f"from the command's return to a refused leg: p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        f" (target < {TARGET_MILLISECONDS:g}), answers that came too early: {late}:"
        f" {'pass' if reached else 'MISS'}"
    )
    command = statistics.median(commands)
    print(
        f"callsieve add, median {command:.2f} s; callsieve reload Default {reload:.2f} s:"
        f" {command / reload:.2f} of it"
    )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
