"""Every flow, outcome and fault on a real FreeSWITCH, as the telephone and the trunk see it.

FreeSWITCH runs with the files of ``freeswitch_conf/`` as shipped; ``callsieve serve`` answers it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from esl_service.channel_data import ChannelData, read_leg
from esl_service.conversation import CONNECT, OPENING
from tests.support.freeswitch import NOT_FOUND, Control, FreeSwitch, find_freeswitch, free_port
from tests.support.service import Service, running
from tests.support.sip import Outcome, Phone, Trunk

BINARY = find_freeswitch()
if BINARY is None:
    pytest.skip(NOT_FOUND, allow_module_level=True)

STORE = Path(__file__).parent / "freeswitch_store"

HOTLINE = "+48221000001"
"""A DID that a forwarding is bound to; its extension refuses with 480 and says what it knows."""
ANSWERING = "+48221000002"
"""A DID whose extension answers."""

BRIDGED = "+48600900077"
"""What a rule bridges callers to."""

LISTED = "+48600100200"
UNLISTED = "+48600900900"

OUR_NUMBERS = ("+48221110001", "+48221110002")
"""The list that the route presents from."""

NAMED = {
    "outbound": "callsieve_campaign='Spring sale'",
    "callback": "callsieve_queue=Infoline",
    "widget": "callsieve_widget='Home page'",
}
"""The flows that dial, each with the variable that its leg is sent into the dialplan with."""

GUARD_SECONDS = 2
"""When the dialplan stops waiting for the service."""


@pytest.fixture(scope="session")
def trunk() -> Iterator[Trunk]:
    trunk = Trunk()
    yield trunk
    trunk.close()


@pytest.fixture(scope="session")
def freeswitch(tmp_path_factory: pytest.TempPathFactory, trunk: Trunk) -> Iterator[FreeSwitch]:
    assert BINARY is not None
    with FreeSwitch(tmp_path_factory.mktemp("freeswitch"), trunk.port).running(BINARY) as running:
        yield running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("callsieve") / "store"
    shutil.copytree(STORE, store)
    with running(store) as started:
        yield started


@pytest.fixture
def screened(freeswitch: FreeSwitch, service: Service) -> FreeSwitch:
    """FreeSWITCH with the service that it should have."""
    freeswitch.use_service(service.place)
    return freeswitch


@pytest.fixture
def control(screened: FreeSwitch) -> Iterator[Control]:
    """The event socket of `screened`, with the events of the test."""
    with screened.control() as control:
        control.subscribe("CHANNEL_HANGUP_COMPLETE", "ADD_SCHEDULE", "DEL_SCHEDULE")
        yield control


def call(
    freeswitch: FreeSwitch,
    called: str,
    caller: str,
    *,
    name: str = "",
    headers: Mapping[str, str] | None = None,
    uri_parameters: str = "",
) -> Outcome:
    with Phone(freeswitch.sip_port) as phone:
        return phone.call(called, caller, name=name, headers=headers, uri_parameters=uri_parameters)


def dial(control: Control, flow: str, number: str, variables: str = "") -> str:
    """What a dialer sees that sends a leg through the dialplan: ``+OK UUID`` or ``-ERR CAUSE``."""
    return control.api(
        f"originate {{{variables or NAMED[flow]}}}loopback/{number}/callsieve_{flow}/XML &park()"
    ).strip()


def call_record(control: Control, number: str) -> Mapping[str, str]:
    """What FreeSWITCH knew of the leg to that number when it ended, as in a CDR."""
    return control.wait_for_event(
        {"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Channel-Name": f"loopback/{number}-b"}
    )


def guard_was_cancelled(control: Control, task: str) -> bool:
    """Whether the timer that would take the leg away was taken back before it was due."""
    added = control.wait_for_event({"Event-Name": "ADD_SCHEDULE", "Task-Desc": task})
    # A late event makes the difference smaller, so a busy machine does not change the outcome.
    assert int(added["Task-Runtime"]) - int(added["Event-Date-Timestamp"]) // 1_000_000 <= (
        GUARD_SECONDS
    )
    gone = control.wait_for_event({"Event-Name": "DEL_SCHEDULE", "Task-ID": added["Task-ID"]})
    return int(gone["Event-Date-Timestamp"]) / 1_000_000 < int(gone["Task-Runtime"])


# Forwardings of inbound calls


def test_a_caller_on_no_list_reaches_the_did(screened: FreeSwitch) -> None:
    outcome = call(screened, HOTLINE, UNLISTED)
    assert outcome.status == 480
    assert outcome.phrase == f"DID {HOTLINE} action=continue left="


@pytest.mark.parametrize(
    ("caller", "headers"),
    [
        (LISTED, {}),
        ("0048600100200", {}),
        ("600100200", {}),
        ("+48700555555", {}),
        ("anonymous", {}),
        ("mallory", {}),
        ("%6dallory;x=y", {}),
        (UNLISTED, {"P-Asserted-Identity": f"<sip:{LISTED}@127.0.0.1>"}),
        (LISTED, {"P-Asserted-Identity": f"<sip:{UNLISTED}@127.0.0.1>"}),
        (UNLISTED, {"P-Asserted-Identity": f"<sip:{UNLISTED}@127.0.0.1>", "Privacy": "id"}),
    ],
    ids=[
        "exact",
        "00 prefix",
        "national",
        "prefix entry",
        "withheld",
        "SIP address",
        "SIP address with an escape and a parameter",
        "asserted",
        "From behind an asserted number",
        "privacy",
    ],
)
def test_a_listed_caller_is_refused(
    screened: FreeSwitch, caller: str, headers: Mapping[str, str]
) -> None:
    outcome = call(screened, HOTLINE, caller, headers=headers)
    assert outcome.status == 603
    assert 'text="CALL_REJECTED"' in outcome.response.header("reason")


@pytest.mark.parametrize(
    "caller", ["alice", "${hangup}", "al%27ice", "al|ice", "al%0Aice", "a" * 200]
)
def test_a_caller_without_a_number_who_is_not_listed_reaches_the_did(
    screened: FreeSwitch, caller: str
) -> None:
    outcome = call(screened, HOTLINE, caller)
    assert outcome.phrase == f"DID {HOTLINE} action=continue left="


def test_a_forwarding_of_one_called_number_leaves_the_others_alone(screened: FreeSwitch) -> None:
    outcome = call(screened, "+48221000003", LISTED)
    assert outcome.phrase.startswith("DID +48221000003 action=continue")


def test_a_redirected_caller_reaches_the_extension(screened: FreeSwitch) -> None:
    outcome = call(screened, HOTLINE, "+48600100201")
    assert (outcome.status, outcome.phrase) == (480, "extension 1000 action=redirect left=")


def test_a_redirect_to_a_number_is_not_screened_again(screened: FreeSwitch) -> None:
    outcome = call(screened, HOTLINE, "+48600100204")
    assert (outcome.status, outcome.phrase) == (480, "extension +48221000009 action=redirect left=")


def test_a_redirect_to_a_sip_uri_is_answered_with_302(screened: FreeSwitch) -> None:
    outcome = call(screened, HOTLINE, "+48600100203")
    assert outcome.status == 302
    assert "<sip:reception@192.0.2.10>" in outcome.response.header("contact")


def test_a_caller_is_bridged_to_a_dial_string(
    screened: FreeSwitch, control: Control, trunk: Trunk
) -> None:
    """And stays there: the guard that would take him back is cancelled."""
    control.subscribe("CHANNEL_BRIDGE")
    busy = call(screened, HOTLINE, "+48600100205")
    assert busy.status == 486
    assert trunk.invite(BRIDGED)
    trunk.answering.add(BRIDGED)
    with Phone(screened.sip_port) as phone:
        assert phone.call(HOTLINE, "+48600100205").status == 200
        assert guard_was_cancelled(control, "switch_ivr_schedule_transfer")
        control.wait_for_event({"Event-Name": "CHANNEL_BRIDGE"})
        phone.hang_up()


@pytest.mark.parametrize(
    ("caller", "status", "phrase"),
    [
        ("+48600100206", 603, "Decline"),
        ("+48600100207", 607, "Unwanted"),
        ("+48600100208", 608, "Rejected"),
        ("+48600100220", 410, "Gone"),
        ("+48600100221", 503, "Service Unavailable"),
        ("+48600100222", 499, "Request Failure"),
    ],
)
def test_a_caller_gets_the_sip_response_of_the_rule(
    screened: FreeSwitch, caller: str, status: int, phrase: str
) -> None:
    outcome = call(screened, HOTLINE, caller)
    assert (outcome.status, outcome.phrase) == (status, phrase)
    card = "<https://example.com/card.jws>;purpose=jwscard"
    assert outcome.response.header("call-info") == (card if status == 608 else "")


def test_a_rule_that_is_not_enforced_marks_the_call(screened: FreeSwitch, control: Control) -> None:
    outcome = call(screened, HOTLINE, "+48600100209")
    assert outcome.phrase == f"DID {HOTLINE} action=continue left="
    record = control.wait_for_event(
        {
            "Event-Name": "CHANNEL_HANGUP_COMPLETE",
            "Caller-Caller-ID-Number": "+48600100209",
        }
    )
    assert record["variable_callsieve_marked"] == "hangup"
    assert record["variable_callsieve_list"] == "On trial"


@pytest.mark.parametrize("caller", [UNLISTED, "+48600100202"], ids=["continue", "redirect"])
def test_the_guard_does_not_take_an_answered_call_away(
    screened: FreeSwitch, control: Control, caller: str
) -> None:
    with Phone(screened.sip_port) as phone:
        assert phone.call(ANSWERING, caller).status == 200
        assert guard_was_cancelled(control, "switch_ivr_schedule_transfer")
        phone.hang_up()


# Dialled: campaigns, callbacks, number presentation


@pytest.mark.parametrize(
    ("flow", "variables", "number", "status", "list_name"),
    [
        ("outbound", "", "+48600200200", "Do not call", "Opt-outs"),
        ("outbound", "callsieve_campaign='Winter sale'", LISTED, "Blacklist", "Default"),
        ("outbound", "", "600200200", "Do not call", "Opt-outs"),
        ("callback", "", "+48600300300", "Blacklist", "No callbacks"),
        ("widget", "", "+48600300300", "Blacklist", "No callbacks"),
    ],
)
def test_a_listed_number_is_not_dialled_and_its_status_is_in_the_call_record(
    control: Control,
    trunk: Trunk,
    flow: str,
    variables: str,
    number: str,
    status: str,
    list_name: str,
) -> None:
    assert dial(control, flow, number, variables) == "-ERR OUTGOING_CALL_BARRED"
    assert not trunk.dialled(number)
    record = call_record(control, number)
    assert record["variable_callsieve_action"] == "skip"
    assert record["variable_callsieve_status"] == status
    assert record["variable_callsieve_list"] == list_name
    assert record["variable_callsieve_number"] == f"+48{number[-9:]}"
    assert int(record["variable_callsieve_generation"]) > 0


@pytest.mark.parametrize(
    ("flow", "number"),
    [("outbound", "+48600900001"), ("callback", "+48600900002"), ("widget", "+48600900003")],
)
def test_a_number_on_no_list_is_dialled(
    control: Control, trunk: Trunk, flow: str, number: str
) -> None:
    assert dial(control, flow, number) == "-ERR USER_BUSY"
    assert trunk.invite(number)


@pytest.mark.parametrize("destination", ["reception", "+48600900009;a=b"])
def test_what_is_no_number_is_not_dialled(control: Control, trunk: Trunk, destination: str) -> None:
    assert dial(control, "outbound", destination) == "-ERR NO_ROUTE_DESTINATION"
    assert not trunk.dialled(destination)


def test_the_guard_does_not_end_an_answered_campaign_call(control: Control, trunk: Trunk) -> None:
    trunk.answering.add("+48600900004")
    result, _, uuid = dial(control, "outbound", "+48600900004").partition(" ")
    assert result == "+OK"
    assert guard_was_cancelled(control, "switch_ivr_schedule_hangup")
    assert control.api(f"uuid_kill {uuid}").startswith("+OK")


@pytest.mark.parametrize("campaign", ["", "callsieve_campaign='Spring sale',"])
def test_a_route_presents_a_number_of_its_list(
    control: Control, trunk: Trunk, campaign: str
) -> None:
    number = "+48600900005" if campaign else "+48600900006"
    variables = f"{campaign}callsieve_route=Poland,origination_caller_id_number=1000"
    assert dial(control, "outbound", number, variables) == "-ERR USER_BUSY"
    caller = trunk.invite(number).header("from")
    assert any(f"<sip:{ours}@" in caller for ours in OUR_NUMBERS), caller


def test_a_campaign_list_comes_before_the_presented_number(control: Control, trunk: Trunk) -> None:
    variables = "callsieve_campaign='Spring sale',callsieve_route=Poland"
    assert dial(control, "outbound", "+48600200200", variables) == "-ERR OUTGOING_CALL_BARRED"
    assert not trunk.dialled("+48600200200")


def test_an_agent_first_leg_is_screened_by_the_number_it_dials(
    control: Control, trunk: Trunk
) -> None:
    for number, cause in (("+48600200200", "OUTGOING_CALL_BARRED"), ("+48600900007", "USER_BUSY")):
        agent = f"{{{NAMED['outbound']}}}loopback/2000/default/XML"
        uuid = control.api(f"originate {agent} {number} XML callsieve_outbound").split()[1]
        record = control.wait_for_event(
            {"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Unique-ID": uuid}
        )
        assert record["Hangup-Cause"] == cause
    assert not trunk.dialled("+48600200200")
    assert trunk.invite("+48600900007")


def test_what_an_earlier_call_of_the_leg_was_told_does_not_decide(
    screened: FreeSwitch, control: Control, trunk: Trunk
) -> None:
    stale = f"{NAMED['outbound']},callsieve_action=continue,socket_resume=true"
    assert dial(control, "outbound", "+48600200200", stale) == "-ERR OUTGOING_CALL_BARRED"
    screened.use_service(f"127.0.0.1:{free_port()}")
    assert dial(control, "outbound", "+48600900008", stale) == "-ERR NORMAL_TEMPORARY_FAILURE"
    assert not trunk.dialled("+48600900008")


@pytest.mark.parametrize(
    ("queue", "waiting"),
    [("7100", {"CC-Action": "member-queue-start"}), ("7200", {"FIFO-Action": "push"})],
    ids=["mod_callcenter", "mod_fifo"],
)
@pytest.mark.parametrize("listed", [False, True], ids=["called back", "on the callback list"])
def test_who_hangs_up_in_a_queue_is_called_back(
    screened: FreeSwitch,
    control: Control,
    trunk: Trunk,
    queue: str,
    waiting: Mapping[str, str],
    listed: bool,
) -> None:
    """What is to run after 30 seconds is taken from the leg, then run without waiting."""
    caller = "+48600300300" if listed else f"+4860090{queue}"
    control.subscribe("CHANNEL_HANGUP", "CUSTOM", "callcenter::info", "fifo::info")
    with Phone(screened.sip_port) as phone:
        assert phone.call(f"+4822100{queue}", caller).status == 200
        # An answered call is not in the queue yet: who hangs up before he is, is not called back.
        leg = control.wait_for_event({"Caller-Caller-ID-Number": caller, **waiting})["Unique-ID"]
        phone.hang_up()
    left = control.wait_for_event({"Event-Name": "CHANNEL_HANGUP", "Unique-ID": leg})
    record = control.wait_for_event({"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Unique-ID": leg})
    # A task does not say whose it is, but the leg's is made between its last two events.
    task = control.wait_for_event(
        {"Event-Name": "ADD_SCHEDULE", "Task-Desc": "sched_api_function"}, after=left
    )
    assert int(task["Event-Sequence"]) < int(record["Event-Sequence"])
    assert control.api(f"sched_del {task['Task-ID']}").startswith("+OK")
    _, delayed, command = record["variable_api_hangup_hook"].partition(" +30 none ")
    assert delayed
    result = control.api(command).strip()
    if listed:
        assert result == "-ERR OUTGOING_CALL_BARRED"
        assert not trunk.dialled(caller)
    else:
        assert result == "-ERR USER_BUSY"
        assert trunk.invite(caller)


def press(control: Control, extension: str, code: str) -> Mapping[str, str]:
    """What FreeSWITCH knew of the leg of an agent who dialled a feature code, when it ended."""
    variables = f"origination_caller_id_number={extension}"
    leg = control.api(f"originate {{{variables}}}loopback/{code}/default/XML &park()")
    ended = {"Event-Name": "CHANNEL_HANGUP_COMPLETE"}
    return control.wait_for_event({**ended, "variable_other_loopback_leg_uuid": leg.split()[1]})


def test_the_feature_code_blocks_the_last_caller(screened: FreeSwitch, control: Control) -> None:
    caller = "+48600900222"
    control.api(f"hash insert/-call_return/1000/{caller}")
    control.api("hash insert/-call_return/1001/$(touch /tmp/x)")
    assert call(screened, HOTLINE, caller).status == 480
    leg = press(control, "1000", "*30")
    assert leg["Hangup-Cause"] == "NORMAL_CLEARING"
    assert leg["variable_callsieve_status"] == "added"
    assert call(screened, HOTLINE, caller).status == 603
    for nobody in ("1001", "1002"):
        leg = press(control, nobody, "*30")
        assert leg["Hangup-Cause"] == "NORMAL_UNSPECIFIED"
        assert "variable_callsieve_number" not in leg


def test_the_feature_code_blocks_the_number_that_is_dialled(
    screened: FreeSwitch, service: Service, control: Control
) -> None:
    caller = "+48600900223"
    assert call(screened, HOTLINE, caller).status == 480
    leg = press(control, "1000", "*30600900223")
    assert leg["Hangup-Cause"] == "NORMAL_CLEARING"
    assert leg["variable_callsieve_number"] == caller
    assert leg["variable_callsieve_list"] == "Default"
    assert call(screened, HOTLINE, caller).status == 603
    logged = service.command("evidence", caller).stdout
    assert "flow block" in logged
    assert " 1000@" in logged
    assert press(control, "1000", f"*30{caller}")["variable_callsieve_status"] == "already there"
    leg = press(control, "1000", f"*30{HOTLINE}")
    assert leg["Hangup-Cause"] == "NORMAL_UNSPECIFIED"
    assert leg["variable_callsieve_status"] == "refused: held back"


def test_an_agent_hears_that_nothing_was_blocked_while_the_service_is_down(
    freeswitch: FreeSwitch,
) -> None:
    freeswitch.use_service(f"127.0.0.1:{free_port()}")
    with freeswitch.control() as control:
        control.subscribe("CHANNEL_HANGUP_COMPLETE")
        leg = press(control, "1000", "*30600900224")
    assert leg["Hangup-Cause"] == "NORMAL_UNSPECIFIED"
    assert "variable_callsieve_status" not in leg


@pytest.mark.parametrize("flow", ["inbound", "outbound"])
def test_another_service_takes_over_from_one_that_is_down(
    freeswitch: FreeSwitch, service: Service, trunk: Trunk, flow: str
) -> None:
    freeswitch.use_service(f"127.0.0.1:{free_port()}|{service.place}")
    if flow == "inbound":
        assert call(freeswitch, HOTLINE, LISTED).status == 603
        return
    with freeswitch.control() as control:
        assert dial(control, flow, "+48600200200") == "-ERR OUTGOING_CALL_BARRED"
        assert dial(control, flow, "+48600900333") == "-ERR USER_BUSY"
    assert trunk.invite("+48600900333")


def test_a_number_added_while_the_campaign_runs_is_not_dialled_again(
    control: Control, service: Service
) -> None:
    number = "+48600900010"
    assert dial(control, "outbound", number) == "-ERR USER_BUSY"
    added = service.command("add", "Opt-outs", number)
    assert added.returncode == 0, added.stderr
    assert dial(control, "outbound", number) == "-ERR OUTGOING_CALL_BARRED"


# Faults: what the dialplan does when the service does not answer


def ask_for_the_line(connection: socket.socket, question: bytes = OPENING) -> bytes:
    """Ask as the service does first, and wait until FreeSWITCH has described the leg."""
    connection.sendall(question)
    described = b""
    while b"\n\n" not in described:
        described += connection.recv(65536)
    return described


def ask_for_all(connection: socket.socket) -> None:
    ask_for_the_line(connection, CONNECT)


def close_with_the_line(connection: socket.socket) -> None:
    ask_for_the_line(connection)
    connection.close()


def close_after_connect(connection: socket.socket) -> None:
    ask_for_all(connection)
    connection.close()


def close_in_a_command(connection: socket.socket) -> None:
    ask_for_the_line(connection)
    connection.sendall(b"sendmsg\ncall-comm")
    connection.close()


@contextmanager
def behaving(behave: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of a service that does `behave` with each connection, and then nothing."""
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # shut down below
                return
            connections.append(connection)
            behave(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)  # wakes accept()
            thread.join()
            for connection in connections:
                connection.close()


def described(freeswitch: FreeSwitch, screen: Callable[[], object]) -> ChannelData:
    """The leg that `screen` has the dialplan ask about, as it describes it itself."""
    lines: list[bytes] = []
    with behaving(lambda connection: lines.append(ask_for_the_line(connection))) as address:
        freeswitch.use_service(address)
        screen()
    (line,) = lines
    leg = read_leg(line.decode().partition("Reply-Text: ")[2].rstrip("\n"))
    assert leg is not None, line
    return leg


def test_the_dialplan_describes_an_inbound_leg(freeswitch: FreeSwitch) -> None:
    headers = {"P-Asserted-Identity": f"<sip:{LISTED}@127.0.0.1>", "Privacy": "id"}
    leg = described(freeswitch, lambda: call(freeswitch, HOTLINE, UNLISTED, headers=headers))
    assert leg == ChannelData(
        uuid=leg.uuid,
        direction="inbound",
        caller_number=LISTED,
        called_number=HOTLINE,
        from_user=UNLISTED,
        from_host="127.0.0.1",
        network_address="127.0.0.1",
        flow="inbound",
        privacy=True,
        mode="held",
    )


def test_the_dialplan_describes_a_leg_that_is_dialled(freeswitch: FreeSwitch) -> None:
    def screen() -> None:
        with freeswitch.control() as control:
            variables = "callsieve_campaign='Wiosna zażółć',callsieve_route=Poland"
            variables += ",callsieve_leg=sync|stale,destination_number=+48999999999"
            dial(control, "outbound", "+48604555666", variables)

    leg = described(freeswitch, screen)
    assert leg == ChannelData(
        uuid=leg.uuid,
        direction="inbound",
        caller_number=leg.caller_number,
        called_number="+48604555666",
        flow="outbound",
        campaign="Wiosna zażółć",
        route="Poland",
        mode="sync",
    )


def assert_fail_policy(freeswitch: FreeSwitch, trunk: Trunk, guarded: bool) -> None:
    """One leg of every flow at once: inbound goes on, the others are not dialled.

    guarded: whether it takes the guard to end the wait for the service. It takes an inbound leg
    away by a transfer, and hangs up the others where they wait.
    """
    numbers = {flow: f"+4860080000{index}" for index, flow in enumerate(NAMED)}

    def called() -> None:
        with freeswitch.control() as control:
            control.subscribe("CHANNEL_HANGUP_COMPLETE")
            outcome = call(freeswitch, HOTLINE, LISTED)
            assert outcome.status == 480
            assert outcome.phrase == f"DID {HOTLINE} action= left="
            call_id = outcome.response.header("call-id")
            record = control.wait_for_event(
                {"Event-Name": "CHANNEL_HANGUP_COMPLETE", "variable_sip_call_id": call_id}
            )
            assert ("variable_transfer_source" in record) == guarded

    def dialled(flow: str) -> None:
        number = numbers[flow]
        with freeswitch.control() as control:
            control.subscribe("CHANNEL_HANGUP_COMPLETE")
            assert dial(control, flow, number) == "-ERR NORMAL_TEMPORARY_FAILURE"
            record = call_record(control, number)
            assert not trunk.dialled(number)
            assert "variable_callsieve_action" not in record
            assert record["variable_callsieve_reason"] == "callsieve did not answer"
            application = "socket" if guarded else "hangup"
            assert record["variable_current_application"] == application

    with ThreadPoolExecutor() as pool:
        legs = [pool.submit(called), *(pool.submit(dialled, flow) for flow in NAMED)]
    for leg in legs:
        leg.result()


def test_the_fail_policy_when_the_service_is_down(freeswitch: FreeSwitch, trunk: Trunk) -> None:
    freeswitch.use_service(f"127.0.0.1:{free_port()}")
    assert_fail_policy(freeswitch, trunk, guarded=False)


@pytest.mark.parametrize(
    "behave",
    [socket.socket.close, close_with_the_line, close_after_connect, close_in_a_command],
    ids=lambda it: it.__name__,
)
def test_the_fail_policy_when_the_service_dies(
    freeswitch: FreeSwitch, trunk: Trunk, behave: Callable[[socket.socket], object]
) -> None:
    with behaving(behave) as address:
        freeswitch.use_service(address)
        assert_fail_policy(freeswitch, trunk, guarded=False)


@pytest.mark.parametrize(
    "behave",
    [lambda _: None, ask_for_the_line, ask_for_all],
    ids=["not a byte", "with the line", "after connect"],
)
def test_the_fail_policy_when_the_service_stays_silent(
    freeswitch: FreeSwitch, trunk: Trunk, behave: Callable[[socket.socket], object]
) -> None:
    with behaving(behave) as address:
        freeswitch.use_service(address)
        assert_fail_policy(freeswitch, trunk, guarded=True)


def test_an_answer_that_comes_late_leaves_the_call_alone(
    screened: FreeSwitch, service: Service, control: Control
) -> None:
    """The service freezes, the dialplan lets the listed caller through, the service wakes up."""
    with Phone(screened.sip_port) as phone:
        (worker,) = service.workers()
        os.kill(worker, signal.SIGSTOP)
        try:
            outcome = phone.call(ANSWERING, "+48600100202")
        finally:
            os.kill(worker, signal.SIGCONT)
        assert outcome.status == 200
        service.wait_logged("leg_late")
        assert control.api("show channels count").strip() == "1 total."
        phone.hang_up()


# Hostile callers


@pytest.mark.parametrize(
    ("claimed", "caller", "status"),
    [("+48999999999", LISTED, 603), (LISTED, UNLISTED, 480)],
    ids=["to hide", "to frame another"],
)
def test_a_header_in_the_display_name_does_not_change_who_is_screened(
    screened: FreeSwitch, claimed: str, caller: str, status: int
) -> None:
    name = f"x%0ACaller-Caller-ID-Number: {claimed}"
    assert call(screened, HOTLINE, caller, name=name).status == status


@pytest.mark.parametrize("odd", "|!'\"\\%\n")
def test_a_caller_whose_text_fits_no_line_is_screened_all_the_same(
    screened: FreeSwitch, odd: str
) -> None:
    """One that tries to write the rest of the line himself, too."""
    for user in (f"a{odd}b", f"{UNLISTED}{odd}||||inbound||||||||false|end"):
        headers = {"P-Asserted-Identity": f"<sip:{LISTED}@127.0.0.1>"}
        assert call(screened, HOTLINE, quote(user, safe=""), headers=headers).status == 603
        assert call(screened, HOTLINE, quote(user, safe="")).phrase.endswith(
            "action=continue left="
        )


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Long": "x" * 55_000},
        {"X-Long": "\N{SNOWMAN}" * 18_000},
        {f"X{index:x}": "1" for index in range(5_000)},
    ],
    ids=["long", "three bytes for one", "many"],
)
def test_no_caller_makes_a_leg_too_large_to_be_screened(
    screened: FreeSwitch, headers: Mapping[str, str]
) -> None:
    """All that a datagram can hold, in a name and a header, or in headers."""
    name = "" if len(headers) > 1 else "\N{SNOWMAN}" * 2_000
    assert call(screened, HOTLINE, LISTED, name=name, headers=headers).status == 603


@pytest.mark.parametrize("how", ["gw+trunk", "parameter"])
def test_claiming_to_be_a_gateway_earns_no_trust(screened: FreeSwitch, how: str) -> None:
    called, parameters = ("gw+trunk", "") if how == "gw+trunk" else (HOTLINE, ";gw=trunk")
    headers = {"P-Asserted-Identity": f"<sip:{UNLISTED}@127.0.0.1>"}
    outcome = call(screened, called, "+48600100203", headers=headers, uri_parameters=parameters)
    assert outcome.status == 302


def test_commands_in_what_a_caller_sends_do_nothing(
    screened: FreeSwitch, control: Control, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    control.api(f"expand echo ${{system touch {trap}}}")
    assert trap.exists(), "this FreeSWITCH does not expand system: the test would prove nothing"
    trap.unlink()

    command = f"${{system touch {trap}}}"
    escaped = command.replace("$", "%24").replace("{", "%7B").replace("}", "%7D")
    escaped = escaped.replace(" ", "%20")
    for caller in (UNLISTED, LISTED):
        headers = {
            "X-Note": command,
            "Subject": command,
            "P-Asserted-Identity": f'"{command}" <sip:{caller}@127.0.0.1>',
        }
        outcome = call(screened, HOTLINE, caller, name=command, headers=headers)
        assert outcome.status == (480 if caller == UNLISTED else 603)
    call(screened, HOTLINE, escaped)
    assert call(screened, escaped, UNLISTED).status == 484
    assert not trap.exists()


@pytest.mark.parametrize(
    "called",
    [
        "1000%20XML%20default",
        "1000%20XML%20callsieve_answered",
        "it's",
        "1000%22",
        "1000%5C",
        f"{HOTLINE}%0A",
        "",
    ],
)
def test_a_destination_that_could_steer_the_transfer_is_refused(
    screened: FreeSwitch, called: str
) -> None:
    assert call(screened, called, UNLISTED).status == 484
