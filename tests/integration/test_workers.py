"""The supervisor: workers that die, stall and are replaced, a new version, systemd's protocols."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callsieve.probe import ProbeError, ask
from esl_service.channel_data import ChannelData, write_leg
from esl_service.conversation import OPENING
from esl_service.switch_side import DISCONNECT, SwitchSide
from tests.support.callers import calling
from tests.support.patience import PATIENCE_SECONDS
from tests.support.service import CALLSIEVE, Service, run, running, serving

SAMPLE = Path(__file__).parent.parent.parent / "callsieve" / "sample_store"
LEG = ChannelData(
    uuid="leg-1", flow="outbound", called_number="+48604555666", campaign="Spring sale"
)
"""It is skipped. It is synchronous, so that it may be answered late."""
INBOUND = ChannelData(caller_number="+48600100200", called_number="+48221234567", flow="inbound")
"""It is hung up on."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "store"))


def action(address: tuple[str, int], leg: ChannelData = LEG) -> str:
    return str(ask(address, leg, PATIENCE_SECONDS).decision["action"])


class Leg:
    """A leg in hand: connected, its description held back until `finish`."""

    def __init__(self, address: tuple[str, int], connection: socket.socket | None = None) -> None:
        self.connection = connection or socket.create_connection(address, timeout=PATIENCE_SECONDS)
        self._switch = SwitchSide({}, asynchronous=False, line=write_leg(LEG, asynchronous=False))
        opening = self.connection.recv(100)
        assert opening == OPENING, opening
        self._description = self._switch.receive(opening)

    def describe(self) -> None:
        self.connection.sendall(self._description)
        self._description = b""

    def finish(self) -> str | None:
        """Describe it and read the answer to its end; the action."""
        with self.connection:
            self.describe()
            while not self._switch.answer.final:
                data = self.connection.recv(65536)
                assert data, "closed without an answer"
                self._switch.receive(data)
            self.connection.sendall(DISCONNECT)
        return self._switch.answer.variables.get("callsieve_action")


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        os.sched_yield()


def test_a_worker_that_dies_is_replaced_and_the_others_keep_their_legs(store: Path) -> None:
    with running(store, "--workers", "2", "--decision-time", "30") as service:
        victim, other = service.workers()
        with frozen(other):
            lost = [Leg(service.address) for _ in range(10)]
        with frozen(victim):
            kept = [Leg(service.address) for _ in range(10)]
        os.kill(victim, signal.SIGKILL)
        (died,) = service.wait_logged("worker_died")
        assert (died["pid"], died["exit_code"]) == (victim, -signal.SIGKILL)
        service.wait_logged("worker_started", 3)
        assert [leg.finish() for leg in kept] == ["skip"] * 10
        for leg in lost:  # the dialplan's fail policy takes over
            with pytest.raises((AssertionError, OSError)):
                leg.finish()
        assert [action(service.address) for _ in range(20)] == ["skip"] * 20
        assert service.stop() == 0


def test_connections_wait_while_the_only_worker_is_replaced(store: Path) -> None:
    with running(store, "--decision-time", "30") as service:
        for kills in range(1, 4):
            os.kill(service.workers()[0], signal.SIGKILL)
            service.wait_logged("worker_died", kills)
            assert action(service.address) == "skip"


def test_a_worker_that_stalls_is_replaced(store: Path) -> None:
    with running(store, "--stall", "2", "--decision-time", "30") as service:
        (worker,) = service.workers()
        os.kill(worker, signal.SIGSTOP)
        (stalled,) = service.wait_logged("worker_stalled")
        assert stalled["pid"] == worker
        assert action(service.address) == "skip"


def test_a_new_version_takes_over_without_a_leg_refused_or_lost(store: Path) -> None:
    options = ("--workers", "2", "--decision-time", "30")
    with running(store, *options) as service, calling(service.address, LEG) as actions:
        for times in range(1, 3):
            before = set(service.workers())
            in_hand = Leg(service.address)
            service.process.send_signal(signal.SIGHUP)
            service.wait_logged("took_over", times)
            seen = len(actions)
            wait_until(lambda seen=seen: len(actions) > seen + 20)  # type: ignore[misc]
            assert in_hand.finish() == "skip"
            wait_until(lambda before=before: not before & set(service.workers()))  # type: ignore[misc]
        assert len(service.workers()) == 2
    assert set(actions) == {"skip"}


def test_a_new_version_that_finds_no_worker_alive_starts_its_own(store: Path) -> None:
    """And does not give up when the first of them dies, too."""
    with running(store, "--decision-time", "30") as service:
        (worker,) = service.workers()
        os.kill(worker, signal.SIGSTOP)
        service.process.send_signal(signal.SIGHUP)
        service.wait_logged("handing_over")
        os.kill(worker, signal.SIGKILL)
        service.wait_logged("worker_started", 2)
        wait_until(lambda: len(set(service.workers()) - {worker}) == 1)
        (fresh,) = set(service.workers()) - {worker}
        os.kill(fresh, signal.SIGKILL)
        assert action(service.address) == "skip"


BREAKS = "import os, sys\nif {where!r} in sys.orig_argv:\n    os._exit(7)\n"


@pytest.mark.parametrize("where", ["--help", "callsieve.worker"])
def test_a_version_that_does_not_start_does_not_take_over(
    store: Path, tmp_path: Path, where: str
) -> None:
    """Broken from the start, or only where the workers begin: the old one goes on."""
    broken = tmp_path / "site" / "sitecustomize.py"
    broken.parent.mkdir()
    with running(store, "--decision-time", "30", PYTHONPATH=str(broken.parent)) as service:
        before = service.workers()
        broken.write_text(BREAKS.format(where=where), "utf-8")
        service.process.send_signal(signal.SIGHUP)
        service.wait_logged("not_taken_over")
        wait_until(lambda: service.workers() == before)
        assert action(service.address) == "skip"
        broken.unlink()
        service.process.send_signal(signal.SIGHUP)
        service.wait_logged("took_over")
        assert action(service.address) == "skip"
        wait_until(lambda: not set(before) & set(service.workers()))
        assert service.stop() == 0


def test_a_worker_that_does_not_start_ends_the_command(store: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKS.format(where="callsieve.worker"), "utf-8")
    ended = subprocess.run(
        [*CALLSIEVE, "serve", "--store", f"csv:{store}", "--listen", "127.0.0.1:0"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    (died,) = (
        entry
        for entry in map(json.loads, ended.stderr.splitlines())
        if entry["event"] == "worker_died"
    )
    assert died["exit_code"] == 7
    assert ended.stdout == ""


def test_legs_in_hand_have_the_grace_time(store: Path) -> None:
    with running(store, "--grace", "0.2") as service:
        leg = Leg(service.address)
        started = time.monotonic()
        assert service.stop() == 3
        assert time.monotonic() - started >= 0.2
        with leg.connection as connection:
            assert connection.recv(100) == b""
        (stopped,) = (entry for entry in service.logged() if entry["event"] == "stopped")
        assert stopped["in_hand"] == 1


def test_workers_end_with_their_supervisor(store: Path) -> None:
    with running(store, "--workers", "2") as service:
        workers = service.workers()
        service.process.kill()
        service.process.wait()
        wait_until(lambda: not any(map(is_running, workers)))


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


# systemd


HAND_OVER = """
import os, sys
if sys.argv[1] != "3":
    os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def handed_over(store: Path, *options: str, **environment: str) -> Iterator[Service]:
    """A service that systemd hands a socket, as sd_listen_fds(3) has it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-c", HAND_OVER, str(listening.fileno())]
        command += [*CALLSIEVE, "serve", "--store", f"csv:{store}", *options]
        with serving(command, store, environment, [listening.fileno()]) as service:
            assert service.address == listening.getsockname()
            listening.close()  # the service has it
            yield service


def test_systemd_hands_the_socket_over_and_is_told(store: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_SECONDS)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with handed_over(store, **environment) as service:

            def wait_told(words: bytes) -> None:
                while not systemd.recv(4096).startswith(words):
                    pass

            wait_told(b"READY=1")
            assert action(service.address) == "skip"
            wait_told(b"WATCHDOG=1\nSTATUS=1 workers answer legs")
            service.process.send_signal(signal.SIGHUP)
            wait_told(b"RELOADING=1\nMONOTONIC_USEC=")
            wait_told(b"READY=1")
            assert action(service.address) == "skip"
            wait_told(b"WATCHDOG=1")
            service.process.send_signal(signal.SIGTERM)
            wait_told(b"STOPPING=1")
            assert service.process.wait(PATIENCE_SECONDS) == 0


UNITS = Path(__file__).parents[2] / "systemd"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = tmp_path / "units"
    shutil.copytree(UNITS, units)
    service = units / "callsieve.service"
    text = service.read_text("utf-8").replace("/opt/callsieve/bin/callsieve", sys.executable)
    service.write_text(text, "utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(units / "callsieve.socket"), str(service)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"},
    )
    assert (checked.returncode, checked.stderr) == (0, "")


# As a container's only process


def test_the_first_process_of_a_container_buries_orphans_and_obeys(store: Path) -> None:
    new_world = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        new_world += ["--user", "--map-root-user"]
    possible = subprocess.run([*new_world, "true"], capture_output=True, check=False)
    if possible.returncode:
        pytest.skip(f"no PID namespace can be had here: {possible.stderr.decode()}")
    serve = [*CALLSIEVE, "serve", "--store", f"csv:{store}", "--listen", "127.0.0.1:0"]
    with serving([*new_world, *serve], store) as outside:
        assert action(outside.address) == "skip"
        children = Path(f"/proc/{outside.process.pid}/task/{outside.process.pid}/children")
        inside = int(children.read_text("ascii"))
        orphan = ["nsenter", "-t", str(inside), "-p", "-m", "sh", "-c", "(exec true) & exit 0"]
        subprocess.run(orphan, check=os.geteuid() == 0)
        os.kill(inside, signal.SIGTERM)
        assert outside.process.wait(PATIENCE_SECONDS) == 0


# Bounds and overload


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_elsewhere_than_on_loopback_an_allow_list_is_required(store: Path, address: str) -> None:
    refused = run("serve", "--listen", address, store=store)
    assert refused.returncode == 2
    assert "expected --allow" in refused.stderr


def test_an_allow_list_must_be_addresses(store: Path) -> None:
    refused = run("serve", "--allow", "example.com", "--listen", "127.0.0.1:0", store=store)
    assert refused.returncode == 2
    assert "--allow: 'example.com' does not appear to be an IPv4 or IPv6 network" in refused.stderr


def test_who_is_not_allowed_is_not_answered(store: Path) -> None:
    with running(store, "--allow", "192.0.2.0/24", "--allow", "127.0.0.2") as service:
        with socket.create_connection(service.address, timeout=PATIENCE_SECONDS) as connection:
            assert connection.recv(100) == b""
        service.wait_logged("not_allowed")
        with socket.create_connection(
            service.address, timeout=PATIENCE_SECONDS, source_address=("127.0.0.2", 0)
        ) as connection:
            assert connection.recv(100) == OPENING


def test_more_connections_than_allowed_are_closed_at_once(store: Path) -> None:
    with running(store, "--max-connections", "2") as service:
        legs = [Leg(service.address) for _ in range(2)]
        with socket.create_connection(service.address, timeout=PATIENCE_SECONDS) as third:
            assert third.recv(100) == b""
        service.wait_logged("too_many_connections")
        assert [leg.finish() for leg in legs] == ["skip"] * 2
        wait_until(lambda: answers(service.address))


def answers(address: tuple[str, int]) -> bool:
    try:
        return action(address) == "skip"
    except ProbeError:
        return False


@pytest.mark.parametrize(
    ("leg", "policy"),
    [
        (INBOUND, "continue"),
        (ChannelData(flow="outbound", called_number="+48601000111"), "skip"),
        (ChannelData(flow="callback", called_number="+48601000111", queue="Infoline"), "skip"),
    ],
)
def test_beyond_the_legs_it_may_have_each_gets_its_flows_policy_at_once(
    store: Path, leg: ChannelData, policy: str
) -> None:
    with running(store, "--max-legs", "2") as service:
        waiting = [Leg(service.address) for _ in range(2)]
        decision = ask(service.address, leg, 10.0).decision
        assert decision["action"] == policy
        assert str(decision["reason"]).startswith("more than 2 legs wait; ")
        assert [held.finish() for held in waiting] == ["skip"] * 2
        assert action(service.address) == "skip"


def test_a_leg_that_waited_too_long_gets_its_flows_policy(store: Path) -> None:
    """The worker freezes with the leg's description, or with its connection, before it."""
    with running(store, "--decision-time", "0.01") as service:
        (worker,) = service.workers()
        leg = Leg(service.address)
        with frozen(worker):
            leg.describe()
        with frozen(worker):
            queued = socket.create_connection(service.address, timeout=PATIENCE_SECONDS)
        assert [leg.finish(), Leg(service.address, queued).finish()] == ["skip", "skip"]
        assert action(service.address) == "skip"
        for decided in service.wait_logged("decided", 3)[:2]:
            assert decided["reason"] == "no decision within 0.01 s; outbound fails closed"


@contextmanager
def frozen(worker: int) -> Iterator[None]:
    """What is done meanwhile waits for the worker for a while."""
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
        started = time.monotonic()
        wait_until(lambda: time.monotonic() - started > 0.05)
    finally:
        os.kill(worker, signal.SIGCONT)
