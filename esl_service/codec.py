"""The event socket's wire format, without any I/O.

A message is a block of `Name: value` lines ended by an empty line; `Content-Length` announces a
body behind it. FreeSWITCH percent-encodes the values of events, never the names. Lines are split
before anything is decoded, and the first header of a name wins: a `%0A` in a caller's display name
stays in that name. (https://developer.signalwire.com/freeswitch/FreeSWITCH-Explained/
Client-and-Developer-Interfaces/Event-Socket-Library)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from esl_service.errors import LocalProtocolError, RemoteProtocolError
from esl_service.headers import Wanted, decode_value, find_end, read_headers

MAX_BLOCK_BYTES = 4 * 1024 * 1024
"""Largest header block taken. A leg's is 5 to 6 KB, but a caller's display name can fill a SIP
message of 64 KB; FreeSWITCH repeats it in several headers and encodes a byte as three. A caller
must not be able to make a leg that is too large to be screened."""

MAX_HEADERS = 32_768
"""A caller makes one with every SIP header of its own, of which 64 KB hold some 9,000."""

MAX_BODY_BYTES = 1024 * 1024
MAX_VALUE_CHARACTERS = 500

MIN_BODY_CHARACTERS = 64
"""Longer arguments go in a body: FreeSWITCH reads a header with one system call for each byte."""

_REPLY = b"Content-Type: command/reply\nReply-Text: "
_WITH_BODY = (
    b"sendmsg\ncall-command: execute\nexecute-app-name: %b\n"
    b"content-type: text/plain\ncontent-length: %d\n\n%b"
)


@dataclass(slots=True)
class Message:
    """One message. `headers`: raw names to raw values, the first of each name."""

    headers: Mapping[bytes, bytes]
    body: bytes = b""

    def get(self, name: bytes) -> str:
        """The decoded value of a header; empty where it is missing, empty or undefined."""
        return decode_value(self.headers.get(name, b""))


class Decoder:
    """Takes bytes as they come, gives messages as they are complete. Memory is bounded.

    wanted: the only headers that messages are to have; `Content-Length` must be among them. All if
    left out.
    """

    def __init__(self, wanted: Wanted | None = None) -> None:
        self._wanted = wanted
        self._buffer = bytearray()
        self._searched = 0
        self._headers: Mapping[bytes, bytes] | None = None
        self._body_bytes = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def skip(self, message: bytes) -> None:
        """Drop a message that is known byte for byte, as often as it comes next."""
        if self._headers is None:
            while self._buffer.startswith(message):
                del self._buffer[: len(message)]
                self._searched = 0

    def starts_with(self, beginning: bytes) -> bool:
        """Whether the next message begins so."""
        return self._headers is None and self._buffer.startswith(beginning)

    def take_reply(self) -> str | None:
        """The text of a reply that is all that has come, None for anything else.

        What `next_message` would make of it too, in a third of the time.
        """
        buffer = self._buffer
        if not self.starts_with(_REPLY) or buffer.find(b"\n", len(_REPLY)) != len(buffer) - 2:
            return None
        if not buffer.endswith(b"\n\n"):
            return None
        value = bytes(buffer[len(_REPLY) : -2])
        buffer.clear()
        self._searched = 0
        return decode_value(value)

    def next_message(self) -> Message | None:
        """The next complete message, None where more bytes are needed.

        Raises RemoteProtocolError, after which the decoder is of no further use.
        """
        if self._headers is None and not self._take_block():
            return None
        headers = self._headers
        if headers is None or len(self._buffer) < self._body_bytes:
            return None
        body = b""
        if self._body_bytes:
            body = bytes(self._buffer[: self._body_bytes])
            del self._buffer[: self._body_bytes]
        self._headers = None
        return Message(headers, body)

    def end(self) -> None:
        """The stream ended. Raises RemoteProtocolError inside a message."""
        if self._headers is not None or self._buffer.strip(b"\n"):
            raise RemoteProtocolError("the connection ended inside a message")

    def _take_block(self) -> bool:
        buffer = self._buffer
        if buffer[:1] == b"\n":  # FreeSWITCH and its modules put empty lines between messages
            del buffer[: len(buffer) - len(buffer.lstrip(b"\n"))]
            self._searched = 0
        end = find_end(buffer, self._searched)
        if (len(buffer) if end < 0 else end) > MAX_BLOCK_BYTES:
            raise RemoteProtocolError(f"a header block of more than {MAX_BLOCK_BYTES} bytes")
        if end < 0:
            self._searched = max(0, len(buffer) - 1)
            return False
        self._headers = read_headers(buffer, end, MAX_HEADERS, self._wanted)
        self._body_bytes = _content_length(self._headers)
        del buffer[: end + 2]
        self._searched = 0
        return True


def _content_length(headers: Mapping[bytes, bytes]) -> int:
    text = headers.get(b"Content-Length")
    if text is None:
        return 0
    # isdigit() also keeps out the sign, the spaces and the underscores that int() takes.
    if not text.isdigit() or len(text) > 10 or int(text) > MAX_BODY_BYTES:
        raise RemoteProtocolError(
            f"Content-Length: expected 0 to {MAX_BODY_BYTES}, got {text[:20]!r}"
        )
    return int(text)


def encode_message(lines: Iterable[tuple[str, str]], first: str = "") -> bytes:
    """A message of an optional first line and headers.

    Values go out as they are. Raises LocalProtocolError for text that would break out of its line.
    """
    parts = [first] if first else []
    parts += [f"{name}: {value}" for name, value in lines]
    if not all(map(_is_one_line, parts)):
        raise LocalProtocolError(f"a line break or NUL inside a line: {parts!r:.200}")
    return "\n".join([*parts, "", ""]).encode("utf-8", "replace")


def _is_one_line(text: str) -> bool:
    return "\n" not in text and "\r" not in text and "\0" not in text


def is_plain(text: str) -> bool:
    """Whether FreeSWITCH takes `text` as it stands, and nobody's screen or log suffers from it."""
    return (  # a pattern would take ten times as long
        text.isprintable()
        and "$" not in text
        and "{" not in text
        and "}" not in text
        and "\\" not in text
        and "mod_event_socket" not in text
    )


def plain_text(text: str) -> str:
    """`text` as a value that FreeSWITCH takes as it stands.

    Rules are checked for this when they are read; a reason can quote a file name or an error.
    """
    if is_plain(text):
        return text[:MAX_VALUE_CHARACTERS]
    cleaned = "".join(c if c.isprintable() and c not in "${}\\" else "?" for c in text)
    return cleaned.replace("mod_event_socket", "?")[:MAX_VALUE_CHARACTERS]


def execute(application: str, argument: str = "") -> bytes:
    """The command that runs a dialplan application on the leg of this connection.

    FreeSWITCH expands `${...}` in the argument, API calls included, and takes a message that holds
    "mod_event_socket" beside "reload" or "unload" for an order to itself, so neither is sent.
    Raises LocalProtocolError.
    """
    if "$" in argument or "mod_event_socket" in argument or not _is_one_line(argument):
        raise LocalProtocolError(f"FreeSWITCH would expand or misread {argument[:60]!r}")
    if len(argument) >= MIN_BODY_CHARACTERS:
        body = argument.encode("utf-8", "replace")
        return _WITH_BODY % (application.encode(), len(body), body)
    headers = [("call-command", "execute"), ("execute-app-name", application)]
    if argument:
        headers.append(("execute-app-arg", argument))
    return encode_message(headers, "sendmsg")


def hangup(cause: str) -> bytes:
    """The command that ends the leg; `execute` would have FreeSWITCH raise two events more."""
    headers = (("call-command", "hangup"), ("hangup-cause", cause))
    return encode_message(headers, "sendmsg")
