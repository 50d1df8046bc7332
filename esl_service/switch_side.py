"""FreeSWITCH's side of a leg, without any I/O: for the probe, the demo, tests and benchmarks.

It sends channel data in the shape that was recorded from a real FreeSWITCH (`recorded_leg.txt`),
encoded as FreeSWITCH encodes it, and answers the commands it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from urllib.parse import quote_from_bytes

from esl_service.channel_data import LEG_VARIABLE
from esl_service.errors import RemoteProtocolError

DISCONNECT = b"Content-Type: text/disconnect-notice\nContent-Length: 0\n\n"

MAX_COMMAND_BYTES = 256 * 1024

_ENCODED = re.compile(r"(%[0-9A-F]{2})")
_NOT_ENCODED = "!$'()*,/"


@dataclass(slots=True)
class Answer:
    """What the service has ordered so far. `final`: it has said all that the leg waits for."""

    variables: dict[str, str] = field(default_factory=dict)
    executed: list[tuple[str, str]] = field(default_factory=list)
    final: bool = False

    def argument(self, *applications: str) -> str | None:
        """The argument of the first of `applications` that was executed."""
        return next((arg for name, arg in self.executed if name in applications), None)


class SwitchSide:
    """One leg. `receive` takes what the service sends and returns what FreeSWITCH would reply."""

    def __init__(
        self, headers: Mapping[str, str], asynchronous: bool, line: str | None = None
    ) -> None:
        """headers: channel data that differs from the recorded leg's, by name, not encoded.

        asynchronous: the dialplan calls `socket` with `async`. line: the leg as the dialplan put it
        into LEG_VARIABLE.
        """
        self.answer = Answer()
        self._channel_data = encode_channel_data(headers, asynchronous)
        self._asynchronous = asynchronous
        self._line = line
        self._buffer = b""
        self._asked = False
        self._parked = False

    def receive(self, data: bytes) -> bytes:
        """Raises RemoteProtocolError when the service sends what is no command."""
        self._buffer += data
        if len(self._buffer) > MAX_COMMAND_BYTES:
            raise RemoteProtocolError(f"a command of more than {MAX_COMMAND_BYTES} bytes")
        replies = b""
        while b"\n\n" in (buffer := self._buffer.lstrip(b"\n")):
            block, rest = buffer.split(b"\n\n", 1)
            first, *lines = block.decode("utf-8", "replace").split("\n")
            headers = dict(line.partition(": ")[::2] for line in lines)
            length_text = headers.get("content-length", "0")
            if not length_text.isdecimal():
                raise RemoteProtocolError(f"content-length: expected digits, got {length_text!r}")
            length = int(length_text)
            if len(rest) < length:
                break
            body, self._buffer = rest[:length].decode("utf-8", "replace"), rest[length:]
            replies += self._command(first, headers, body)
        return replies

    def _command(self, first: str, headers: Mapping[str, str], body: str) -> bytes:
        if first == "connect" and not self._parked:
            self._asked = True
            self._parked = self._asynchronous
            return self._channel_data
        if not self._asked:  # FreeSWITCH never replies to what comes first
            self._asked = True
            return b""
        if first == f"getvar {LEG_VARIABLE}":
            return encode_reply(self._line) if self._line else UNPREPARED
        if first == "sendmsg":
            self._obey(headers, body)
        elif first == "exit":
            self.answer.final = True
        elif first != "resume":
            raise RemoteProtocolError(f"expected 'sendmsg', 'resume' or 'exit', got {first[:60]!r}")
        return encode_reply("+OK")

    def _obey(self, headers: Mapping[str, str], body: str) -> None:
        command = headers.get("call-command")
        if command == "hangup":
            self.answer.executed.append((command, headers.get("hangup-cause", "")))
            return
        application = headers.get("execute-app-name", "")
        argument = headers.get("execute-app-arg", "") or body
        if command != "execute" or not application:
            raise RemoteProtocolError("expected an application to execute, got none")
        self.answer.executed.append((application, argument))
        if application == "set":
            self._set(argument)
        elif application == "multiset":
            delimiter, pairs = argument.removeprefix("^^")[:1], argument.removeprefix("^^")[1:]
            for pair in pairs.split(delimiter) if delimiter else ():
                self._set(pair)
        elif application == "transfer" and self._parked:
            self.answer.final = True

    def _set(self, pair: str) -> None:
        name, equals, value = pair.partition("=")
        if not equals:
            raise RemoteProtocolError(f"expected NAME=VALUE, got {pair[:60]!r}")
        self.answer.variables[name] = value


def encode_channel_data(headers: Mapping[str, str], asynchronous: bool) -> bytes:
    """The answer to `connect`: the recorded leg with `headers` in place of or after its own."""
    merged = _recorded_leg() | {name: encode_value(value) for name, value in headers.items()}
    merged |= {
        "Content-Type": "command/reply",
        "Reply-Text": "%2BOK%0A",
        "Socket-Mode": "async" if asynchronous else "static",
        "Control": "full" if asynchronous else "single-channel",
    }
    lines = [f"{name}: {value}" for name, value in merged.items()]
    return "\n".join([*lines, "", ""]).encode()


def encode_reply(text: str) -> bytes:
    """What FreeSWITCH says to a command; it does not encode `text`."""
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode()


UNPREPARED = encode_reply("-ERR command not found")
"""What it says to `getvar` of LEG_VARIABLE where the dialplan made no line of the leg."""


def encode_value(text: str) -> str:
    """Percent-encodes as FreeSWITCH does: what looks encoded already is left as it is."""
    if not text:
        return "_undef_"
    return "".join(
        part
        if _ENCODED.fullmatch(part)
        else quote_from_bytes(part.encode("utf-8", "replace"), _NOT_ENCODED)
        for part in _ENCODED.split(text)
    )


@cache
def _recorded_leg() -> dict[str, str]:
    text = files("esl_service").joinpath("recorded_leg.txt").read_text("utf-8")
    return dict(line.partition(": ")[::2] for line in text.splitlines())
