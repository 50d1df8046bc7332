"""Tells FreeSWITCH's subscribers of decisions, as `CUSTOM callsieve::decision` events.

Events go through one control connection to FreeSWITCH's inbound event socket, held by greenswitch's
client. It is supervised here, because that client waits without a limit: every step has a timeout,
and a lost connection is made again after a growing pause, beginning with the event that was in
hand. Legs never wait for it: events queue up to a bound, and what does not fit is dropped and
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import structlog
from gevent.queue import Full, Queue
from greenswitch.esl import InboundESL, NotConnectedError

from esl_service.answer import known
from esl_service.channel_data import ChannelData
from esl_service.codec import encode_message, plain_text
from screening import Decision

QUEUED_EVENTS = 1000
STEP_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

SUBCLASS = "callsieve::decision"


class DecisionEvents:
    """`publish` never waits; `run` is the greenlet that sends.

    count(outcome): told of every event that was `sent`, `refused` or `dropped`.
    """

    def __init__(
        self, address: tuple[str, int], password: str, count: Callable[[str], object]
    ) -> None:
        self._address = address
        self._password = password
        self._queue: Queue[str] = Queue(QUEUED_EVENTS)
        self._in_hand: str | None = None
        self._log = structlog.get_logger()
        self._count = count

    def publish(self, channel: ChannelData, decision: Decision) -> None:
        """Queue an event for a decision; one to continue is no news."""
        if decision.action == "continue":
            return
        try:
            self._queue.put_nowait(event_message(channel, decision))
        except Full:
            self._count("dropped")

    def run(self) -> None:
        """Send events for ever, over one connection after another."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                with _connected(self._address, self._password) as connection:
                    self._log.info("control_connected", address=self._address)
                    pause = FIRST_PAUSE_SECONDS
                    self._send_all(connection)
            except (OSError, NotConnectedError, ValueError, gevent.Timeout) as error:
                self._log.warning("control_lost", address=self._address, error=str(error))
            gevent.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _send_all(self, connection: InboundESL) -> None:
        while True:
            if self._in_hand is None:
                self._in_hand = self._queue.get()
            with gevent.Timeout(STEP_SECONDS):
                reply = connection.send(self._in_hand)
            self._in_hand = None
            self._count("sent" if reply.data.startswith("+OK") else "refused")


def event_message(channel: ChannelData, decision: Decision) -> str:
    """The `sendevent` command, without the empty line that ends it."""
    headers = {
        "Event-Subclass": SUBCLASS,
        "Unique-ID": channel.uuid,
        "Callsieve-Flow": channel.flow,
        "Callsieve-Campaign": channel.campaign,
        "Callsieve-Queue": channel.queue,
        "Callsieve-Widget": channel.widget,
        **{
            f"Callsieve-{name.replace('_', '-').title()}": str(value)
            for name, value in known(decision).items()
        },
    }
    lines = [(name, plain_text(value)) for name, value in headers.items() if value]
    return encode_message(lines, "sendevent CUSTOM").decode().rstrip("\n")


@contextmanager
def _connected(address: tuple[str, int], password: str) -> Iterator[InboundESL]:
    """An authenticated client. Raises OSError, NotConnectedError, ValueError, gevent.Timeout."""
    client = InboundESL(*address, password, timeout=STEP_SECONDS)
    try:
        with gevent.Timeout(STEP_SECONDS):
            client.connect()
        yield client
    finally:
        # Its stop() would wait for answers and for a reader that only a closed socket ends.
        client.connected = False
        client._run = False
        if hasattr(client, "sock"):
            client.sock.close()
