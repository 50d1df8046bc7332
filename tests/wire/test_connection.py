"""Connections against the other end of real ones, which are the standard library's sockets."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from esl_service.connection import Connection, accept
from tests.support.callers import reset
from tests.support.patience import PATIENCE_SECONDS

HOSTS = ["127.0.0.1", "::1"]


@contextmanager
def listening(host: str) -> Iterator[socket.socket]:
    try:
        server = socket.create_server((host, 0), family=_family(host))
    except OSError as error:
        if host != "::1":
            raise
        pytest.skip(f"no {host} on this machine: {error}")
    with server:
        server.setblocking(False)
        yield server


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextmanager
def connected(host: str = "127.0.0.1") -> Iterator[tuple[socket.socket, Connection]]:
    with listening(host) as server, socket.create_connection(server.getsockname()[:2]) as there:
        here = accept(server.fileno())
        assert here is not None
        yield there, here
        here.close()


def wait_for(connection: Connection) -> None:
    assert select.select([connection], [], [], PATIENCE_SECONDS)[0]


@pytest.mark.parametrize("host", HOSTS)
def test_the_peer_is_the_other_sides_address(host: str) -> None:
    with connected(host) as (there, here):
        assert here.peer == there.getsockname()[:2]


@pytest.mark.parametrize("host", HOSTS)
def test_none_waits_to_be_accepted(host: str) -> None:
    with listening(host) as server:
        assert accept(server.fileno()) is None


def test_who_has_gone_meanwhile_is_accepted_and_then_lost() -> None:
    with listening("127.0.0.1") as server:
        with socket.create_connection(server.getsockname()) as there:
            reset(there)
        here = accept(server.fileno())
        assert here is not None
        with pytest.raises(ConnectionResetError):
            here.receive()


def test_what_is_no_listening_socket_is_an_error() -> None:
    with connected() as (there, _), pytest.raises(OSError, match="Invalid argument"):
        accept(there.fileno())


def test_bytes_go_both_ways_and_nothing_waits() -> None:
    with connected() as (there, here):
        assert here.receive() is None
        there.sendall(b"a\0b\n")
        wait_for(here)
        assert here.receive() == b"a\0b\n"
        here.send(b"c\0d\n")
        assert there.recv(100) == b"c\0d\n"
        there.shutdown(socket.SHUT_WR)
        wait_for(here)
        assert here.receive() == b""


def test_much_comes_in_parts() -> None:
    sent = bytes(range(256)) * 400
    with connected() as (there, here):
        there.sendall(sent)
        there.shutdown(socket.SHUT_WR)
        parts: list[bytes] = []
        while not parts or parts[-1]:
            wait_for(here)
            parts.append(here.receive() or b"")
    assert b"".join(parts) == sent
    assert len(parts) > 2


def test_what_the_other_side_does_not_read_is_an_error() -> None:
    with connected() as (_, here), pytest.raises(OSError, match="FreeSWITCH does not read"):
        here.send(bytes(64 * 1024 * 1024))


def test_how_long_data_and_the_connection_have_waited_is_known() -> None:
    with connected() as (there, here):
        there.sendall(b"a")
        wait_for(here)
        assert 0.0 <= here.seconds_since_data() < 60.0
        assert 0.0 <= here.seconds_since_acknowledgement() < 60.0


def test_after_the_close_everything_is_an_error_but_another_close() -> None:
    with connected() as (there, here):
        here.close()
        assert there.recv(1) == b""
        for use in (here.receive, here.seconds_since_data, lambda: here.send(b"a")):
            with pytest.raises(OSError, match="Bad file descriptor"):
                use()
        here.close()


def test_a_connection_that_nobody_holds_is_closed() -> None:
    with listening("127.0.0.1") as server, socket.create_connection(server.getsockname()) as there:
        accept(server.fileno())
        assert there.recv(1) == b""
