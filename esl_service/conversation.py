"""One leg's conversation with FreeSWITCH, without any I/O: bytes and the time in, bytes and a
deadline out.

FreeSWITCH connects and says nothing until it is asked.

| state    | what comes                      | next     | what goes out              |
|----------|---------------------------------|----------|----------------------------|
| opening  | (start)                         | opening  | `getvar callsieve_leg`     |
| opening  | the leg, as the dialplan put it | deciding | LegArrived                 |
| opening  | any other reply                 | asking   | Unprepared: send `connect` |
| asking   | channel data                    | deciding | LegArrived                 |
| opening, | the leg, too late               | over     | LegLate                    |
| asking   |                                 |          |                            |
| deciding | `answer(outcome)`               | leaving  | the answer, in one write   |
| deciding | `answer(outcome)`, too late     | over     | nothing                    |
| leaving  | a reply -ERR                    | leaving  | CommandRefused             |
| any      | disconnect notice               | over     | LegGone unless answered    |
| any      | end of stream                   | over     | LegGone unless answered    |
| any      | the deadline                    | over     | LegSilent unless answered  |

Anything else is a RemoteProtocolError. The connection is closed by whoever runs the conversation,
once it is over; closing before FreeSWITCH has read the answer would take the answer back.

Why not `connect` first: it parks an asynchronous leg, and FreeSWITCH looks after a parked leg only
every 20 ms (switch_ivr_park). A leg that was not asked so is held: FreeSWITCH looks every
millisecond whether we have let go of it (socket_function) and then does what it was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from esl_service.answer import acknowledgement, answer
from esl_service.blocking import Blocked
from esl_service.channel_data import (
    LEG_VARIABLE,
    NEEDED,
    ChannelData,
    Mode,
    read_channel_data,
    read_leg,
)
from esl_service.codec import Decoder, Message, encode_message
from esl_service.errors import LocalProtocolError, RemoteProtocolError
from esl_service.headers import Wanted
from screening import Decision

ASK_SECONDS = 5.0
"""How long the leg may take to be described. FreeSWITCH does so in under a millisecond."""

PARKED_SECONDS = 0.9
"""How long an asynchronous leg waits for its answer before its dialplan may have taken it on: the
guard of `freeswitch_conf/` fires 1 to 2 s after it is set. A command that comes later would hit a
call that has gone on, and cut off two people who talk. A synchronous leg is ended by its guard."""

LEAVE_SECONDS = 2.0
"""How long FreeSWITCH may take to close after the answer."""

OPENING = encode_message((), "getvar") + encode_message((), f"getvar {LEG_VARIABLE}")
"""FreeSWITCH never replies to what comes first."""

CONNECT = encode_message((), "connect")

_ACCEPTED = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
"""What FreeSWITCH says to most commands."""

_GONE = b"Content-Type: text/disconnect-notice\n"

_WANTED = Wanted((b"Content-Type", b"Content-Length", b"Reply-Text", *NEEDED))


@dataclass(frozen=True, slots=True)
class Unprepared:
    """The dialplan did not describe the leg: send CONNECT, to have FreeSWITCH do it."""


class LegArrived(NamedTuple):
    """The leg is described: decide, then call `answer`."""

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


Event = Unprepared | LegArrived | CommandRefused | LegGone | LegLate | LegSilent


class Conversation:
    """See the table above. `deadline` is on the same clock as every `now`, in seconds."""

    def __init__(self, now: float) -> None:
        self._decoder = Decoder(_WANTED)
        self._state: Literal["opening", "asking", "deciding", "leaving", "over"] = "opening"
        self._mode: Mode = "sync"
        self._ended = False
        self.opening = OPENING
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
        while self._state in ("opening", "asking", "leaving"):
            if self._state == "leaving":
                self._decoder.skip(_ACCEPTED)
                if self._decoder.starts_with(_GONE):
                    return self._end(LegGone())
            elif self._state == "opening" and (reply := self._decoder.take_reply()) is not None:
                return self._opened(reply, now)
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
        if self._mode != "sync" and now >= self._too_late:
            self._state = "over"
            return b""
        self._state = "leaving"
        self.deadline = now + LEAVE_SECONDS
        if isinstance(outcome, Blocked):
            return acknowledgement(outcome, self._mode)
        return answer(outcome, self._mode)

    def _message(self, message: Message, now: float) -> Event | None:
        kind = message.get(b"Content-Type")
        if kind == "text/disconnect-notice":
            return self._end(LegGone())
        if kind != "command/reply":
            raise RemoteProtocolError(f"expected a reply, got Content-Type {kind[:60]!r}")
        if self._state == "asking":
            return self._described(read_channel_data(message), now)
        reply = message.get(b"Reply-Text")
        if self._state == "opening":
            return self._opened(reply, now)
        return CommandRefused(reply) if reply.startswith("-ERR") else None

    def _opened(self, reply: str, now: float) -> Event:
        leg = read_leg(reply)
        if leg is None:
            self._state = "asking"
            return Unprepared()
        return self._described(leg, now)

    def _described(self, channel: ChannelData, now: float) -> Event:
        self._mode = channel.mode
        late = channel.application != "socket" or now >= self._too_late
        if late and self._mode != "sync":
            self._state = "over"
            return LegLate()
        self._state = "deciding"
        return LegArrived(channel)

    def _end(self, without_answer: Event) -> Event | None:
        answered = self._state == "leaving"
        self._state = "over"
        return None if answered else without_answer
