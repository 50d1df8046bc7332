"""Fuzzes a leg from its first byte to its answer: `make fuzz`, and shortly in every test run.

Usage: fuzz_conversation.py [LIBFUZZER OPTIONS] CORPUS...

The invariant: any bytes, cut anywhere, give a decision, a RemoteProtocolError or an end, in bounded
memory and time, and an answer that FreeSWITCH neither expands nor misreads.
"""

from __future__ import annotations

import random
import sys

import atheris

with atheris.instrument_imports(include=["esl_service", "screening", "callsieve"]):
    from callsieve.screener import read_facts
    from esl_service.conversation import (
        CONNECT,
        CommandRefused,
        Conversation,
        LegArrived,
        LegGone,
        LegLate,
        Unprepared,
    )
    from esl_service.errors import RemoteProtocolError, UnanswerableLegError
    from esl_service.switch_side import SwitchSide
    from screening import Rules, decide
    from screening.rules import Forwarding, SkipRule

from tests.support.number_lists import number_lists
from tests.support.service import UNPREPARED

LISTS = number_lists(Default=["+48600100200", "+48700*", "anonymous"])
RULES = Rules(
    default_region="PL",
    forwardings=(Forwarding("forwarding[1]", "Default", "hangup"),),
    campaigns={"Spring sale": SkipRule("campaign", ("Default",))},
)


EVENTS = Unprepared | LegArrived | LegGone | LegLate | CommandRefused
LINE = b"Content-Type: command/reply\nReply-Text: sync|"


def one_leg(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    cuts = [provider.ConsumeIntInRange(0, 8192) for _ in range(provider.ConsumeIntInRange(0, 3))]
    first = provider.PickValueInList([UNPREPARED, UNPREPARED, LINE, b""])
    stream = first + provider.ConsumeBytes(sys.maxsize)
    conversation = Conversation(now=0.0)
    try:
        for part in cut(stream, cuts):
            conversation.receive(part)
            act(conversation)
        conversation.receive(b"")
        act(conversation)
    except (RemoteProtocolError, UnanswerableLegError):
        return  # the connection is closed
    assert conversation.over


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    parts = []
    for size in cuts:
        parts.append(stream[:size])
        stream = stream[size:]
    return [part for part in [*parts, stream] if part]


def act(conversation: Conversation) -> None:
    while (event := conversation.next_event(now=0.0)) is not None:
        assert isinstance(event, EVENTS), event
        if isinstance(event, LegArrived):
            facts = read_facts(event.channel, RULES)
            decision = decide(facts, RULES, LISTS, random.Random(1))
            check(conversation.answer(decision, now=0.0))


def check(answer: bytes) -> None:
    assert len(answer) < 16384
    assert b"$" not in answer
    switch = SwitchSide({}, asynchronous=True)
    switch.receive(CONNECT + answer)  # what is no command is an error
    assert switch.answer.final


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_leg)
    atheris.Fuzz()
