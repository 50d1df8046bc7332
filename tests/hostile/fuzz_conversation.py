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
        CommandRefused,
        Conversation,
        LegArrived,
        LegGone,
        LegLate,
    )
    from esl_service.errors import RemoteProtocolError, UnanswerableLegError
    from screening import Rules, decide
    from screening.rules import Forwarding, SkipRule

from tests.support.number_lists import number_lists

LISTS = number_lists(Default=["+48600100200", "+48700*", "anonymous"])
RULES = Rules(
    default_region="PL",
    forwardings=(Forwarding("forwarding[1]", "Default", "hangup"),),
    campaigns={"Spring sale": SkipRule("campaign", ("Default",))},
)


def one_leg(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    cuts = [provider.ConsumeIntInRange(0, 8192) for _ in range(provider.ConsumeIntInRange(0, 3))]
    stream = provider.ConsumeBytes(sys.maxsize)
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
        assert isinstance(event, LegArrived | LegGone | LegLate | CommandRefused), event
        if isinstance(event, LegArrived):
            facts = read_facts(event.channel, RULES)
            decision = decide(facts, RULES, LISTS, random.Random(1))
            check(conversation.answer(decision, now=0.0))


def check(answer: bytes) -> None:
    assert len(answer) < 16384
    commands = answer.decode("utf-8").split("\n\n")
    assert commands[-1] == "", answer
    assert "$" not in answer.decode()
    for command in commands[:-1]:
        assert command in ("exit", "resume") or command.startswith("sendmsg\ncall-command: "), (
            command
        )
        assert len(command.split("\n")) in (1, 3, 4), command


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_leg)
    atheris.Fuzz()
