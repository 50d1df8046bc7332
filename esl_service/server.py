"""Runs conversations over TCP. The only module of the legs' path that knows gevent.

One greenlet a leg. Every wait has an end: the conversation's deadline for reading, SEND_SECONDS for
writing. A leg that cannot be answered is closed without an answer, and the dialplan's own fail
policy takes over: to it that is the same as a service that is not there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import structlog
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

from esl_service.channel_data import ChannelData
from esl_service.conversation import (
    CommandRefused,
    Conversation,
    Event,
    LegArrived,
    LegGone,
    LegLate,
    LegSilent,
)
from esl_service.errors import RemoteProtocolError, UnanswerableLegError
from screening import Decision

MAX_CONNECTIONS = 10_000
SEND_SECONDS = 2.0
READ_BYTES = 64 * 1024

Address = tuple[str, int]

_ENDINGS = {LegGone: "leg_gone", LegLate: "leg_late", LegSilent: "leg_silent"}


class Server:
    """The outbound event-socket service.

    screen(channel): the decision for a leg; may raise UnanswerableLegError.
    decided(channel, decision): told of every decision that was sent; must not wait.
    counts: legs by outcome since the start.
    """

    def __init__(
        self,
        listen: Address,
        screen: Callable[[ChannelData], Decision],
        decided: Callable[[ChannelData, Decision], None] | None = None,
    ) -> None:
        self._screen = screen
        self._decided = decided
        self._log = structlog.get_logger()
        self._server = StreamServer(listen, self._serve, spawn=Pool(MAX_CONNECTIONS), backlog=1024)
        self._server.max_accept = 100  # how many are taken at once before greenlets run
        self.counts: Counter[str] = Counter()

    def start(self) -> Address:
        """Listen. Returns the address, with the port that was chosen for port 0."""
        self._server.start()
        host, port = self._server.socket.getsockname()[:2]
        return host, port

    def stop_accepting(self) -> None:
        self._server.close()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the legs in hand; False if some are left after `seconds`."""
        empty: bool = self._server.pool.join(timeout=seconds)
        return empty

    def _serve(self, connection: socket.socket, peer: Address) -> None:
        with connection:
            try:
                self._converse(connection, peer)
            except RemoteProtocolError as error:
                self._count("protocol_error", peer, error=str(error))
            except OSError as error:
                self._count("connection_lost", peer, error=str(error))
            except UnanswerableLegError as error:
                self._count("unanswerable", peer, error=str(error))
            except Exception:  # noqa: BLE001
                # A defect of ours must cost this leg its answer, not the service its life.
                self.counts["defect"] += 1
                self._log.exception("defect", peer=peer)

    def _converse(self, connection: socket.socket, peer: Address) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = Conversation(time.monotonic())
        self._send(connection, conversation.opening)
        while not conversation.over:
            connection.settimeout(max(0.001, conversation.deadline - time.monotonic()))
            with suppress(TimeoutError):  # next_event() tells what a passed deadline means
                conversation.receive(connection.recv(READ_BYTES))
            while (event := conversation.next_event(time.monotonic())) is not None:
                self._act(event, conversation, connection, peer)

    def _act(
        self, event: Event, conversation: Conversation, connection: socket.socket, peer: Address
    ) -> None:
        if isinstance(event, LegArrived):
            started = time.perf_counter_ns()
            decision = self._screen(event.channel)
            microseconds = (time.perf_counter_ns() - started) / 1000
            answer = conversation.answer(decision, time.monotonic())
            if not answer:
                self._count("leg_late", peer)
                return
            self._send(connection, answer)
            self.counts[decision.action] += 1
            self._log.info(
                "decided",
                uuid=event.channel.uuid,
                microseconds=round(microseconds, 1),
                **decision.as_dict(),
            )
            if self._decided is not None:
                self._decided(event.channel, decision)
        elif isinstance(event, CommandRefused):
            self._count("command_refused", peer, reply=event.reply)
        else:
            self._count(_ENDINGS[type(event)], peer)

    def _send(self, connection: socket.socket, data: bytes) -> None:
        connection.settimeout(SEND_SECONDS)
        connection.sendall(data)

    def _count(self, outcome: str, peer: Address, **details: str) -> None:
        self.counts[outcome] += 1
        self._log.warning(outcome, peer=peer, **details)
