"""Every recorded stream through the codec and the conversation: whole, byte by byte, and followed
by the beginning of something else."""

from __future__ import annotations

import pytest

from esl_service.channel_data import read_channel_data
from esl_service.codec import Decoder
from esl_service.conversation import Conversation, LegArrived, LegGone, Unprepared
from esl_service.errors import RemoteProtocolError
from esl_service.switch_side import UNPREPARED
from screening import Decision
from tests.support.transcripts import (
    CASES,
    EXPECTED,
    FEEDS,
    events,
    messages,
    split_naively,
    transcript,
)

# In these the recording service sent commands that a conversation never sends.
ASKED_OTHERWISE = (
    "b5_hangup_myevents_socksync",
    "d5c_bridge_events_socksync",
    "f18_linger_nofull_async",
    "k2_unload_text_full_sock",
)


def test_every_transcript_is_here_and_described() -> None:
    assert len(CASES) == 158
    assert set(CASES) == set(EXPECTED)


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("case", CASES)
def test_codec_finds_the_recorded_messages(case: str, feed: str) -> None:
    data = transcript(case)
    found = messages(Decoder(), FEEDS[feed](data))
    assert [(dict(message.headers), message.body) for message in found] == split_naively(data)


@pytest.mark.parametrize("case", CASES)
def test_the_end_of_the_stream_is_clean_only_between_messages(case: str) -> None:
    data = transcript(case)
    decoder = Decoder()
    assert list(messages(decoder, [data]))
    decoder.end()
    list(messages(decoder, [data[:-1]]))
    with pytest.raises(RemoteProtocolError, match="inside a message"):
        decoder.end()


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("case", CASES)
def test_conversation_reads_the_documented_leg_or_refuses(case: str, feed: str) -> None:
    """The leg, its end before it was described, or a protocol error: nothing else, ever."""
    told = []
    parts = FEEDS[feed](UNPREPARED + transcript(case))
    try:
        for event in events(Conversation(now=0.0), parts, Decision("continue")):
            told.append(event)
    except RemoteProtocolError:
        # The recording service did not begin with `connect`, or went on with something else.
        assert EXPECTED[case] is None or case in ASKED_OTHERWISE
    assert told.pop(0) == Unprepared()
    expected = EXPECTED[case]
    if expected is None:
        assert all(isinstance(event, LegGone) for event in told)
        return
    arrived = told[0]
    assert isinstance(arrived, LegArrived)
    assert {name: getattr(arrived.channel, name) for name in expected} == expected


def test_forged_header_in_a_display_name_stays_in_it() -> None:
    """signalwire's encoding leaves a literal %0A as it is; greenswitch and switchio then read
    Caller-Caller-ID-Number: 5550100."""
    message = next(messages(Decoder(), [transcript("a3_pct0A_name")]))
    assert message.get(b"Caller-Caller-ID-Name") == "Eve\nCaller-Caller-ID-Number: 5550100"
    assert read_channel_data(message).caller_number == "+15550666"


def test_values_that_are_not_utf8_are_replaced() -> None:
    block = b"Name: caf%E9\nPlus: %2B1+2\nEmpty: _undef_\nNone:\n\n"
    (message,) = messages(Decoder(), [block])
    assert message.get(b"Name") == "caf\N{REPLACEMENT CHARACTER}"
    assert message.get(b"Plus") == "+1+2"
    assert message.get(b"Empty") == message.get(b"None") == message.get(b"Missing") == ""
