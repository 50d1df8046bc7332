"""The recorded event-socket streams of a real FreeSWITCH, and three ways to feed them.

`tests/wire/transcripts/CASE.bin` is exactly what FreeSWITCH sent on one connection. `expected.json`
beside this says what the leg in it is, written down from the SIP messages of the same recording.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from esl_service.codec import Decoder, Message
from esl_service.conversation import Conversation, Event, LegArrived
from screening import Decision

DIRECTORY = Path(__file__).parent.parent / "wire" / "transcripts"
CASES = sorted(path.stem for path in DIRECTORY.glob("*.bin"))
EXPECTED: dict[str, dict[str, Any] | None] = json.loads(
    (DIRECTORY / "expected.json").read_text("utf-8")
)
TRAILING = b"Content-Type: text/disc"


def transcript(case: str) -> bytes:
    return (DIRECTORY / f"{case}.bin").read_bytes()


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    for position in range(len(data)):
        yield data[position : position + 1]


def with_trailing_bytes(data: bytes) -> Iterator[bytes]:
    yield data + TRAILING


FEEDS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "whole": whole,
    "byte by byte": byte_by_byte,
    "with trailing bytes": with_trailing_bytes,
}


def messages(decoder: Decoder, parts: Iterable[bytes]) -> Iterator[Message]:
    """What the decoder makes of `parts`, fed one after the other."""
    for part in parts:
        decoder.feed(part)
        while (message := decoder.next_message()) is not None:
            yield message


def events(
    conversation: Conversation, parts: Iterable[bytes], decision: Decision, now: float = 0.0
) -> Iterator[Event]:
    """What the conversation tells of `parts`; a leg that arrives is answered with `decision`."""
    for part in parts:
        conversation.receive(part)
        while (event := conversation.next_event(now)) is not None:
            yield event
            if isinstance(event, LegArrived):
                conversation.answer(decision, now)


def split_naively(data: bytes) -> list[tuple[dict[bytes, bytes], bytes]]:
    """An independent reading of a complete stream: blocks, first header wins, bodies by length."""
    messages = []
    while data.strip(b"\n"):
        block, data = data.lstrip(b"\n").split(b"\n\n", 1)
        headers: dict[bytes, bytes] = {}
        for line in block.split(b"\n"):
            name, _, value = line.partition(b": ")
            if name not in headers:
                headers[name] = value
        length = int(headers.get(b"Content-Length", b"0"))
        messages.append((headers, data[:length]))
        data = data[length:]
    return messages
