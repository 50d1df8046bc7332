"""Runs conversations over TCP. The only module of the legs' path that knows gevent.

A leg is a connection and a callback, not a greenlet: its answer never waits for anything (but in
the flow `block`), so there is nothing to switch to, and nothing but the connection to leak. One
epoll has all connections, and gevent's loop looks at that: a watcher of gevent's for each costs
more. Every wait has an end, the conversation's deadline. A leg that cannot be answered is closed
without an answer, and the dialplan's own fail policy takes over: to it that is the same as a
service that is not there.
"""

from __future__ import annotations

import math
import select
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Protocol

import gevent
import structlog
from gevent.event import Event as Signal

from esl_service.answer import known
from esl_service.blocking import BLOCK, Blocking
from esl_service.channel_data import ChannelData
from esl_service.connection import Connection, accept
from esl_service.conversation import (
    CONNECT,
    CommandRefused,
    Conversation,
    Event,
    LegArrived,
    LegGone,
    LegLate,
    LegSilent,
    Unprepared,
)
from esl_service.errors import RemoteProtocolError, UnanswerableLegError
from screening import Decision

SWEEP_SECONDS = 0.1
SOON_SECONDS = 0.01
"""How exactly it matters since when a connection has waited."""
ACCEPTED_AT_ONCE = 100
"""How many connections are taken before the legs in hand are looked at again."""
ADVANCED_AT_ONCE = 200
"""And how many legs are advanced before other things have their turn."""

Address = tuple[str, int]

_READ = 1

_ENDINGS = {LegGone: "leg_gone", LegLate: "leg_late", LegSilent: "leg_silent"}


class Screening(Protocol):
    """Who decides. Neither method waits; both may raise UnanswerableLegError."""

    def screen(self, channel: ChannelData) -> Decision: ...

    def give_up(self, channel: ChannelData, why: str) -> Decision:
        """What the leg's fail policy says, for a leg that is not to be screened."""


class Measures(Protocol):
    """Who counts."""

    def decided(self, flow: str, action: str, seconds: float) -> None: ...

    def blocked(self, status: str) -> None: ...

    def failed(self, kind: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """connections: more are closed at once. legs: undecided ones. A leg beyond that gets its flow's
    fail policy, and so does one that had to wait for us `decision_seconds` in all.
    allowed: who may connect, empty for everybody.
    """

    connections: int = 10_000
    legs: int = 2_000
    decision_seconds: float = 0.8
    allowed: tuple[IPv4Network | IPv6Network, ...] = ()


class Server:
    """The outbound event-socket service on a listening socket.

    blocking: for the flow `block`.
    told(channel, decision): called after every decision that was sent; must not wait.
    """

    def __init__(
        self,
        listening: socket.socket,
        screening: Screening,
        blocking: Blocking,
        limits: Limits,
        measures: Measures,
        told: Callable[[ChannelData, Decision], None] | None = None,
    ) -> None:
        self.screening = screening
        self.blocking = blocking
        self.limits = limits
        self.measures = measures
        self.told = told
        self.log = structlog.get_logger().bind()
        self.undecided = 0
        self._listening = listening
        self._listening.setblocking(False)
        # Connections inherit it.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll = select.epoll()
        self._legs: dict[int, _Leg] = {}  # by descriptor
        self._allowed: dict[str, bool] = {}
        self._empty = Signal()
        self._empty.set()
        self._accepting = False
        # What had come by then was taken, so nobody has waited for longer than that. On a busy
        # service it is soon ago, and the kernel need not be asked how long.
        self.accepted_up_to = self.read_up_to = -math.inf
        self.loop: Any = gevent.get_hub().loop
        self._acceptor = self.loop.io(listening.fileno(), _READ)
        self._reader = self.loop.io(self._poll.fileno(), _READ)
        self._sweeper = self.loop.timer(SWEEP_SECONDS, SWEEP_SECONDS)

    def start(self) -> None:
        self._accepting = True
        self._acceptor.start(self._accept)
        self._reader.start(self._read)
        self._sweeper.start(self._sweep)

    def stop_accepting(self) -> None:
        """Take what waits already, leave what comes later to others that share the socket."""
        self._accept()
        self._accepting = False
        self._acceptor.stop()
        self._acceptor.close()
        self._listening.close()

    def wait(self) -> None:
        """Wait until no leg is in hand."""
        self._empty.wait()

    @property
    def in_hand(self) -> int:
        return len(self._legs)

    def failed(self, kind: str, peer: Address, **details: str) -> None:
        self.measures.failed(kind)
        self.log.warning(kind, peer=peer, **details)

    def watch(self, descriptor: int) -> None:
        """Have the leg of this connection read what comes; not again before `unwatch`."""
        self._poll.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)

    def ended(self, descriptor: int) -> None:
        """The leg is over; closing its connection ends the watch too."""
        del self._legs[descriptor]
        if not self._legs:
            self._empty.set()

    def _read(self) -> None:
        now = time.monotonic()
        ready = self._poll.poll(0, ADVANCED_AT_ONCE)
        for descriptor, _ in ready:
            leg = self._legs.get(descriptor)
            # None: a process that was forked just now keeps the connection open until its exec.
            if leg is not None:
                leg.read()
        if len(ready) < ADVANCED_AT_ONCE:
            self.read_up_to = now

    def _accept(self) -> None:
        now = time.monotonic()
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection = accept(self._listening.fileno())
            except OSError as error:  # no descriptor or memory left: the next sweep tries again
                self.failed("not_accepted", ("", 0), error=str(error))
                self._acceptor.stop()
                return
            if connection is None:
                self.accepted_up_to = now
                return
            if self.limits.allowed and not self._is_allowed(connection.peer[0]):
                connection.close()
                self.failed("not_allowed", connection.peer)
            elif len(self._legs) >= self.limits.connections:
                connection.close()
                self.failed("too_many_connections", connection.peer)
            else:
                self._begin(connection)

    def _begin(self, connection: Connection) -> None:
        leg = self._legs[connection.fileno()] = _Leg(self, connection)
        self._empty.clear()
        leg.open()

    def _is_allowed(self, host: str) -> bool:
        allowed = self._allowed.get(host)
        if allowed is None:
            if len(self._allowed) > 10_000:
                self._allowed.clear()
            address = ip_address(host.partition("%")[0])
            allowed = any(address in network for network in self.limits.allowed)
            self._allowed[host] = allowed
        return allowed

    def _sweep(self) -> None:
        now = time.monotonic()
        for leg in [leg for leg in self._legs.values() if now >= leg.conversation.deadline]:
            leg.advance()
        if self._accepting and not self._acceptor.active:
            self._acceptor.start(self._accept)


class _Leg:
    """One connection and what the event loop calls for it."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        # Its dialplan counts from the connection, not from when we came to accept it.
        now = time.monotonic()
        self._queued = now - server.accepted_up_to
        if self._queued > SOON_SECONDS:
            self._queued = connection.seconds_since_acknowledgement()
        self.conversation = Conversation(now - self._queued)
        self._undecided = True
        server.undecided += 1

    def open(self) -> None:
        try:
            self._server.watch(self._connection.fileno())
            self._connection.send(self.conversation.opening)
        except OSError as error:
            self._server.failed("connection_lost", self._connection.peer, error=str(error))
            self._close()

    def read(self) -> None:
        try:
            data = self._connection.receive()
        except OSError as error:
            self._server.failed("connection_lost", self._connection.peer, error=str(error))
            self._close()
            return
        if data is not None:
            self.conversation.receive(data)
            self.advance()

    def advance(self) -> None:
        """Act on what has come, and on a deadline that has passed."""
        self._run(None)

    def _run(self, to_block: ChannelData | None) -> None:
        """Act on what has come, or on the flow `block`; close the connection when it is over or
        something went wrong."""
        try:
            if to_block is None:
                self._act_on_events()
            else:
                self._block(to_block)
        except RemoteProtocolError as error:
            self._server.failed("protocol_error", self._connection.peer, error=str(error))
        except OSError as error:
            self._server.failed("connection_lost", self._connection.peer, error=str(error))
        except UnanswerableLegError as error:
            self._server.failed("unanswerable", self._connection.peer, error=str(error))
        except Exception:
            # A defect of ours must cost this leg its answer, not the service its life.
            self._server.measures.failed("defect")
            self._server.log.exception("defect", peer=self._connection.peer)
        else:
            if not self.conversation.over:
                return
        self._close()

    def _act_on_events(self) -> None:
        while (event := self.conversation.next_event(time.monotonic())) is not None:
            self._act(event)

    def _act(self, event: Event) -> None:
        if isinstance(event, LegArrived) and event.channel.flow == BLOCK:
            self._settle()
            # Who hangs up meanwhile is heard when the number is dealt with.
            self._server.unwatch(self._connection.fileno())
            gevent.spawn(self._run, event.channel)
        elif isinstance(event, LegArrived):
            self._answer(event.channel)
        elif isinstance(event, Unprepared):
            self._connection.send(CONNECT)
        elif isinstance(event, CommandRefused):
            self._server.failed("command_refused", self._connection.peer, reply=event.reply)
        else:
            self._server.failed(_ENDINGS[type(event)], self._connection.peer)

    def _answer(self, channel: ChannelData) -> None:
        server = self._server
        started = time.perf_counter()
        overload = self._overload()
        if overload is None:
            decision = server.screening.screen(channel)
        else:
            decision = server.screening.give_up(channel, overload)
            server.measures.failed("overload")
        answer = self.conversation.answer(decision, time.monotonic())
        if not answer:
            server.failed("leg_late", self._connection.peer)
            return
        self._connection.send(answer)
        seconds = time.perf_counter() - started
        self._settle()
        server.measures.decided(channel.named_flow, decision.action, seconds)
        server.log.info(
            "decided",
            uuid=channel.uuid,
            microseconds=int(seconds * 1e6),
            **known(decision),
        )
        if server.told is not None:
            server.told(channel, decision)

    def _block(self, channel: ChannelData) -> None:
        """In a greenlet of its own: this waits."""
        server = self._server
        blocked = server.blocking.block(channel)
        server.measures.blocked(blocked.status)
        server.log.info("blocked", uuid=channel.uuid, **asdict(blocked))
        answer = self.conversation.answer(blocked, time.monotonic())
        if not answer:
            server.failed("leg_late", self._connection.peer)
            return
        self._connection.send(answer)
        server.watch(self._connection.fileno())

    def _overload(self) -> str | None:
        limits = self._server.limits
        if self._server.undecided > limits.legs:
            return f"more than {limits.legs} legs wait"
        waited = time.monotonic() - self._server.read_up_to
        if self._queued + waited > limits.decision_seconds:
            waited = self._connection.seconds_since_data()
        if self._queued + waited > limits.decision_seconds:
            return f"no decision within {limits.decision_seconds:g} s"
        return None

    def _close(self) -> None:
        descriptor = self._connection.fileno()
        self._connection.close()
        self._settle()
        self._server.ended(descriptor)

    def _settle(self) -> None:
        if self._undecided:
            self._undecided = False
            self._server.undecided -= 1
