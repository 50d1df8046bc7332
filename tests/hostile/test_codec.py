"""Bytes that nobody should send: a message, a RemoteProtocolError, bounded memory; nothing else."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from esl_service.codec import MAX_BLOCK_BYTES, MAX_BODY_BYTES, MAX_HEADERS, Decoder, Message
from esl_service.conversation import (
    CONNECT,
    CommandRefused,
    Conversation,
    LegArrived,
    LegGone,
    Unprepared,
)
from esl_service.errors import RemoteProtocolError
from esl_service.switch_side import UNPREPARED, SwitchSide
from screening import Decision
from tests.support.transcripts import events, messages

# Mostly pieces of the protocol, so that generated streams get past the first line.
WIRE = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [
                b"Content-Type: command/reply\n",
                b"Content-Type: text/disconnect-notice\n",
                b"Event-Name: CHANNEL_DATA\n",
                b"Unique-ID: 1\n",
                b"Content-Length: 3\n",
                b"Content-Length: 99999999999999999999\n",
                b"Content-Length: -1\n",
                b"\n",
                b"\n\n",
                b": \n",
                b"Caller-Caller-ID-Name: x%0ACaller-Caller-ID-Number: 1\n",
                "\u2028\x85: \u2028\n".encode(),
                b"\0\xff\xfe: %\n",
            ]
        ),
    ),
    max_size=30,
).map(b"".join)


def read(data: bytes, cuts: list[int]) -> tuple[list[Message], bool]:
    """The messages of `data` cut at `cuts`, and whether it ended in a protocol error."""
    found = []
    positions = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    parts = [data[start:end] for start, end in pairwise(positions)]
    try:
        for message in messages(Decoder(), parts):
            found.append(message)
    except RemoteProtocolError:
        return found, True
    return found, False


@given(WIRE, st.lists(st.integers(0, 2000), max_size=8))
@example(b"\n\n\nA: 1\n\n\n\nB: 2\n\n", [1, 2, 5])
def test_how_a_stream_is_cut_changes_nothing(data: bytes, cuts: list[int]) -> None:
    assert read(data, []) == read(data, cuts)


@given(WIRE)
def test_any_stream_gives_a_leg_an_end_or_a_remote_error(data: bytes) -> None:
    with suppress(RemoteProtocolError):
        for event in events(Conversation(now=0.0), [UNPREPARED, data], Decision("continue")):
            assert isinstance(event, Unprepared | LegArrived | LegGone | CommandRefused)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
@example("x%0ACaller-Caller-ID-Number: +48999999999")
@example("a\nCaller-Caller-ID-Number: +48999999999\n\n")
def test_a_display_name_never_becomes_another_header(name: str) -> None:
    switch = SwitchSide(
        {"Caller-Caller-ID-Name": name, "Caller-Caller-ID-Number": "+48600100200"},
        asynchronous=True,
    )
    parts = [UNPREPARED, switch.receive(CONNECT)]
    (_, arrived) = events(Conversation(now=0.0), parts, Decision("continue"))
    assert isinstance(arrived, LegArrived)
    assert arrived.channel.caller_number == "+48600100200"


def test_the_first_of_contradicting_headers_wins() -> None:
    block = b"A: 1\nA: 2\nContent-Length: 1\nContent-Length: 5\n\nx"
    (message,) = messages(Decoder(), [block])
    assert (message.get(b"A"), message.body) == ("1", b"x")


@pytest.mark.parametrize(
    "data",
    [
        b"A: " + b"x" * (MAX_BLOCK_BYTES + 1),
        b"x" * (MAX_BLOCK_BYTES + 1),
        b"A: 1\n" * (MAX_HEADERS + 1) + b"\n",
        b"a:\n" * 100_000 + b"\n",
        b"no colon here\n\n",
        b"A: 1\nno colon here\n\n",
        b"Content-Length: -1\n\n",
        b"Content-Length: 1_0\n\n",
        b"Content-Length: +5\n\n",
        b"Content-Length: \xd9\xa3\n\n",
        b"Content-Length: %d\n\n" % (MAX_BODY_BYTES + 1),
        b"Content-Length: " + b"9" * 5000 + b"\n\n",
    ],
)
def test_what_is_out_of_bounds_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        list(messages(Decoder(), [data]))


def test_a_body_that_never_comes_and_a_block_that_never_ends_stay_small() -> None:
    decoder = Decoder()
    tracemalloc.start()
    try:
        assert not list(messages(decoder, [b"Content-Length: %d\n\n" % MAX_BODY_BYTES]))
        endless = Decoder()
        with pytest.raises(RemoteProtocolError):
            list(messages(endless, (b"a" * 1000 for _ in range(MAX_BLOCK_BYTES // 1000 + 2))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_BLOCK_BYTES
