"""What hostile peers and callers can do to a running service: cost themselves their connection."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from callsieve.probe import ask
from esl_service.channel_data import ChannelData, write_channel_data
from esl_service.codec import MAX_HEADERS
from esl_service.conversation import ASK_SECONDS, CONNECT, OPENING
from esl_service.switch_side import DISCONNECT, UNPREPARED, SwitchSide, encode_channel_data
from tests.support.callers import reset
from tests.support.service import Service, running

SAMPLE = Path(__file__).parents[2] / "callsieve" / "sample_store"
LISTED = "+48600100200"
LEG = ChannelData(
    uuid="leg-1",
    flow="inbound",
    caller_number=LISTED,
    called_number="+48221234567",
    from_user=LISTED,
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    store = tmp_path / "store"
    shutil.copytree(SAMPLE, store)
    with running(store) as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("shared") / "store"
    shutil.copytree(SAMPLE, store)
    with running(store) as started:
        yield started


def connect(service: Service) -> socket.socket:
    return socket.create_connection(service.address, timeout=30)


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return received


def describe(service: Service, block: bytes) -> dict[str, str] | None:
    """The variables that the leg of `block` gets; None if it is closed without an answer."""
    switch = SwitchSide({}, asynchronous=False)
    switch.receive(CONNECT)
    with service.unprepared_leg() as connection:
        connection.sendall(block)
        while not switch.answer.final:
            data = connection.recv(65536)
            if not data:
                return None
            switch.receive(data)
        connection.sendall(DISCONNECT)
    return switch.answer.variables


def encoded(**headers: str) -> bytes:
    return encode_channel_data(write_channel_data(LEG) | headers, asynchronous=False)


def with_first(line: bytes) -> bytes:
    return line + b"\n" + encoded()


def action(service: Service) -> str:
    return str(ask(service.address, LEG, 10.0).decision["action"])


def descriptors(service: Service) -> int:
    (worker,) = service.workers()
    return len(list(Path(f"/proc/{worker}/fd").iterdir()))


def settled_descriptors(service: Service) -> int:
    """Once everything is open that the first leg opens; the log tells of it after that."""
    assert action(service) == "hangup"
    service.wait_logged("decided")
    return descriptors(service)


def resident_kilobytes(service: Service) -> int:
    (worker,) = service.workers()
    status = Path(f"/proc/{worker}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        os.sched_yield()


# What a caller can put into a leg


@pytest.mark.parametrize(
    "name",
    [
        "x%0ACaller-Caller-ID-Number: +48999999999",
        "x%0D%0A%0D%0ACaller-Caller-ID-Number: +48999999999",
        "\N{LINE SEPARATOR}Caller-Caller-ID-Number: +48999999999",
        "\x85Caller-Caller-ID-Number: +48999999999\x0b\x0c\x1c",
        "nul\0nul",
        "x" * 64_000,
        "\N{SNOWMAN}" * 20_000,
        "${system touch /tmp/x}",
        "%",
        "%0",
        "%ZZ%00",
    ],
    ids=lambda name: ascii(name[:20]),
)
def test_a_display_name_changes_nothing_else(shared: Service, name: str) -> None:
    answered = describe(
        shared, encoded(**{"Caller-Caller-ID-Name": name, "variable_sip_h_X": name})
    )
    assert answered is not None
    assert (answered["callsieve_action"], answered["callsieve_number"]) == ("hangup", LISTED)


@pytest.mark.parametrize(
    "caller",
    [
        b"%C3%28",
        b"\xff\xfe\xe9",
        b"%00",
        b"%0A%0Aexit%0A%0A",
        b"%E2%80%A8",
        b"%24%7Bsystem%20touch%20x%7D",
        b"1" * 10_000,
        b"%2B" * 5_000,
        b"mod_event_socket%20reload",
        b"%22%27%5C%7C%5E%5E",
    ],
    ids=lambda caller: ascii(caller[:12]),
)
def test_a_caller_number_that_is_none_fails_open_and_stays_out_of_the_answer(
    shared: Service, caller: bytes
) -> None:
    # Caller-Caller-ID-Number comes first in the block that is sent; the first header wins.
    before = len(shared.logged())
    answered = describe(
        shared,
        with_first(b"Caller-Caller-ID-Number: " + caller).replace(
            f"variable_sip_from_user: %2B{LISTED[1:]}".encode(),
            b"variable_sip_from_user: " + caller,
        ),
    )
    assert answered is not None
    assert answered["callsieve_action"] == "continue"
    assert "callsieve_number" not in answered
    wait_until(lambda: len(shared.logged()) > before)
    for line in shared.log.read_bytes().splitlines():
        json.loads(line)
        assert line.isascii()
        assert b"touch" not in line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Caller-Caller-ID-Number: %2B48601000111", "+48601000111"),
        (b"Caller-Caller-ID-Number : %2B48601000111", LISTED),
        (b"caller-caller-id-number: %2B48601000111", LISTED),
        (b"Caller-Caller-ID-Number%3A: %2B48601000111", LISTED),
        (b"X: a\rCaller-Caller-ID-Number: %2B48601000111", LISTED),
    ],
)
def test_the_first_of_contradicting_headers_wins(
    shared: Service, line: bytes, expected: str
) -> None:
    """Only a header of exactly that name counts; From is screened beside it."""
    answered = describe(shared, with_first(line))
    assert answered is not None
    assert (answered["callsieve_action"], answered["callsieve_number"]) == ("hangup", LISTED)
    trusted = describe(shared, with_first(line).replace(b"variable_sip_from_user", b"variable_x"))
    assert trusted is not None
    assert trusted["callsieve_number"] == expected


def test_a_leg_of_as_many_headers_as_allowed_is_decided_and_one_more_is_not(
    shared: Service,
) -> None:
    block = encoded()
    lines = block.count(b"\n") - 1
    most = b"a: 1\n" * (MAX_HEADERS - lines)
    answered = describe(shared, most + block)
    assert answered is not None
    assert answered["callsieve_action"] == "hangup"
    assert describe(shared, b"a: 1\n" + most + block) is None


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        (b"Content-Length: 5000000", "protocol_error"),
        (b"Content-Length: -5", "protocol_error"),
        (b"Content-Length: 0x10", "protocol_error"),
        (b"Content-Length: 5\nContent-Length: 0", "leg_gone"),
    ],
)
def test_a_body_of_a_false_length_gets_no_answer(service: Service, line: bytes, ends: str) -> None:
    """Too long, none, or one that never comes: nothing is decided from half a message."""
    with service.unprepared_leg() as connection:
        connection.sendall(with_first(line))
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection) == b""
    service.wait_logged(ends)
    assert action(service) == "hangup"


# What a peer can do


def test_a_slow_loris_is_closed_in_time_and_holds_up_nobody(service: Service) -> None:
    block = encoded()
    started = time.monotonic()
    lorises = [service.unprepared_leg() for _ in range(50)]
    sent = 0
    while time.monotonic() - started < ASK_SECONDS - 1:
        # Never the empty line that ends the block, however fast this goes.
        piece = block[sent : sent + 1] if sent < len(block) - 1 else b"a"
        for loris in lorises:
            loris.sendall(piece)
        sent += 1
        assert action(service) == "hangup"
    for loris in lorises:
        with loris:
            assert read_to_end(loris) == b""
    assert time.monotonic() - started < 4 * ASK_SECONDS
    assert len(service.wait_logged("leg_silent", 50)) == 50


def test_a_flood_of_silent_connections_holds_up_nobody_and_leaves_nothing(
    service: Service,
) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(900, most - 100)
    before = settled_descriptors(service)
    flood = [connect(service) for _ in range(count)]
    for _ in range(20):
        assert action(service) == "hangup"
    assert resident_kilobytes(service) < 150_000
    for connection in flood:
        with connection:
            assert read_to_end(connection) == OPENING
    wait_until(lambda: descriptors(service) <= before)
    assert action(service) == "hangup"


def test_a_peer_that_never_reads_is_no_burden(service: Service) -> None:
    """It sends legs and requests for ever and takes no answer."""
    with service.unprepared_leg() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with suppress(OSError):
            for _ in range(1000):
                deaf.sendall(encoded())
        assert action(service) == "hangup"
    assert action(service) == "hangup"


def faulted_leg(service: Service, rng: random.Random, block: bytes) -> None:
    """A leg that ends somehow: hang-up, CANCEL or disconnect at any point, half a description."""
    with socket.create_connection(service.address, timeout=30) as connection:
        if rng.random() < 0.3:
            reset(connection)
        kind = rng.randrange(6)
        if kind == 0:
            return
        connection.recv(100)
        if kind == 1:
            return
        if rng.random() < 0.8:
            connection.sendall(UNPREPARED)
            connection.recv(100)
        if kind == 2:
            connection.sendall(DISCONNECT)
        elif kind == 3:
            connection.sendall(block[: rng.randrange(len(block))])
        else:
            connection.sendall(block)
            if kind == 4:
                return
            connection.recv(rng.choice((1, 10, 65536)))
            if rng.random() < 0.5:
                connection.sendall(DISCONNECT[: rng.randrange(len(DISCONNECT))])


@pytest.mark.timeout(600)
def test_100_000_faulted_legs_leave_nothing_behind(tmp_path: Path) -> None:
    """Neither a descriptor, nor memory, nor a place that is counted as taken."""
    store = tmp_path / "store"
    shutil.copytree(SAMPLE, store)
    rng = random.Random(5)
    block = encoded()
    with running(store, "--max-connections", "40", "--max-legs", "20") as service:
        before = settled_descriptors(service)
        for _ in range(20_000):
            faulted_leg(service, rng, block)
        warm = resident_kilobytes(service)
        for _ in range(80_000):
            faulted_leg(service, rng, block)
        wait_until(lambda: descriptors(service) <= before)
        assert resident_kilobytes(service) < warm + 4_000
        # All places are free: as many legs at once as there may be, and each is decided.
        held = [service.unprepared_leg() for _ in range(19)]
        assert action(service) == "hangup"
        for connection in held:
            connection.close()
        assert service.stop() == 0
