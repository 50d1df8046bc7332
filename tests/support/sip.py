"""A telephone and a trunk for tests: SIP over UDP on loopback, the least that FreeSWITCH needs.

Headers are sent as given, so that a test can be a hostile caller.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.patience import PATIENCE_SECONDS

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)

_branch = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP request or response; header names in lower case, repeated headers in order."""

    start: str
    headers: Mapping[str, list[str]]

    @classmethod
    def parse(cls, datagram: bytes) -> Message:
        head = datagram.decode("utf-8", "replace").partition("\r\n\r\n")[0]
        start, *lines = head.split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), []).append(value.strip())
        return cls(start, headers)

    def header(self, name: str) -> str:
        """The first header of that name; empty when there is none."""
        return self.headers.get(name.lower(), [""])[0]

    @property
    def method(self) -> str:
        """The method of a request; empty for a response."""
        return "" if self.start.startswith("SIP/2.0") else self.start.split(" ", 1)[0]

    @property
    def status(self) -> int:
        """The status of a response; 0 for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def phrase(self) -> str:
        return self.start.split(" ", 2)[2]

    def reply(self, status: str, contact: str, body: str = "") -> bytes:
        """This request's response, e.g. ``reply("200 OK", "sip:127.0.0.1:5060")``."""
        to = self.header("to")
        lines = [f"SIP/2.0 {status}"]
        lines += [f"Via: {via}" for via in self.headers["via"]]
        lines += [
            f"From: {self.header('from')}",
            f"To: {to}" if ";tag=" in to else f"To: {to};tag=trunk",
            f"Call-ID: {self.header('call-id')}",
            f"CSeq: {self.header('cseq')}",
            f"Contact: <{contact}>",
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a caller saw: the final response to its INVITE and the seconds it took."""

    response: Message
    seconds: float

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def phrase(self) -> str:
        return self.response.phrase


class Phone:
    """A caller with its own UDP port. Use as a context manager; a call still up is ended then."""

    def __init__(self, port: int) -> None:
        """port: where FreeSWITCH's SIP profile listens on 127.0.0.1."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))
        self._here = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = f"127.0.0.1:{port}"
        self._answered: Message | None = None
        self._uri = ""

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        if self._answered is not None:
            self.hang_up()
        self._socket.close()

    def call(
        self,
        called: str,
        caller: str = "+48600900900",
        *,
        name: str = "",
        headers: Mapping[str, str] | None = None,
        uri_parameters: str = "",
    ) -> Outcome:
        """Sends an INVITE and waits for its final response. The texts go out as they are.

        Raises TimeoutError when no final response arrives.
        """
        self._uri = f"sip:{called}@{self._server}{uri_parameters}"
        quoted = f'"{name}" ' if name else ""
        tag = uuid.uuid4().hex[:12]
        common = [
            "Max-Forwards: 70",
            f"From: {quoted}<sip:{caller}@127.0.0.1>;tag={tag}",
            f"Call-ID: {uuid.uuid4()}",
        ]
        via = self._via()
        invite = [
            f"INVITE {self._uri} SIP/2.0",
            via,
            *common,
            f"To: <{self._uri}>",
            "CSeq: 1 INVITE",
            f"Contact: <sip:{caller}@{self._here}>",
            *(f"{key}: {value}" for key, value in (headers or {}).items()),
            "Content-Type: application/sdp",
            f"Content-Length: {len(SDP)}",
        ]
        started = time.perf_counter()
        self._send(invite, SDP)
        while True:
            message = self._receive(started + PATIENCE_SECONDS)
            if message.status >= 200:
                break
        seconds = time.perf_counter() - started
        acknowledged = [f"To: {message.header('to')}", "CSeq: 1 ACK", "Content-Length: 0"]
        if message.status < 300:
            via = self._via()  # RFC 3261 13.2.2.4: the ACK of a 2xx is a transaction of its own
            self._answered = message
        self._send([f"ACK {self._uri} SIP/2.0", via, *common, *acknowledged])
        self._dialog = [*common, f"To: {message.header('to')}"]
        return Outcome(message, seconds)

    def hang_up(self) -> None:
        """Ends the answered call with BYE; AssertionError if the other side has no such call."""
        assert self._answered is not None, "no call was answered"
        self._answered = None
        self._send(
            [
                f"BYE {self._uri} SIP/2.0",
                self._via(),
                *self._dialog,
                "CSeq: 2 BYE",
                "Content-Length: 0",
            ]
        )
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while (message := self._receive(deadline)).header("cseq") != "2 BYE":
            pass
        assert message.status == 200, message.start

    def _via(self) -> str:
        return f"Via: SIP/2.0/UDP {self._here};branch=z9hG4bK{next(_branch)}"

    def _send(self, lines: list[str], body: str = "") -> None:
        self._socket.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _receive(self, deadline: float) -> Message:
        self._socket.settimeout(max(0.001, deadline - time.perf_counter()))
        return Message.parse(self._socket.recv(65535))


class Trunk:
    """A gateway's far end: keeps the INVITEs it gets; busy, but for the numbers in `answering`,
    and in `ringing`: those ring until the caller cancels.
    """

    def __init__(self, port: int = 0) -> None:
        """port: of 127.0.0.1; 0: any free one."""
        self.answering: set[str] = set()
        self.ringing: set[str] = set()
        self._invites: dict[str, Message] = {}
        self._arrived = threading.Condition()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="trunk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        # An empty datagram ends the loop: closing a socket does not wake its reader.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def dialled(self, number: str) -> bool:
        """Whether an INVITE for that number came."""
        with self._arrived:
            return number in self._invites

    def invite(self, number: str) -> Message:
        """The INVITE for that number; TimeoutError when none comes."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: number in self._invites, PATIENCE_SECONDS):
                raise TimeoutError(f"no INVITE for {number}, only for {sorted(self._invites)}")
            return self._invites[number]

    def _serve(self) -> None:
        contact = f"sip:127.0.0.1:{self.port}"
        while True:
            datagram, peer = self._socket.recvfrom(65535)
            if not datagram:
                return
            request = Message.parse(datagram)
            number = request.start.split(" ")[1].removeprefix("sip:").partition("@")[0]
            if request.method == "INVITE":
                with self._arrived:
                    self._invites[number] = request
                    self._arrived.notify_all()
                if number in self.answering:
                    self._socket.sendto(request.reply("200 OK", contact, SDP), peer)
                elif number in self.ringing:
                    self._socket.sendto(request.reply("180 Ringing", contact), peer)
                else:
                    self._socket.sendto(request.reply("486 Busy Here", contact), peer)
            elif request.method in ("BYE", "CANCEL", "OPTIONS"):
                self._socket.sendto(request.reply("200 OK", contact), peer)
                if request.method == "CANCEL" and number in self.ringing:
                    terminated = self.invite(number).reply("487 Request Terminated", contact)
                    self._socket.sendto(terminated, peer)
