"""The states of one leg's conversation, and that what it sends is what FreeSWITCH understands."""

from __future__ import annotations

import pytest

from esl_service.answer import BRIDGE, answer
from esl_service.blocking import Blocked
from esl_service.channel_data import ChannelData, write_channel_data
from esl_service.conversation import (
    ASK_SECONDS,
    CONNECT,
    LEAVE_SECONDS,
    PARKED_SECONDS,
    CommandRefused,
    Conversation,
    LegArrived,
    LegGone,
    LegLate,
    LegSilent,
)
from esl_service.errors import LocalProtocolError, RemoteProtocolError
from esl_service.switch_side import DISCONNECT, Answer, SwitchSide
from screening import Decision
from tests.support.transcripts import events

RECEIPT = {
    "list": "Default",
    "entry": "+48600100200",
    "number": "+48600100200",
    "rule": "forwarding[1]",
    "generation": 7,
    "reason": "the caller number is on the list Default",
}
DECISIONS = {
    "continue": Decision("continue", number="+48601000111", reason="no forwarding matched"),
    "hangup": Decision("hangup", cause="CALL_REJECTED", **RECEIPT),  # type: ignore[arg-type]
    "redirect": Decision("redirect", redirect="1000", **RECEIPT),  # type: ignore[arg-type]
    "redirect to a URI": Decision(
        "redirect",
        redirect="sip:voicemail@example.com",
        **RECEIPT,  # type: ignore[arg-type]
    ),
    "bridge": Decision("redirect", redirect="sofia/gateway/berlin/+493012345", **RECEIPT),  # type: ignore[arg-type]
    "SIP response": Decision("hangup", response=607, **RECEIPT),  # type: ignore[arg-type]
    "608": Decision("hangup", response=608, call_info="https://example.com/card", **RECEIPT),  # type: ignore[arg-type]
    "marked": Decision("continue", marked="hangup", **RECEIPT),  # type: ignore[arg-type]
    "skip": Decision("skip", status="Do not call", **RECEIPT),  # type: ignore[arg-type]
    "present": Decision("present", presentation_number="+48221234567"),
}


def play(decision: Decision | Blocked, parks: bool) -> tuple[Answer, list[bytes]]:
    """One leg from the first byte to the last, FreeSWITCH's side played by SwitchSide."""
    switch = SwitchSide(write_channel_data(ChannelData(uuid="leg-1")), parks)
    conversation = Conversation(now=10.0)
    assert conversation.opening == CONNECT
    conversation.receive(switch.receive(conversation.opening))
    arrived = conversation.next_event(now=10.0)
    assert isinstance(arrived, LegArrived)
    assert conversation.next_event(now=99.0) is None
    assert (arrived.channel.uuid, arrived.channel.parks) == ("leg-1", parks)
    sent = conversation.answer(decision, now=10.0)
    assert conversation.deadline == 10.0 + LEAVE_SECONDS
    conversation.receive(switch.receive(sent) + DISCONNECT)
    assert conversation.next_event(now=10.0) is None
    assert conversation.over
    return switch.answer, sent.split(b"\n\n")[:-1]


@pytest.mark.parametrize("parks", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", DECISIONS)
def test_the_whole_answer_arrives(name: str, parks: bool) -> None:
    decision = DECISIONS[name]
    received, commands = play(decision, parks)
    assert received.final
    assert received.variables["callsieve_action"] == decision.action
    assert received.variables.get("callsieve_list") == decision.list
    assert received.variables.get("callsieve_status") == decision.status
    assert received.variables.get("effective_caller_id_number") == decision.presentation_number
    assert received.variables["callsieve_reason"] == decision.reason or not decision.reason
    assert received.argument("hangup") == decision.cause
    target = received.argument("transfer", "redirect")
    if target == BRIDGE:
        target = received.variables[BRIDGE]
    assert target == decision.redirect
    assert received.variables.get("callsieve_marked") == decision.marked
    responses = {None: None, 607: "607 Unwanted", 608: "608 Rejected"}
    assert received.argument("respond") == responses[decision.response]
    header = "<https://example.com/card>;purpose=jwscard" if decision.call_info else None
    assert received.variables.get("sip_rh_Call-Info") == header
    # Recorded: `resume` leaves a synchronous leg in reset for ever, and an asynchronous one that is
    # told to exit without it can stay parked for ever. A transfer out of async needs neither.
    ends = [command for command in commands if command in (b"resume", b"exit")]
    transferred = name in ("redirect", "bridge") and parks
    assert ends == ([] if transferred else [b"resume", b"exit"] if parks else [b"exit"])


@pytest.mark.parametrize(
    "status",
    ["Don't call", "a|b", "^^|x", "back\\slash", " padded ", "zażółć", "a=b", "a,b;c", '"quoted"'],
)
def test_awkward_values_arrive(status: str) -> None:
    received, _ = play(Decision("skip", status=status), parks=False)
    assert received.variables["callsieve_status"] == status.replace("\\", "?")


@pytest.mark.parametrize(
    "reason",
    ["${system touch /tmp/x}", "$${x}", "a\nexit\n\n", "reload mod_event_socket", "nul\0", "\x85"],
)
def test_nothing_that_freeswitch_would_act_on_is_sent(reason: str) -> None:
    sent = answer(Decision("continue", reason=reason), parks=False)
    assert sent.count(b"\n\n") == 2
    for forbidden in (b"$", b"{", b"mod_event_socket", b"\0", "\x85".encode()):
        assert forbidden not in sent


def test_a_redirect_that_would_expand_is_a_local_error() -> None:
    with pytest.raises(LocalProtocolError):
        answer(Decision("redirect", redirect="${caller_id_name}"), parks=False)


def test_silence_ends_at_the_deadline() -> None:
    conversation = Conversation(now=1.0)
    assert conversation.next_event(now=1.0 + ASK_SECONDS - 0.001) is None
    assert conversation.next_event(now=1.0 + ASK_SECONDS) == LegSilent()
    assert conversation.over


@pytest.mark.parametrize("ending", [b"", DISCONNECT], ids=["end of stream", "disconnect notice"])
def test_a_leg_that_ends_before_its_answer_is_gone(ending: bytes) -> None:
    conversation = Conversation(now=0.0)
    conversation.receive(ending)
    assert conversation.next_event(now=0.0) == LegGone()
    assert conversation.over
    with pytest.raises(LocalProtocolError):
        conversation.answer(Decision("continue"), now=0.0)


def test_a_leg_cancelled_right_behind_its_description_is_answered_and_over() -> None:
    """CANCEL can put the disconnect notice into the same read as the channel data."""
    switch = SwitchSide({}, parks=False)
    told = list(
        events(
            conversation := Conversation(now=0.0),
            [switch.receive(conversation.opening) + DISCONNECT],
            Decision("continue"),
        )
    )
    assert [type(event) for event in told] == [LegArrived]
    assert conversation.over


def described(channel: ChannelData, parks: bool) -> bytes:
    return SwitchSide(write_channel_data(channel), parks).receive(CONNECT)


LATE = 5.0 + PARKED_SECONDS


def test_a_parked_leg_that_was_described_too_late_is_left_alone() -> None:
    """Its dialplan may have taken it on: a command now would hit a call that has gone on."""
    conversation = Conversation(now=5.0)
    conversation.receive(described(ChannelData(), parks=True))
    assert conversation.next_event(now=LATE) == LegLate()
    assert conversation.over


def test_a_parked_leg_that_runs_something_else_is_left_alone() -> None:
    conversation = Conversation(now=5.0)
    conversation.receive(described(ChannelData(application="bridge"), parks=True))
    assert conversation.next_event(now=5.0) == LegLate()


def test_a_decision_that_took_too_long_is_not_sent_to_a_parked_leg() -> None:
    conversation = Conversation(now=5.0)
    conversation.receive(described(ChannelData(), parks=True))
    assert isinstance(conversation.next_event(now=5.0), LegArrived)
    assert conversation.answer(Decision("hangup", cause="CALL_REJECTED"), now=LATE) == b""
    assert conversation.over


def test_a_leg_that_does_not_park_is_answered_late_too() -> None:
    """Nothing takes it on but its end."""
    conversation = Conversation(now=5.0)
    conversation.receive(described(ChannelData(), parks=False))
    assert isinstance(conversation.next_event(now=LATE), LegArrived)
    assert conversation.answer(Decision("continue"), now=LATE)


def test_a_refused_command_is_reported() -> None:
    refusal = b"Content-Type: command/reply\nReply-Text: -ERR invalid session\n\n"
    conversation = Conversation(now=0.0)
    parts = [SwitchSide({}, parks=False).receive(conversation.opening), refusal]
    (_, told) = events(conversation, parts, Decision("continue"))
    assert told == CommandRefused("-ERR invalid session")
    assert not conversation.over


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Type: auth/request\n\n",
        b"Content-Type: command/reply\nReply-Text: +OK\n\n",
        b"Content-Type: command/reply\nEvent-Name: CHANNEL_DATA\n\n",
        b"HTTP/1.1 200 OK\r\n\r\n" * 3 + b"\n\n",
    ],
)
def test_what_is_no_leg_is_a_remote_error(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        list(events(Conversation(now=0.0), [data], Decision("continue")))


@pytest.mark.parametrize("parks", [False, True], ids=["sync", "async"])
def test_what_became_of_a_number_is_told_in_variables_and_the_leg_goes_on(parks: bool) -> None:
    reason = "held back: ${system reboot}\n\nsendmsg, 'quoted' | ^^"
    answer, commands = play(Blocked("refused: held back", "+48221234567", "Default", reason), parks)
    assert answer.variables == {
        "callsieve_action": "continue",
        "callsieve_status": "refused: held back",
        "callsieve_number": "+48221234567",
        "callsieve_list": "Default",
        "callsieve_reason": "held back: ??system reboot???sendmsg, 'quoted' | ^^",
    }
    assert {name for name, _ in answer.executed} == {"multiset", "set"}
    assert commands[-1] == b"exit"
    assert (b"resume" in commands) == parks
    answer, _ = play(Blocked("refused: number", None, None, "no number"), parks)
    assert "callsieve_number" not in answer.variables
