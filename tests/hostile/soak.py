"""`make soak`: legs by the million against a model, while everything around them changes and fails.

Usage: soak.py LEGS

Half of the legs go to a service on a CSV store, half to one on a Redis server. Callers play legs of
every number, some of which they break off. Meanwhile numbers are added and removed, the store is
reloaded, workers are killed and a new version takes over; Redis is killed and started again, or
paused. Checked: every leg that is answered is answered as the model says, no leg goes unanswered
unless a worker was killed while it was in hand, no change that was acknowledged is lost, and memory
and descriptors stay what they were. Exit code 1 if not.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from callsieve.probe import ProbeError, ask
from esl_service.channel_data import ChannelData
from tests.hostile.test_service_under_attack import encoded, faulted_leg
from tests.support.list_model import ListModel
from tests.support.redis_servers import RedisServer, one_server
from tests.support.service import Service, run, running

SAMPLE = Path(__file__).parents[2] / "callsieve" / "sample_store"
OPTIONS = ("--workers", "2", "--decision-time", "60", "--grace", "60")
# What Redis has said that it has done it still has after a kill.
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
CALLERS = 4
NUMBERS = [f"+48602{index:06d}" for index in range(200)]
"""None of them is in the sample store."""
ACKNOWLEDGED_SECONDS = 120.0
"""A command that fails for so long, while Redis comes and goes, fails for another reason."""


class Soak:
    """One service under legs and faults. name: of the half, in what is shown."""

    def __init__(self, name: str, service: Service, redis: RedisServer | None) -> None:
        self._name = name
        self._service = service
        self._redis = redis
        self._model = ListModel()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._begun = 0
        self._wanted = 0
        self._kills = 0  # odd: a worker is being killed
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self, legs: int) -> None:
        """Play so many legs more. Raises what a disturber stumbles over."""
        self._wanted += legs
        self._stop.clear()
        targets = [self._change, self._kill, self._renew]
        if self._redis:
            targets.append(self._interrupt_redis)
        with ThreadPoolExecutor(CALLERS + len(targets)) as threads:
            disturbers = [threads.submit(target) for target in targets]
            callers = [threads.submit(self._call, seed) for seed in range(CALLERS)]
            try:
                for caller in callers:
                    caller.result()
            finally:
                self._stop.set()
            for disturber in disturbers:
                disturber.result()
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)

    def check_store(self) -> None:
        """That the store has what was acknowledged, and a whole log of it."""
        shown = self._service.command("list", "show", "Default", "--json")
        listed = {entry["number"] for entry in json.loads(shown.stdout)["entries"]}
        if different := self._model.listed ^ listed.intersection(NUMBERS):
            self.wrong.append(f"the store is not as the model: {sorted(different)}")
        verified = self._service.command("log", "verify")
        if verified.returncode:
            self.wrong.append(f"log verify: {verified.stdout}{verified.stderr}")

    # Legs

    def _take(self) -> int | None:
        with self._lock:
            if self._begun >= self._wanted or self._stop.is_set():
                return None
            self._begun += 1
            return self._begun

    def _call(self, seed: int) -> None:
        rng = random.Random(seed)
        block = encoded()
        while (leg := self._take()) is not None:
            if rng.random() < 0.2:
                kills = self._kills
                try:
                    faulted_leg(self._service, rng, block)
                    self._count("broken off")
                except OSError as error:
                    self._unanswered(kills, str(error))
            else:
                self._check(rng.choice(NUMBERS))
            if sys.stderr.isatty() and leg % 1000 == 0:
                rate = leg / (time.monotonic() - self._started)
                print(f"\r{self._name}: {leg:9} legs, {rate:.0f} a second", end="", file=sys.stderr)

    def _check(self, number: str) -> None:
        # Its flow does not park: it may be answered late, when its worker was replaced meanwhile.
        leg = ChannelData(flow="outbound", called_number=number, campaign="Soak")
        before, kills = self._model.snapshot(number), self._kills
        try:
            decision = ask(self._service.address, leg, 60.0).decision
        except ProbeError as error:
            self._unanswered(kills, str(error))
            return
        after = self._model.snapshot(number)
        action = decision["action"]
        if before != after or before.is_changing:
            self._count(f"{action}, while the number was changed")
        elif action == ("skip" if before.is_listed else "continue"):
            self._count(str(action))
        else:
            self.wrong.append(f"{number}: {decision}, the model has {before}")

    def _unanswered(self, kills: int, error: str) -> None:
        if self._kills == kills and kills % 2 == 0:
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
                self._command("add" if listed else "remove", "Default", number)
            self._count("changes")
            if rng.random() < 0.05:
                self._command("reload")
                self._count("reloads")

    def _command(self, *arguments: str) -> None:
        """Until it is acknowledged. A try that Redis did not answer may have changed the list."""
        deadline = time.monotonic() + ACKNOWLEDGED_SECONDS
        done = self._service.command(*arguments)
        good = {0}
        while done.returncode not in good:
            if self._redis is None or time.monotonic() > deadline:
                raise AssertionError(f"{arguments}: {done.returncode}: {done.stderr}")
            self._count("commands tried again")
            good = {0, 1}  # 1: there was nothing left to do
            done = self._service.command(*arguments)

    def _kill(self) -> None:
        """Workers; and what runs beside them, such as the process that follows Redis."""
        rng = random.Random("kill")
        while not self._stop.wait(rng.uniform(0.5, 3)):
            self._kills += 1
            try:
                if processes := self._service.workers():
                    kill(rng.choice(processes))
                    self._count("kills")
            except ProcessLookupError:
                self._count("gone before they were killed")
            finally:
                self._kills += 1

    def _renew(self) -> None:
        while not self._stop.wait(7):
            self._service.process.send_signal(signal.SIGHUP)
            self._count("new versions")

    def _interrupt_redis(self) -> None:
        assert self._redis
        rng = random.Random("redis")
        while not self._stop.wait(rng.uniform(1, 3)):
            if rng.random() < 0.7:
                self._redis.kill()
                self._stop.wait(rng.uniform(0, 2))
                self._redis.start()
                self._count("Redis restarts")
            else:
                self._redis.pause()
                self._stop.wait(rng.choice((0.1, 0.3, 1, 6)))  # nobody waits 6 s for an answer
                self._redis.resume()
                self._count("Redis pauses")


def kill(pid: int) -> None:
    """Returns when it has ended: until then it may take a leg, and lose it."""
    process = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        assert select.select([process], [], [], ACKNOWLEDGED_SECONDS)[0], f"{pid} does not end"
    finally:
        os.close(process)


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


def soak(name: str, service: Service, legs: int, redis: RedisServer | None = None) -> list[str]:
    """Soak a service, stop it and print how it was; what went wrong."""
    started = time.monotonic()
    soaked = Soak(name, service, redis)
    soaked.run(max(1, legs // 10))
    megabytes, descriptors = footprint(service)
    soaked.run(legs - max(1, legs // 10))
    megabytes_after, descriptors_after = footprint(service)
    rate = legs / (time.monotonic() - started)
    soaked.check_store()
    exit_code = service.stop()
    wrong = soaked.wrong
    if megabytes_after > megabytes + 8:
        wrong.append("memory grows")
    if descriptors_after > descriptors + 8:
        wrong.append(f"descriptors grow: {descriptors}, then {descriptors_after}")
    log = service.log.read_text("utf-8")
    if stalled := log.count('"event":"worker_stalled"'):
        wrong.insert(0, f"{stalled} workers stalled and were replaced: legs that they had are lost")
    if exit_code:
        wrong.insert(0, f"the service ended with {exit_code}: {log[-2000:]}")
    print(f"{name}: {legs} legs, {rate:.0f} a second")
    for what, count in sorted(soaked.counts.items()):
        print(f"{count:9} {what}")
    print(f"{megabytes:9.1f} MB after a tenth, {megabytes_after:.1f} MB at the end", flush=True)
    return [f"{name}: {line}" for line in wrong]


def new_store(directory: Path) -> Path:
    """The sample store, and a campaign that the legs are of."""
    store = directory / "store"
    shutil.copytree(SAMPLE, store)
    with (store / "callsieve.toml").open("a", encoding="utf-8") as rules:
        rules.write('\n[campaign.Soak]\nlists = ["Default"]\n')
    return store


def soak_csv(directory: Path, legs: int) -> list[str]:
    with running(new_store(directory), *OPTIONS) as service:
        return soak("CSV store", service, legs)


def soak_redis(directory: Path, legs: int) -> list[str]:
    store = new_store(directory)
    node = {"CALLSIEVE_NODE_DIRECTORY": str(directory / "node")}
    with one_server(directory / "redis", *DURABLE) as redis:
        copied = run("store", "copy", f"csv:{store}", redis.url(), **node)
        assert copied.returncode == 0, copied.stderr
        with running(store, *OPTIONS, url=redis.url(), **node) as service:
            return soak("Redis store", service, legs, redis)


def main() -> int:
    legs = int(sys.argv[1])
    wrong = []
    for half, share in ((soak_csv, legs - legs // 2), (soak_redis, legs // 2)):
        with tempfile.TemporaryDirectory(prefix="soak-") as directory:
            wrong += half(Path(directory), share)
    for line in wrong[:20]:
        print(f"WRONG  {line}")
    print(f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
