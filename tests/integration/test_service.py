"""The service as its users run it: a process, real sockets, the command line beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from callsieve.demo import LEGS
from callsieve.probe import ask
from callsieve.stores import Place
from esl_service.channel_data import ChannelData, write_channel_data
from esl_service.conversation import CONNECT
from esl_service.switch_side import DISCONNECT, SwitchSide
from loader.csv_store import CsvStore
from loader.store import Entry, rules_version
from tests.support.callers import calling
from tests.support.patience import PATIENCE_SECONDS
from tests.support.service import Service, run, running

SAMPLE = Path(__file__).parent.parent.parent / "callsieve" / "sample_store"
HOTLINE = "+48221234567"
OPEN_LEG = ChannelData(
    flow="inbound", caller_number="+48601000111", called_number=HOTLINE, from_user="+48601000111"
)


def sample_service(directory: Path) -> AbstractContextManager[Service]:
    store = directory / "store"
    shutil.copytree(SAMPLE, store)
    return running(store, "--block-time", "30")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service for this test alone, which may change or stop it."""
    with sample_service(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that no test changes."""
    with sample_service(tmp_path_factory.mktemp("shared")) as started:
        yield started


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def test_an_added_number_is_refused_from_the_next_leg_on(service: Service) -> None:
    leg = ("--flow", "inbound", "--caller", "+48600999888", "--called", HOTLINE)
    assert service.probe(*leg)["action"] == "continue"
    added = service.command("add", "Default", "600 999 888", "--description", "asked not to")
    assert added.returncode == 0, added.stderr
    decision = service.probe(*leg)
    assert decision["microseconds"] > 0
    del decision["microseconds"]
    assert decision == {
        "action": "hangup",
        "list": "Default",
        "entry": "+48600999888",
        "number": "+48600999888",
        "read_as": "international number",
        "rule": "forwarding[1]",
        "status": None,
        "cause": "CALL_REJECTED",
        "response": None,
        "call_info": None,
        "redirect": None,
        "presentation_number": None,
        "generation": 2,
        "rules_version": rules_version(service.store.joinpath("callsieve.toml").read_text()),
        "marked": None,
        "reason": "the caller number is on the list Default",
    }
    assert service.command("remove", "Default", "+48600999888").returncode == 0
    assert service.probe(*leg)["action"] == "continue"


def test_decide_and_the_service_say_the_same(shared: Service) -> None:
    for leg in LEGS:
        if leg.action == "present":
            continue  # drawn by chance
        served = dict(ask(shared.address, leg.channel, PATIENCE_SECONDS).decision)
        names = ("flow", "campaign", "queue", "widget", "route")
        options = [f"--{name}={value}" for name in names if (value := getattr(leg.channel, name))]
        options += [
            f"--caller={leg.channel.caller_number}",
            f"--called={leg.channel.called_number}",
        ]
        options += [f"--from-user={leg.channel.from_user}"]
        options += ["--privacy"] if leg.channel.privacy else []
        assert json_of(shared.command("decide", *options, "--json")) == served


def json_of(completed: CompletedProcess[str]) -> Any:
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)


def test_legs_are_decided_while_the_store_is_reloaded(service: Service) -> None:
    """No leg is lost or undecided, whatever is published meanwhile."""
    with calling(service.address, OPEN_LEG) as actions:
        for at in range(3):
            with (service.store / "lists" / "Default.csv").open("a") as file:
                file.write(f"+4851100000{at}\n")
            assert ", unchanged" in service.command("reload", "VIP").stdout
            assert service.command("reload").returncode == 0
    assert len(actions) > 20
    assert set(actions) == {"continue"}


def test_a_bad_rules_file_never_replaces_a_good_one(service: Service) -> None:
    leg = ("--caller", "+48600100200", "--called", HOTLINE)
    rules = service.store / "callsieve.toml"
    rules.write_text(rules.read_text("utf-8").replace('"Default"', '"Defualt"', 1), "utf-8")
    refused = service.command("reload")
    assert refused.returncode != 0
    assert "forwarding[1].list: expected the name of a list" in refused.stdout + refused.stderr
    assert service.probe(*leg)["action"] == "hangup"
    assert service.stop() == 0
    with running(service.store) as again:
        assert again.probe(*leg)["action"] == "hangup"


def test_a_missing_store_is_made_and_its_default_list_is_in_force(tmp_path: Path) -> None:
    store = tmp_path / "new" / "store"
    store.parent.mkdir()
    with running(store, "--region", "none") as service:
        assert (store / "lists" / "Default.csv").exists()
        assert "# " in (store / "callsieve.toml").read_text("utf-8")
        assert service.probe("--caller", "+48600100200")["action"] == "continue"
        assert service.command("add", "Default", "+48600100200").returncode == 0
        decision = service.probe("--caller", "+48600100200")
        assert (decision["action"], decision["entry"]) == ("hangup", "+48600100200")
        assert (decision["list"], decision["generation"]) == ("Default", 2)


def test_sigterm_stops_after_the_legs_in_hand(service: Service) -> None:
    switch = SwitchSide(write_channel_data(OPEN_LEG), asynchronous=False)
    with service.unprepared_leg() as connection:
        data = switch.receive(CONNECT)
        connection.sendall(data[:100])
        service.process.send_signal(signal.SIGTERM)
        wait_until_refused(service)
        assert service.process.poll() is None
        connection.sendall(data[100:])
        while not switch.answer.final:
            switch.receive(connection.recv(65536))
        assert switch.answer.variables["callsieve_action"] == "continue"
        connection.sendall(DISCONNECT)
    assert service.process.wait(PATIENCE_SECONDS) == 0


def test_a_second_sigterm_stops_at_once(service: Service) -> None:
    with service.unprepared_leg() as connection:
        service.process.send_signal(signal.SIGTERM)
        wait_until_refused(service)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(PATIENCE_SECONDS) == 3
        assert read_to_end(connection) == b""


def wait_until_refused(service: Service) -> None:
    """The listening socket is closed some moments after the signal was sent."""
    for _ in range(10_000):
        try:
            socket.create_connection(service.address, timeout=PATIENCE_SECONDS).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it was closed while this connection waited to be accepted
    raise AssertionError("still accepting")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n\n",
        b"\xff" * 300_000,
        b"a:\n" * 100_000,
        b"Content-Length: 99999999999\n\n",
        b"Content-Type: auth/request\n\n",
        b"",
    ],
)
def test_hostile_peers_cost_only_themselves(shared: Service, data: bytes) -> None:
    # It may close before we have sent everything.
    with shared.unprepared_leg() as connection, suppress(OSError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection) == b""
    assert ask(shared.address, OPEN_LEG, PATIENCE_SECONDS).decision["action"] == "continue"
    assert shared.process.poll() is None


def test_a_leg_cancelled_before_its_description_leaves_nothing_behind(service: Service) -> None:
    for _ in range(50):
        with service.unprepared_leg() as connection:
            connection.sendall(DISCONNECT)
            assert read_to_end(connection) == b""
    assert service.stop() == 0
    (stopped,) = (entry for entry in service.logged() if entry["event"] == "stopped")
    assert stopped["legs"] == {"leg_gone": 50}


def test_an_unknown_flow_is_left_to_the_dialplan(shared: Service) -> None:
    """No answer is what the dialplan's own fail policy is for; the log says why."""
    headers = write_channel_data(OPEN_LEG) | {"variable_callsieve_flow": "outbuond"}
    switch = SwitchSide(headers, asynchronous=False)
    with shared.unprepared_leg() as connection:
        connection.sendall(switch.receive(CONNECT))
        assert read_to_end(connection) == b""
    (entry,) = shared.wait_logged("unanswerable")
    assert entry["error"].startswith("callsieve_flow: expected one of inbound, outbound,")
    assert entry["error"].endswith("got 'outbuond'")


def test_a_forged_header_in_the_display_name_is_screened_under_the_true_number(
    shared: Service,
) -> None:
    caller = "+48600100200"
    headers = write_channel_data(OPEN_LEG) | {
        "Caller-Caller-ID-Name": "x%0ACaller-Caller-ID-Number: +48999999999",
        "Caller-Caller-ID-Number": caller,
        "variable_sip_from_user": caller,
    }
    switch = SwitchSide(headers, asynchronous=True)
    with shared.unprepared_leg() as connection:
        connection.sendall(switch.receive(CONNECT))
        while not switch.answer.final:
            switch.receive(connection.recv(65536))
    assert switch.answer.variables["callsieve_number"] == caller
    assert switch.answer.argument("hangup") == "CALL_REJECTED"


def test_the_port_is_taken(shared: Service) -> None:
    second = run("serve", "--listen", shared.place, store=shared.store)
    assert second.returncode == 1
    assert f"cannot listen on {shared.place}" in second.stderr


def one_shot_peer(answer: bytes | None) -> tuple[str, threading.Thread]:
    """A peer that accepts one connection, sends `answer` and closes; None: says nothing."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening:
            connection, _ = listening.accept()
        # The probe may go before it has read it all.
        with connection, suppress(ConnectionError):
            if answer is not None:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listening.getsockname()
    return f"{host}:{port}", thread


@pytest.mark.parametrize(
    ("answer", "exit_code"),
    [
        (None, 4),
        (b"", 5),
        (b"HTTP/1.1 200 OK\r\n\r\n\n\n", 5),
        (b"connect\n\n", 5),
        (b"connect\n\nexit\n\n", 5),
        (b"x" * 400_000, 5),
        (b"connect\n\nsendmsg\ncall-command: execute\n\n", 5),
    ],
)
def test_probe_tells_what_is_wrong(answer: bytes | None, exit_code: int) -> None:
    place, peer = one_shot_peer(answer)
    result = run("probe", "--connect", place, "--caller", "1", "--timeout", "0.5")
    peer.join()
    assert result.returncode == exit_code, result.stderr
    assert place in result.stderr


def test_probe_of_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        place = f"127.0.0.1:{unused.getsockname()[1]}"
    result = run("probe", "--connect", place, "--caller", "1")
    assert result.returncode == 3
    assert "Connection refused" in result.stderr


def test_the_demo_shows_every_outcome(tmp_path: Path) -> None:
    demo = run("demo", "--once", "--listen", "127.0.0.1:0", "--directory", str(tmp_path / "sample"))
    assert demo.returncode == 0, demo.stdout + demo.stderr
    for word in ("continue", "hangup", "redirect", "skip Do not call", "skip Blacklist", "present"):
        assert word in demo.stdout
    assert f"{len(LEGS)} of {len(LEGS)} decisions as expected" in demo.stdout


def test_an_entry_ends_at_its_time_at_the_legs_and_is_taken_out_later(service: Service) -> None:
    """Whoever takes out what has ended stands still meanwhile."""
    service.process.send_signal(signal.SIGSTOP)
    leg = ChannelData(flow="inbound", caller_number="+48600999888", called_number=HOTLINE)
    place = Place(CsvStore(service.store))
    moment = datetime.now(UTC) + timedelta(seconds=2)
    entry = Entry("+48600999888", expires=moment)
    place.store.add("Default", entry, "PL")
    generation = place.publish_changes("Default", "PL", {entry.number: entry}).generation
    answer = ask(service.address, leg, PATIENCE_SECONDS).decision
    assert answer["action"] == "hangup" or datetime.now(UTC) > moment
    while datetime.now(UTC) <= moment:
        os.sched_yield()
    assert ask(service.address, leg, PATIENCE_SECONDS).decision["action"] == "continue"
    assert place.catalog.current().lists["Default"].generation == generation
    service.process.send_signal(signal.SIGCONT)
    while place.catalog.current().lists["Default"].generation == generation:
        assert service.process.poll() is None
        os.sched_yield()
    assert ask(service.address, leg, PATIENCE_SECONDS).decision["action"] == "continue"
    assert service.command("find", "+48600999888").returncode == 1


# The flow block


def block(service: Service, number: str, name: str = "Default", *more: str) -> dict[str, Any]:
    options = ("--flow", "block", "--caller", "1000", "--number", number, "--list", name)
    return service.probe(*options, *more)


def test_a_number_blocked_from_a_phone_is_refused_from_the_next_leg_on(service: Service) -> None:
    answer = block(service, "600 999 888")
    assert (answer["action"], answer["status"]) == ("continue", "added")
    assert (answer["number"], answer["list"]) == ("+48600999888", "Default")
    leg = ("--flow", "inbound", "--caller", "+48600999888", "--called", HOTLINE)
    assert service.probe(*leg)["action"] == "hangup"
    assert block(service, "0048600999888")["status"] == "already there"
    (record,) = json_of(service.command("evidence", "+48600999888", "--json"))["events"]
    assert record["command"] == "flow block"
    assert record["who"].startswith("1000@")
    (first, second) = service.wait_logged("blocked", 2)
    assert (first["status"], second["status"]) == ("added", "already there")


def test_a_campaigns_number_goes_to_the_campaigns_list(service: Service) -> None:
    answer = block(service, "600999888", "", "--campaign", "Spring sale")
    rules = (service.store / "callsieve.toml").read_text("utf-8")
    assert f'[campaign."Spring sale"]\nlists = ["{answer["list"]}"' in rules
    assert answer["status"] == "added"
    found = json_of(service.command("find", "600999888", "--json"))
    assert [entry["list"] for entry in found["entries"]] == [answer["list"]]


@pytest.mark.parametrize(
    ("number", "name", "more", "status"),
    [
        ("pizza", "Default", (), "refused: number"),
        ("", "Default", (), "refused: number"),
        ("anonymous", "Default", (), "refused: number"),
        ("+48700*", "Default", (), "refused: number"),
        ("${system touch x}", "Default", (), "refused: number"),
        ("600999888\n\nexit", "Default", (), "refused: number"),
        ("600999888", "Nobody", (), "refused: list"),
        ("600999888", "../callsieve", (), "refused: list"),
        ("600999888", "--help", (), "refused: list"),
        ("600999888", "", (), "refused: list"),
        ("600999888", "", ("--campaign", "Autumn"), "refused: list"),
        ("600999888", "Default", ("--region", "XX"), "refused: region"),
        ("112", "Default", (), "refused: held back"),
        (HOTLINE, "Default", (), "refused: held back"),
    ],
)
def test_what_cannot_be_blocked_is_answered_and_changes_nothing(
    shared: Service, number: str, name: str, more: tuple[str, ...], status: str
) -> None:
    before = sorted((file, file.read_bytes()) for file in (shared.store / "lists").iterdir())
    answer = block(shared, number, name, *more)
    assert (answer["action"], answer["status"]) == ("continue", status)
    assert answer["reason"]
    assert not set("${}\n") & set("".join(map(str, answer.values())))
    assert (
        sorted((file, file.read_bytes()) for file in (shared.store / "lists").iterdir()) == before
    )


def test_a_store_that_is_gone_is_an_answer(service: Service) -> None:
    service.store.rename(service.store.with_name("gone"))
    answer = block(service, "600999888")
    assert answer["status"] == "failed: store"
    assert str(service.store) in answer["reason"]


def test_a_list_name_that_no_process_can_be_given_is_an_answer(shared: Service) -> None:
    channel = ChannelData(flow="block", number="600999888", list="x" * 300_000)
    answer = ask(shared.address, channel, 30.0).decision
    assert answer["status"] == "failed: service"
    assert "Argument list too long" in str(answer["reason"])


def test_other_legs_do_not_wait_for_a_number_that_waits_for_the_store(tmp_path: Path) -> None:
    """Somebody holds the list's lock, so nothing can be added in time."""
    shutil.copytree(SAMPLE, tmp_path / "store")
    with (
        running(tmp_path / "store", "--block-time", "2") as service,
        CsvStore(service.store).locked("Default"),
        ThreadPoolExecutor() as pool,
    ):
        waiting = [pool.submit(block, service, f"60099988{n}") for n in range(4)]
        while not all(number.done() for number in waiting):
            assert ask(service.address, OPEN_LEG, PATIENCE_SECONDS).decision["action"] == "continue"
        statuses = {number.result()["status"] for number in waiting}
        assert "failed: late" in statuses
        assert statuses <= {"failed: late", "refused: busy"}
        found = service.command("find", "600999888")
    assert found.returncode == 1


def test_an_agent_who_hangs_up_first_has_the_number_blocked_all_the_same(service: Service) -> None:
    channel = ChannelData(flow="block", caller_number="1000", number="600999888", list="Default")
    switch = SwitchSide(write_channel_data(channel), asynchronous=False)
    with service.unprepared_leg() as connection:
        connection.sendall(switch.receive(CONNECT) + DISCONNECT)
    (entry,) = service.wait_logged("blocked")
    assert entry["status"] == "added"
    assert block(service, "600999888")["status"] == "already there"
    assert service.stop() == 0
