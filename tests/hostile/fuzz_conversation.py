"""Fuzzes a leg from its first byte to its answer: `make fuzz`, and shortly in every test run.

Usage: fuzz_conversation.py [LIBFUZZER OPTIONS] CORPUS...

The invariant: any bytes, cut anywhere, give a decision, a RemoteProtocolError or an end, in bounded
memory and time, and an answer that FreeSWITCH neither expands nor misreads.
"""

from __future__ import annotations

import random
import sys
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)

import atheris

SOURCES = (SourceFileLoader, SOURCE_SUFFIXES)
EXTENSIONS = (ExtensionFileLoader, EXTENSION_SUFFIXES)

with atheris.instrument_imports(include=["esl_service", "screening", "callsieve"]):
    # Python that is compiled comes from its source here: only there atheris sees what is reached.
    sys.path_hooks.insert(0, FileFinder.path_hook(SOURCES, EXTENSIONS))
    sys.path_importer_cache.clear()

    from callsieve.screener import read_facts
    from esl_service import answer, channel_data, codec, conversation
    from esl_service.conversation import (
        CommandRefused,
        Conversation,
        LegArrived,
        LegGone,
        LegLate,
        Unprepared,
    )
    from esl_service.errors import RemoteProtocolError, UnanswerableLegError
    from esl_service.switch_side import UNPREPARED
    from screening import Rules, decide
    from screening.rules import Forwarding, SkipRule
    from tests.support.number_lists import number_lists

LISTS = number_lists(Default=["+48600100200", "+48700*", "anonymous"])
RULES = Rules(
    default_region="PL",
    forwardings=(Forwarding("forwarding[1]", "Default", "hangup"),),
    campaigns={"Spring sale": SkipRule("campaign", ("Default",))},
)


for module in (answer, channel_data, codec, conversation):
    assert str(module.__file__).endswith(".py"), module

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


EXECUTE = {"call-command", "execute-app-name"}
COMMANDS = (
    EXECUTE,
    EXECUTE | {"execute-app-arg"},
    EXECUTE | {"content-type", "content-length"},
    {"call-command", "hangup-cause"},
)


def check(answer: bytes) -> None:
    assert len(answer) < 16384
    assert "$" not in answer.decode()
    while answer:
        command, answer = answer.split(b"\n\n", 1)
        first, *lines = command.decode().split("\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines), command
        assert (first in ("exit", "resume") and not headers) or (
            first == "sendmsg" and headers.keys() in COMMANDS
        ), command
        length = int(headers.get("content-length", "0"))
        assert len(answer) >= length, command
        body, answer = answer[:length], answer[length:]
        assert b"\n" not in body, body


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_leg)
    atheris.Fuzz()
