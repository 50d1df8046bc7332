"""The states of one leg's conversation, and that what it sends is what FreeSWITCH understands."""

from __future__ import annotations

import pytest

from esl_service.answer import BRIDGE, answer
from esl_service.blocking import Blocked
from esl_service.channel_data import (
    ChannelData,
    Mode,
    read_leg,
    write_channel_data,
    write_leg,
)
from esl_service.conversation import (
    ASK_SECONDS,
    CONNECT,
    LEAVE_SECONDS,
    OPENING,
    PARKED_SECONDS,
    CommandRefused,
    Conversation,
    LegArrived,
    LegGone,
    LegLate,
    LegSilent,
    Unprepared,
)
from esl_service.errors import LocalProtocolError, RemoteProtocolError
from esl_service.switch_side import DISCONNECT, UNPREPARED, Answer, SwitchSide
from screening import Decision
from tests.support.transcripts import FEEDS, events

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


MODES: tuple[Mode, ...] = ("sync", "held", "parked")


def switch_side(channel: ChannelData, mode: Mode, prepared: bool = True) -> SwitchSide:
    """FreeSWITCH's side of `channel`. prepared: its dialplan puts it into one line."""
    asynchronous = mode != "sync"
    line = write_leg(channel, asynchronous) if prepared and mode != "parked" else None
    return SwitchSide(write_channel_data(channel), asynchronous, line)


def arrive(conversation: Conversation, switch: SwitchSide, now: float) -> object:
    """What the conversation tells when the leg was described, one way or the other."""
    assert conversation.opening == OPENING
    conversation.receive(switch.receive(conversation.opening))
    event = conversation.next_event(now)
    if isinstance(event, Unprepared):
        conversation.receive(switch.receive(CONNECT))
        event = conversation.next_event(now)
    return event


def play(
    decision: Decision | Blocked, mode: Mode, prepared: bool = True
) -> tuple[Answer, list[bytes]]:
    """One leg from the first byte to the last, FreeSWITCH's side played by SwitchSide."""
    switch = switch_side(ChannelData(uuid="leg-1"), mode, prepared)
    conversation = Conversation(now=10.0)
    arrived = arrive(conversation, switch, now=10.0)
    assert isinstance(arrived, LegArrived)
    assert conversation.next_event(now=99.0) is None
    assert (arrived.channel.uuid, arrived.channel.mode) == ("leg-1", mode)
    sent = conversation.answer(decision, now=10.0)
    assert conversation.deadline == 10.0 + LEAVE_SECONDS
    conversation.receive(switch.receive(sent) + DISCONNECT)
    assert conversation.next_event(now=10.0) is None
    assert conversation.over
    return switch.answer, sent.split(b"\n\n")[:-1]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", DECISIONS)
def test_the_whole_answer_arrives(name: str, mode: Mode) -> None:
    decision = DECISIONS[name]
    received, commands = play(decision, mode)
    assert received.final
    assert received.variables["callsieve_action"] == decision.action
    assert received.variables["callsieve_leg"] == ""  # what is asked next is not about this
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
    # Recorded: `resume` leaves a synchronous leg in reset for ever, and a parked one that is told
    # to exit without it can stay parked for ever. A transfer out of the park needs neither.
    ends = [end for it in commands for end in (b"resume", b"exit") if it.endswith(end)]
    transferred = name in ("redirect", "bridge") and mode == "parked"
    assert ends == ([] if transferred else [b"resume", b"exit"] if mode == "parked" else [b"exit"])


@pytest.mark.parametrize(
    "status",
    ["Don't call", "a|b", "^^|x", "back\\slash", " padded ", "zażółć", "a=b", "a,b;c", '"quoted"'],
)
def test_awkward_values_arrive(status: str) -> None:
    received, _ = play(Decision("skip", status=status), "sync")
    assert received.variables["callsieve_status"] == status.replace("\\", "?")


@pytest.mark.parametrize(
    "reason",
    ["${system touch /tmp/x}", "$${x}", "a\nexit\n\n", "reload mod_event_socket", "nul\0", "\x85"],
)
def test_nothing_that_freeswitch_would_act_on_is_sent(reason: str) -> None:
    sent = answer(Decision("continue", reason=reason), "sync")
    assert sent.count(b"\n\n") == 2
    for forbidden in (b"$", b"{", b"mod_event_socket", b"\0", "\x85".encode()):
        assert forbidden not in sent


def test_a_redirect_that_would_expand_is_a_local_error() -> None:
    with pytest.raises(LocalProtocolError):
        answer(Decision("redirect", redirect="${caller_id_name}"), "sync")


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
    switch = switch_side(ChannelData(uuid="leg-1"), "sync")
    told = list(
        events(
            conversation := Conversation(now=0.0),
            [switch.receive(conversation.opening) + DISCONNECT],
            Decision("continue"),
        )
    )
    assert [type(event) for event in told] == [LegArrived]
    assert conversation.over


LATE = 5.0 + PARKED_SECONDS
ASYNCHRONOUS: tuple[Mode, ...] = ("held", "parked")


@pytest.mark.parametrize("mode", ASYNCHRONOUS)
def test_an_asynchronous_leg_that_is_described_too_late_is_left_alone(mode: Mode) -> None:
    """Its dialplan may have taken it on: a command now would hit a call that has gone on."""
    conversation = Conversation(now=5.0)
    assert arrive(conversation, switch_side(ChannelData(uuid="1"), mode), LATE) == LegLate()
    assert conversation.over


def test_a_parked_leg_that_runs_something_else_is_left_alone() -> None:
    conversation = Conversation(now=5.0)
    channel = ChannelData(application="bridge")
    assert arrive(conversation, switch_side(channel, "parked"), 5.0) == LegLate()


@pytest.mark.parametrize("mode", ASYNCHRONOUS)
def test_a_decision_that_took_too_long_is_not_sent_to_an_asynchronous_leg(mode: Mode) -> None:
    conversation = Conversation(now=5.0)
    arrived = arrive(conversation, switch_side(ChannelData(uuid="1"), mode), 5.0)
    assert isinstance(arrived, LegArrived)
    assert conversation.answer(Decision("hangup", cause="CALL_REJECTED"), now=LATE) == b""
    assert conversation.over


@pytest.mark.parametrize("prepared", [True, False])
def test_a_synchronous_leg_is_answered_late_too(prepared: bool) -> None:
    """Nothing takes it on but its end."""
    conversation = Conversation(now=5.0)
    switch = switch_side(ChannelData(uuid="1"), "sync", prepared)
    assert isinstance(arrive(conversation, switch, LATE), LegArrived)
    assert conversation.answer(Decision("continue"), now=LATE)


def test_a_leg_that_its_dialplan_did_not_describe_is_asked_for() -> None:
    received, _ = play(DECISIONS["hangup"], "sync", prepared=False)
    assert received.argument("hangup") == "CALL_REJECTED"


LEG = ChannelData(
    uuid="leg-1",
    direction="inbound",
    caller_number="+48600100200",
    called_number="+48221234567",
    from_user="anonymous",
    network_address="2001:db8::1",
    gateway="trunk",
    flow="outbound",
    campaign="Wiosna zażółć, 2. tura",
    queue="Infoline",
    widget="shop",
    route="Poland",
    region="PL",
    number="604 555 666",
    list="Default",
    privacy=True,
    mode="sync",
)


def test_a_line_says_all_that_a_decision_needs() -> None:
    line = write_leg(LEG, asynchronous=False)
    assert line is not None
    assert read_leg(line) == LEG


@pytest.mark.parametrize(
    "text", ["a|b", "a!b", "a\nb", "$x", "a'b", 'a"b', "a\\b", "%41", "{", "x" * 65]
)
def test_texts_that_would_break_out_of_the_line_make_none(text: str) -> None:
    assert write_leg(ChannelData(uuid="1", caller_number=text), asynchronous=True) is None


def test_a_line_that_freeswitch_would_cut_is_none() -> None:
    long = "x" * 64
    channel = ChannelData(long, long, long, long, long, long, long, flow=long)
    assert write_leg(channel, asynchronous=True) is None


@pytest.mark.parametrize("line", ["", "-ERR command not found", "sync|end", "async" + "|" * 17])
def test_what_is_no_whole_line_is_no_leg(line: str) -> None:
    assert read_leg(line) is None
    whole = write_leg(LEG, asynchronous=False)
    assert whole is not None
    assert all(read_leg(whole[:length]) is None for length in range(len(whole)))


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_line_is_read_however_it_comes(asynchronous: bool, feed: str) -> None:
    line = write_leg(LEG, asynchronous)
    switch = SwitchSide({}, asynchronous, line)
    parts = FEEDS[feed](switch.receive(OPENING))
    (arrived,) = events(Conversation(now=0.0), parts, Decision("continue"))
    assert isinstance(arrived, LegArrived)
    assert arrived.channel == LEG._replace(mode="held" if asynchronous else "sync")


def test_a_refused_command_is_reported() -> None:
    refusal = b"Content-Type: command/reply\nReply-Text: -ERR invalid session\n\n"
    conversation = Conversation(now=0.0)
    switch = switch_side(ChannelData(uuid="1"), "sync")
    parts = [switch.receive(conversation.opening), refusal]
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
        list(events(Conversation(now=0.0), [UNPREPARED + data], Decision("continue")))


@pytest.mark.parametrize("mode", MODES)
def test_what_became_of_a_number_is_told_in_variables_and_the_leg_goes_on(mode: Mode) -> None:
    reason = "held back: ${system reboot}\n\nsendmsg, 'quoted' | ^^"
    answer, commands = play(Blocked("refused: held back", "+48221234567", "Default", reason), mode)
    assert answer.variables == {
        "callsieve_leg": "",
        "callsieve_action": "continue",
        "callsieve_status": "refused: held back",
        "callsieve_number": "+48221234567",
        "callsieve_list": "Default",
        "callsieve_reason": "held back: ??system reboot???sendmsg, 'quoted' | ^^",
    }
    assert {name for name, _ in answer.executed} == {"multiset", "set"}
    assert commands[-1].endswith(b"exit")
    assert any(command.endswith(b"resume") for command in commands) == (mode == "parked")
    answer, _ = play(Blocked("refused: number", None, None, "no number"), mode)
    assert "callsieve_number" not in answer.variables
