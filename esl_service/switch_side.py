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

from esl_service.errors import RemoteProtocolError

DISCONNECT = b"Content-Type: text/disconnect-notice\nContent-Length: 0\n\n"

MAX_COMMAND_BYTES = 256 * 1024

_OK = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
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

    def __init__(self, headers: Mapping[str, str], parks: bool) -> None:
        """headers: channel data that differs from the recorded leg's, by name, not encoded."""
        self.answer = Answer()
        self._channel_data = encode_channel_data(headers, parks)
        self._parks = parks
        self._buffer = b""
        self._connected = False

    def receive(self, data: bytes) -> bytes:
        """Raises RemoteProtocolError when the service sends what is no command."""
        self._buffer += data
        if len(self._buffer) > MAX_COMMAND_BYTES:
            raise RemoteProtocolError(f"a command of more than {MAX_COMMAND_BYTES} bytes")
        replies = b""
        while b"\n\n" in self._buffer:
            block, self._buffer = self._buffer.split(b"\n\n", 1)
            replies += self._command(block.lstrip(b"\n"))
        return replies

    def _command(self, block: bytes) -> bytes:
        first, *lines = block.decode("utf-8", "replace").split("\n")
        if first == "connect" and not self._connected:
            self._connected = True
            return self._channel_data
        if not self._connected:
            raise RemoteProtocolError(f"expected 'connect', got {first[:60]!r}")
        if first == "sendmsg":
            self._execute(dict(line.partition(": ")[::2] for line in lines))
        elif first == "exit":
            self.answer.final = True
        elif first != "resume":
            raise RemoteProtocolError(f"expected 'sendmsg', 'resume' or 'exit', got {first[:60]!r}")
        return _OK

    def _execute(self, headers: Mapping[str, str]) -> None:
        application = headers.get("execute-app-name", "")
        argument = headers.get("execute-app-arg", "")
        if headers.get("call-command") != "execute" or not application:
            raise RemoteProtocolError("expected an application to execute, got none")
        self.answer.executed.append((application, argument))
        if application == "set":
            self._set(argument)
        elif application == "multiset":
            delimiter, pairs = argument.removeprefix("^^")[:1], argument.removeprefix("^^")[1:]
            for pair in pairs.split(delimiter) if delimiter else ():
                self._set(pair)
        elif application == "transfer" and self._parks:
            self.answer.final = True

    def _set(self, pair: str) -> None:
        name, equals, value = pair.partition("=")
        if not equals:
            raise RemoteProtocolError(f"expected NAME=VALUE, got {pair[:60]!r}")
        self.answer.variables[name] = value


def encode_channel_data(headers: Mapping[str, str], parks: bool) -> bytes:
    """The answer to `connect`: the recorded leg with `headers` in place of or after its own."""
    merged = _recorded_leg() | {name: encode_value(value) for name, value in headers.items()}
    merged |= {
        "Content-Type": "command/reply",
        "Reply-Text": "%2BOK%0A",
        "Socket-Mode": "async" if parks else "static",
        "Control": "full" if parks else "single-channel",
    }
    lines = [f"{name}: {value}" for name, value in merged.items()]
    return "\n".join([*lines, "", ""]).encode()


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
