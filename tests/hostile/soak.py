"""`make soak`: legs by the million against a model, while everything around them changes and fails.

Usage: soak.py LEGS

Callers play legs of every number, some of which they break off. Meanwhile numbers are added and
removed, the store is reloaded, workers are killed and a new version takes over. Checked: every leg
that is answered is answered as the model says, no leg goes unanswered unless a worker was killed
while it was in hand, and memory and descriptors stay what they were. Exit code 1 if not.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from callsieve.probe import ProbeError, ask
from esl_service.channel_data import ChannelData
from tests.hostile.test_service_under_attack import encoded, faulted_leg
from tests.support.service import Service, running

SAMPLE = Path(__file__).parents[2] / "callsieve" / "sample_store"
CALLERS = 4
NUMBERS = [f"+48602{index:06d}" for index in range(200)]
"""None of them is in the sample store."""


class Model:
    """Which numbers are on the list Default. While one is being changed, either answer is right."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listed: set[str] = set()
        self._versions: Counter[str] = Counter()  # odd: being changed

    def snapshot(self, number: str) -> tuple[int, bool]:
        with self._lock:
            return self._versions[number], number in self._listed

    @contextmanager
    def changing(self, number: str) -> Iterator[bool]:
        """Yields whether it is to be listed from now on."""
        with self._lock:
            self._versions[number] += 1
            listed = number not in self._listed
        yield listed
        with self._lock:
            (self._listed.add if listed else self._listed.discard)(number)
            self._versions[number] += 1


class Soak:
    def __init__(self, service: Service, legs: int) -> None:
        self._service = service
        self._legs = legs
        self._model = Model()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._begun = 0
        self.kills = 0
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        disturbers = [
            threading.Thread(target=target) for target in (self._change, self._kill, self._renew)
        ]
        callers = [threading.Thread(target=self._call, args=(seed,)) for seed in range(CALLERS)]
        for thread in (*disturbers, *callers):
            thread.start()
        for thread in callers:
            thread.join()
        self._stop.set()
        for thread in disturbers:
            thread.join()

    def _take(self) -> int | None:
        with self._lock:
            if self._begun >= self._legs:
                return None
            self._begun += 1
            return self._begun

    def _call(self, seed: int) -> None:
        rng = random.Random(seed)
        block = encoded()
        started = time.monotonic()
        while (leg := self._take()) is not None:
            if rng.random() < 0.2:
                kills = self.kills
                try:
                    faulted_leg(self._service, rng, block)
                    self._count("broken off")
                except OSError as error:
                    self._unanswered(kills, str(error))
            else:
                self._check(rng.choice(NUMBERS))
            if sys.stderr.isatty() and leg % 1000 == 0:
                rate = leg / (time.monotonic() - started)
                print(f"\r{leg:9} legs, {rate:.0f} a second", end="", file=sys.stderr)

    def _check(self, number: str) -> None:
        # Its flow does not park: it may be answered late, when its worker was replaced meanwhile.
        leg = ChannelData(flow="outbound", called_number=number, campaign="Soak")
        before, kills = self._model.snapshot(number), self.kills
        try:
            decision = ask(self._service.address, leg, 60.0).decision
        except ProbeError as error:
            self._unanswered(kills, str(error))
            return
        after = self._model.snapshot(number)
        action = decision["action"]
        if before != after or before[0] % 2:
            self._count(f"{action}, while the number was changed")
        elif action == ("skip" if before[1] else "continue"):
            self._count(str(action))
        else:
            self.wrong.append(f"{number}: {decision}, the model has {before}")

    def _unanswered(self, kills: int, error: str) -> None:
        if self.kills == kills:
            self.wrong.append(f"not answered though nobody was killed: {error}")
        else:
            self._count("not answered, its worker was killed")

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    # What happens meanwhile

    def _change(self) -> None:
        rng = random.Random("change")
        while not self._stop.wait(0.02):
            number = rng.choice(NUMBERS)
            with self._model.changing(number) as listed:
                done = self._service.command("add" if listed else "remove", "Default", number)
            if done.returncode:
                self.wrong.append(f"{number} not changed: {done.stderr}")
            self._count("changes")
            if rng.random() < 0.05:
                self._service.command("reload")
                self._count("reloads")

    def _kill(self) -> None:
        rng = random.Random("kill")
        while not self._stop.wait(rng.uniform(0.5, 3)):
            self.kills += 1  # before and after: a leg may begin or end in between
            with self._lock:
                workers = self._service.workers()
            if workers:
                try:
                    os.kill(rng.choice(workers), signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.kills += 1
            self._count("kills")

    def _renew(self) -> None:
        while not self._stop.wait(7):
            self._service.process.send_signal(signal.SIGHUP)
            self._count("new versions")


def resident_megabytes(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except FileNotFoundError:
        return 0.0
    resident = status.partition("VmRSS:")[2].split()
    return int(resident[0]) / 1024 if resident else 0.0  # it is being buried


def footprint(service: Service) -> tuple[float, int]:
    """Megabytes of the largest process, and the descriptors of the supervisor."""
    pids = [service.process.pid, *service.workers()]
    descriptors = len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))
    return max(map(resident_megabytes, pids)), descriptors


def main() -> int:
    legs = int(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        store = Path(directory) / "store"
        shutil.copytree(SAMPLE, store)
        with (store / "callsieve.toml").open("a", encoding="utf-8") as rules:
            rules.write('\n[campaign.Soak]\nlists = ["Default"]\n')
        options = ("--workers", "2", "--decision-time", "60", "--grace", "60")
        with running(store, *options) as service:
            first = Soak(service, max(1, legs // 10))
            first.run()
            megabytes, descriptors = footprint(service)
            rest = Soak(service, legs - legs // 10)
            rest._model = first._model
            rest.run()
            megabytes_after, descriptors_after = footprint(service)
            exit_code = service.stop()
            log = service.log.read_text("utf-8")
    wrong = [*first.wrong, *rest.wrong]
    for what, count in sorted((first.counts + rest.counts).items()):
        print(f"{count:9} {what}")
    print(f"{megabytes:.1f} MB after a tenth, {megabytes_after:.1f} MB at the end")
    if megabytes_after > megabytes + 8:
        wrong.append("memory grows")
    if descriptors_after > descriptors + 8:
        wrong.append(f"descriptors grow: {descriptors}, then {descriptors_after}")
    if exit_code:
        wrong.insert(0, f"the service ended with {exit_code}: {log[-2000:]}")
    for line in wrong[:20]:
        print(f"WRONG  {line}")
    print(f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
