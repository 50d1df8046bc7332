"""One leg's conversation with FreeSWITCH, without any I/O: bytes and the time in, bytes and a
deadline out.

FreeSWITCH connects and says nothing until it is asked.

| state    | what comes                  | next     | what goes out            |
|----------|-----------------------------|----------|--------------------------|
| asking   | (start)                     | asking   | `connect`                |
| asking   | channel data                | deciding | LegArrived               |
| asking   | channel data, too late      | over     | LegLate                  |
| deciding | `answer(outcome)`           | leaving  | the answer, in one write |
| deciding | `answer(outcome)`, too late | over     | nothing                  |
| leaving  | a reply -ERR                | leaving  | CommandRefused           |
| any      | disconnect notice           | over     | LegGone unless answered  |
| any      | end of stream               | over     | LegGone unless answered  |
| any      | the deadline                | over     | LegSilent unless answered|

Anything else is a RemoteProtocolError. The connection is closed by whoever runs the conversation,
once it is over; closing before FreeSWITCH has read the answer would take the answer back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from esl_service.answer import acknowledgement, answer
from esl_service.blocking import Blocked
from esl_service.channel_data import NEEDED, ChannelData, read_channel_data
from esl_service.codec import Decoder, Message, encode_message
from esl_service.errors import LocalProtocolError, RemoteProtocolError
from esl_service.headers import Wanted
from screening import Decision

ASK_SECONDS = 5.0
"""How long FreeSWITCH may take to describe the leg. It does so in under a millisecond."""

PARKED_SECONDS = 0.9
"""How long a parked leg waits for its answer before its dialplan may have taken it on: the guard of
`freeswitch_conf/` fires 1 to 2 s after it is set. A command that comes later would hit a call that
has gone on, and cut off two people who talk. A leg that does not park is ended by its guard."""

LEAVE_SECONDS = 2.0
"""How long FreeSWITCH may take to close after the answer."""

CONNECT = encode_message((), "connect")

_ACCEPTED = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
"""What FreeSWITCH says to most commands."""

_WANTED = Wanted((b"Content-Type", b"Content-Length", b"Reply-Text", *NEEDED))


@dataclass(frozen=True, slots=True)
class LegArrived:
    """FreeSWITCH described the leg: decide, then call `answer`."""

    channel: ChannelData


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """FreeSWITCH answered a command with -ERR."""

    reply: str


@dataclass(frozen=True, slots=True)
class LegGone:
    """The leg or the connection ended before there was an answer."""


@dataclass(frozen=True, slots=True)
class LegLate:
    """The leg was described, but has or may have gone on without its answer."""


@dataclass(frozen=True, slots=True)
class LegSilent:
    """FreeSWITCH did not describe the leg in time."""


Event = LegArrived | CommandRefused | LegGone | LegLate | LegSilent


class Conversation:
    """See the table above. `deadline` is on the same clock as every `now`, in seconds."""

    def __init__(self, now: float) -> None:
        self._decoder = Decoder(_WANTED)
        self._state: Literal["asking", "deciding", "leaving", "over"] = "asking"
        self._parks = False
        self._ended = False
        self.opening = CONNECT
        self._too_late = now + PARKED_SECONDS
        self.deadline = now + ASK_SECONDS

    @property
    def over(self) -> bool:
        return self._state == "over"

    def receive(self, data: bytes) -> None:
        """Take what was read; no bytes mean the end of the stream. Then ask for `next_event`."""
        if data:
            self._decoder.feed(data)
        else:
            self._ended = True

    def next_event(self, now: float) -> Event | None:
        """What happened next, None where there is nothing more to tell. Raises RemoteProtocolError.

        After LegArrived nothing is looked at until `answer` was called.
        """
        while self._state in ("asking", "leaving"):
            if self._state == "leaving":
                self._decoder.skip(_ACCEPTED)
            message = self._decoder.next_message()
            if message is None:
                if self._ended:
                    return self._end(LegGone())
                return self._end(LegSilent()) if now >= self.deadline else None
            event = self._message(message, now)
            if event is not None:
                return event
        return None

    def answer(self, outcome: Decision | Blocked, now: float) -> bytes:
        """The bytes to send for `outcome`; none when it has become too late for it.

        Raises LocalProtocolError unless an answer is awaited.
        """
        if self._state != "deciding":
            raise LocalProtocolError(f"no answer is awaited: the conversation is {self._state}")
        if self._parks and now >= self._too_late:
            self._state = "over"
            return b""
        self._state = "leaving"
        self.deadline = now + LEAVE_SECONDS
        if isinstance(outcome, Blocked):
            return acknowledgement(outcome, self._parks)
        return answer(outcome, self._parks)

    def _message(self, message: Message, now: float) -> Event | None:
        kind = message.get(b"Content-Type")
        if kind == "text/disconnect-notice":
            return self._end(LegGone())
        if kind != "command/reply":
            raise RemoteProtocolError(f"expected a reply, got Content-Type {kind[:60]!r}")
        if self._state == "asking":
            channel = read_channel_data(message)
            self._parks = channel.parks
            if self._parks and (channel.application != "socket" or now >= self._too_late):
                return self._end(LegLate())
            self._state = "deciding"
            return LegArrived(channel)
        reply = message.get(b"Reply-Text")
        return CommandRefused(reply) if reply.startswith("-ERR") else None

    def _end(self, without_answer: Event) -> Event | None:
        answered = self._state == "leaving"
        self._state = "over"
        return None if answered else without_answer
