"""Every flow and outcome through a real Kamailio, with SIPp as the callers and as the switch.

The calls and what must come of them are in ``sipp/calls.csv``; both sample configurations play all
of them.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.freeswitch import free_port
from tests.support.kamailio import (
    CONFIGURATIONS,
    DEBIANS_OWN,
    DIALLER,
    STRANGER,
    WORKERS,
    Kamailio,
)
from tests.support.patience import PATIENCE_SECONDS
from tests.support.service import run
from tests.support.sip import Message, Trunk
from tests.support.sipp import SCENARIOS, Call, Caller, Load, join, read_calls, switch

STORE = SCENARIOS / "store"
DOCUMENTATION = Path(__file__).parents[2] / "docs"

HOTLINE = "sip:+48221000001@127.0.0.1"
LISTED = b"<sip:+48600100200@example.net>"
UNLISTED = b"<sip:+48600900900@example.net>"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    shutil.copytree(STORE, store)
    published = run("reload", store=store)
    assert published.returncode == 0, published.stderr
    return store


@pytest.fixture(params=CONFIGURATIONS)
def kamailio(request: pytest.FixtureRequest, tmp_path: Path, store: Path) -> Iterator[Kamailio]:
    place = tmp_path / "kamailio"
    place.mkdir()
    with Kamailio(place, store, free_port()).running(request.param) as running:
        yield running


def test_every_flow_and_outcome(kamailio: Kamailio, tmp_path: Path) -> None:
    calls = read_calls(SCENARIOS / "calls.csv")
    sources = sorted({call.source for call in calls})
    with switch(tmp_path, kamailio.switch_port) as behind:
        players = []
        for source in sources:
            mine = [call for call in calls if call.source == source]
            players.append(Caller(tmp_path, kamailio.port, mine, Load(len(mine))))
        played = [player.finish() for player in players]
        arrived = behind.stop()
    seen = {}
    for one in played:
        assert one.returncode == 0, one.output
        seen.update(one.calls)
    join(seen, arrived)
    by_case = {call.case: call for call in seen.values()}
    assert by_case.keys() == {call.case for call in calls}
    for call in calls:
        found = by_case[call.case]
        assert call.is_met_by(found), f"{call}\nexpected, found {found}"
    assert len([line for line in arrived if line[0] == "arrived"]) == sum(
        "arrives" in call.expected for call in calls
    )


@contextmanager
def busy_switch(kamailio: Kamailio) -> Iterator[Trunk]:
    """What is behind the proxy, for calls that need not be answered: 486 says that they came."""
    trunk = Trunk(kamailio.switch_port)
    try:
        yield trunk
    finally:
        trunk.close()


class Peer:
    """A caller that sends what it is told, byte by byte: SIPp can send nothing malformed."""

    def __init__(self, proxy: int, source: str = STRANGER) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.connect(("127.0.0.1", proxy))
        self._here = f"{source}:{self._socket.getsockname()[1]}"
        self.call_id = str(uuid.uuid4())

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def request(
        self, method: str, sender: bytes, uri: str = HOTLINE, headers: bytes = b"", to: str = ""
    ) -> bytes:
        lines = [
            f"{method} {uri} SIP/2.0".encode(),
            f"Via: SIP/2.0/UDP {self._here};branch=z9hG4bK{self.call_id}".encode(),
            b"From: " + sender + b";tag=peer",
            f"To: {to or '<sip:switch@127.0.0.1>'}".encode(),
            f"Call-ID: {self.call_id}".encode(),
            f"CSeq: 1 {method}".encode(),
            b"Max-Forwards: 70",
            f"Contact: <sip:{self._here}>".encode(),
        ]
        return b"\r\n".join(lines) + b"\r\n" + headers + b"Content-Length: 0\r\n\r\n"

    def send(self, datagram: bytes) -> None:
        self._socket.send(datagram)

    def receive(self) -> Message:
        return Message.parse(self._socket.recv(65535))

    def answer(self, method: str) -> Message:
        """The next final response to that method. TimeoutError when none comes."""
        while True:
            message = self.receive()
            if message.status >= 200 and message.header("cseq").endswith(method):
                return message

    def wait_until_it_rings(self) -> None:
        while (message := self.receive()).status != 180:
            assert message.status < 200, message.start

    def cancel(self, sender: bytes) -> tuple[int, int]:
        """Takes back the INVITE that was sent; the final status of that, and of the CANCEL.

        As a telephone does, each is sent again until it is answered, in whatever order. It takes
        that: a CANCEL may come before its INVITE; and when it comes while another worker is making
        the INVITE's transaction, Kamailio 5.6 logs "no resolved dst to send reply to" and has the
        487 ready for the next time.
        """
        self.send(self.request("CANCEL", sender))
        found: dict[str, Message] = {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        self._socket.settimeout(0.5)
        while missing := {"INVITE", "CANCEL"} - found.keys():
            try:
                message = self.receive()
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no answer to {sorted(missing)}") from None
                for method in missing:
                    self.send(self.request(method, sender))
                continue
            if message.status >= 200:
                found.setdefault(message.header("cseq").split()[-1], message)
        self.send(self.request("ACK", sender, to=found["INVITE"].header("to")))
        return found["INVITE"].status, found["CANCEL"].status

    def ask(self, sender: bytes, uri: str = HOTLINE, headers: bytes = b"") -> Message:
        """A call, sent again until it is answered, as a telephone does, and acknowledged."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.send(self.request("INVITE", sender, uri, headers))
            self._socket.settimeout(0.5)
            try:
                answer = self.answer("INVITE")
                break
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
            finally:
                self._socket.settimeout(PATIENCE_SECONDS)
        self.send(self.request("ACK", sender, uri, to=answer.header("to")))
        return answer


def decisions(kamailio: Kamailio, call_id: str) -> int:
    """How often that call was decided, by the log (which calls that just go on are not in)."""
    return kamailio.log.read_text("utf-8", "replace").count(f'"call_id": "{call_id}"')


def test_an_invite_that_comes_twice_is_screened_once(kamailio: Kamailio) -> None:
    with Peer(kamailio.port) as peer:
        invite = peer.request("INVITE", LISTED)
        peer.send(invite)
        peer.send(invite)
        assert peer.answer("INVITE").status == 603
        peer.send(invite)
        again = peer.answer("INVITE")
        assert again.status == 603
        peer.send(peer.request("ACK", LISTED, to=again.header("to")))
        assert decisions(kamailio, peer.call_id) == 1


def test_a_cancel_on_the_heels_of_its_invite(kamailio: Kamailio) -> None:
    """Two workers have them at the same time: whichever is first, both are answered."""
    for _ in range(20):
        with Peer(kamailio.port) as peer:
            peer.send(peer.request("INVITE", LISTED))
            invite, cancel = peer.cancel(LISTED)
            assert invite in (487, 603)
            assert cancel in (200, 481)


def test_a_call_that_is_cancelled_while_it_rings(kamailio: Kamailio) -> None:
    with busy_switch(kamailio) as behind:
        behind.ringing.add(HOTLINE.removeprefix("sip:").partition("@")[0])
        for _ in range(5):
            with Peer(kamailio.port) as peer:
                peer.send(peer.request("INVITE", UNLISTED))
                peer.wait_until_it_rings()
                assert peer.cancel(UNLISTED) == (487, 200)


@pytest.mark.parametrize(
    "sender",
    [
        b"<sip:caf\xe9@example.net>",
        b'"\xff\xfe\xfd" <sip:\xc3\x28@example.net>',
        b"<sip:" + b"+" * 4000 + b"@example.net>",
        b"<sip:+48600900900@" + b"[" * 50 + b">",
        b"<sip:%00@example.net>",
        b"<sip:%E9%E9@example.net>",
        b'"unclosed <sip:+48600900900@example.net>',
        b"<mailto:a@example.net>",
        b"<sip:${system}@example.net>",
        b"nothing at all",
    ],
)
def test_a_hostile_sender_is_answered_and_the_next_caller_screened(
    kamailio: Kamailio, sender: bytes
) -> None:
    workers = kamailio.workers
    with busy_switch(kamailio), Peer(kamailio.port) as hostile:
        hostile.send(hostile.request("INVITE", sender, headers=b"P-Asserted-Identity: \xe9<<\r\n"))
        assert hostile.answer("INVITE").status in (400, 486, 603)
        with Peer(kamailio.port) as next_one:
            assert next_one.ask(LISTED).status == 603
    assert kamailio.workers == workers
    log = kamailio.log.read_text("utf-8", "replace")
    assert "Traceback" not in log
    assert "not screened" not in log


def test_a_change_reaches_every_worker(kamailio: Kamailio) -> None:
    """No reload and no signal: each worker looks at the catalog before it decides."""
    store = kamailio.store
    for command, expected in (("add", 603), ("remove", 486), ("add", 603)):
        assert run(command, "Default", "+48600900900", store=store).returncode == 0
        with busy_switch(kamailio):
            for _ in range(15 * WORKERS):
                with Peer(kamailio.port) as peer:
                    assert peer.ask(UNLISTED).status == expected, command
    log = kamailio.log.read_text("utf-8", "replace")
    workers = {line.split("(")[1].split(")")[0] for line in log.splitlines() if '"call_id"' in line}
    assert workers <= {str(pid) for pid in kamailio.workers}
    assert len(workers) > 1, "one worker took all calls: nothing was tested"


def test_lists_that_change_under_load(kamailio: Kamailio, tmp_path: Path) -> None:
    """Every call is decided by what was published at some moment of it, and none fails."""
    number = "+48600900900"
    call = Call("changing", STRANGER, f"<sip:{number}@h>", HOTLINE, (), 0, {})
    changes: list[tuple[float, float, bool]] = [(0.0, 0.0, False)]
    with switch(tmp_path, kamailio.switch_port):
        load = Caller(tmp_path, kamailio.port, [call], Load(600, rate=100.0))
        # The load sets the end: SIPp has its own clock, and ends when all its calls have.
        ended = threading.Event()
        played = []

        def finish() -> None:
            played.append(load.finish())
            ended.set()

        waiting = threading.Thread(target=finish)
        waiting.start()
        listed = False
        while not ended.is_set():
            listed = not listed
            began = time.time()
            changed = run("add" if listed else "remove", "Default", number, store=kamailio.store)
            assert changed.returncode == 0, changed.stderr
            changes.append((began, time.time(), listed))
            if len(changes) % 5 == 0:
                with (kamailio.store / "lists" / "Default.csv").open("a") as file:
                    file.write(f"+48511{len(changes):06}\n")
                assert run("reload", store=kamailio.store).returncode == 0
        waiting.join()
    (result,) = played
    assert result.returncode == 0, result.output
    assert len(result.calls) == 600
    outcomes = {seen.reply for seen in result.calls.values()}
    assert outcomes == {200, 603}, "the changes missed the load: nothing was tested"
    for seen in result.calls.values():
        assert (seen.reply == 603) in _in_force(changes, seen.asked_at, seen.answered_at), seen


def _in_force(changes: list[tuple[float, float, bool]], asked: float, answered: float) -> set[bool]:
    """Whether the number was listed, at any moment between the two times: one answer or both.

    A change takes hold at some moment between its beginning and its end.
    """
    states = set()
    for index, (began, _, listed) in enumerate(changes):
        superseded = changes[index + 1][1] if index + 1 < len(changes) else float("inf")
        if began <= answered and asked <= superseded:
            states.add(listed)
    return states


def test_a_store_that_cannot_be_read_fails_as_each_flow_must(tmp_path: Path, store: Path) -> None:
    """Kamailio starts without it, and screens as soon as it is there."""
    place = tmp_path / "kamailio"
    place.mkdir()
    gone = store.rename(tmp_path / "elsewhere")
    kamailio = Kamailio(place, store, free_port())
    with kamailio.running(), busy_switch(kamailio):
        with Peer(kamailio.port) as inbound:
            assert inbound.ask(LISTED).status == 486
        with Peer(kamailio.port, DIALLER) as dialled:
            refused = dialled.ask(b"<sip:1000@h>", "sip:+48600900900@127.0.0.1")
            assert refused.status == 403
            assert refused.header("x-callsieve-status") == "Screening unavailable"
        gone.rename(store)
        # It is tried again every second, by whichever worker has a call.
        deadline = time.monotonic() + PATIENCE_SECONDS
        status = 0
        while status != 603 and time.monotonic() < deadline:
            with Peer(kamailio.port) as inbound:
                status = inbound.ask(LISTED).status
        assert status == 603
    log = kamailio.log.read_text("utf-8", "replace")
    assert "callsieve: not screened: " in log


def test_the_fail_policies_of_the_rules_hold_in_kamailio(tmp_path: Path, store: Path) -> None:
    rules = store / "callsieve.toml"
    policies = '[fail]\ninbound = "closed"\noutbound = "open"\n'
    rules.write_text(rules.read_text("utf-8") + policies, "utf-8")
    assert run("reload", store=store).returncode == 0
    place = tmp_path / "kamailio"
    place.mkdir()
    kamailio = Kamailio(place, store, free_port())
    with kamailio.running(), busy_switch(kamailio):
        with Peer(kamailio.port) as unreadable:
            assert unreadable.ask(b"<sip:caf\xe9@h>").status == 503
        with Peer(kamailio.port, DIALLER) as dialled:
            headers = b"X-Callsieve-Campaign: Autumn sale\r\n"
            assert dialled.ask(b"<sip:1@h>", "sip:+48600900900@h", headers).status == 486


def test_a_python_error_leaves_the_worker_and_is_logged(tmp_path: Path, store: Path) -> None:
    """A plugin that is broken altogether: its calls get what the flow's policy says."""
    place = tmp_path / "kamailio"
    place.mkdir()
    kamailio = Kamailio(place, store, free_port())
    script = kamailio.conf / "callsieve_screen.py"
    broken = (
        "import kamailio_plugin.plugin\n"
        "def broken(*_):\n"
        "    raise RecursionError('a fault\\nof ours')\n"
        "kamailio_plugin.plugin.{} = broken\n"
    )
    script.write_text(
        script.read_text("utf-8") + broken.format("read_request") + broken.format("variables")
    )
    with kamailio.running(), busy_switch(kamailio):
        workers = kamailio.workers
        for _ in range(3 * WORKERS):
            with Peer(kamailio.port) as inbound:
                assert inbound.ask(LISTED).status == 486
            with Peer(kamailio.port, DIALLER) as dialled:
                assert dialled.ask(b"<sip:1000@h>", "sip:+48600900900@127.0.0.1").status == 503
        assert kamailio.workers == workers
    log = kamailio.log.read_text("utf-8", "replace")
    assert "callsieve: not screened: RecursionError: 'a fault\\nof ours'" in log
    assert "callsieve: no decision: RecursionError" in log


def test_the_log_holds_each_decision_that_ends_or_changes_a_call(kamailio: Kamailio) -> None:
    with Peer(kamailio.port) as peer:
        assert peer.ask(LISTED).status == 603
    (line,) = [
        line
        for line in kamailio.log.read_text("utf-8", "replace").splitlines()
        if f'"call_id": "{peer.call_id}"' in line
    ]
    logged = json.loads(line.partition("callsieve: ")[2])
    assert (logged["flow"], logged["action"], logged["list"], logged["generation"]) == (
        "inbound",
        "hangup",
        "Default",
        1,
    )


def test_the_way_of_the_documentation_on_debians_own_configuration(
    tmp_path: Path, store: Path
) -> None:
    """What docs/kamailio.md tells an administrator, on the configuration that Debian installs."""
    place = tmp_path / "kamailio"
    place.mkdir()
    kamailio = Kamailio(place, store, free_port())
    text = DEBIANS_OWN.read_text("utf-8")
    documented = (DOCUMENTATION / "kamailio.md").read_text("utf-8")
    include = 'include_file "callsieve.cfg"\n'
    steps = "t_newtran();\n       route(CALLSIEVE_STRIP);\n       route(CALLSIEVE_INBOUND);\n"
    assert include in documented
    assert steps in documented
    for before, after in (
        ('modparam("rr", "append_fromtag", 0)', 'modparam("rr", "append_fromtag", 1)'),
        ("# ----- jsonrpcs params -----", f'loadmodule "uac.so"\n{include}'),
        (
            "\t# dispatch requests to foreign domains\n\troute(SIPOUT);",
            f'\tif (is_method("INVITE")) {{\n{steps}\t}}\n\troute(SIPOUT);',
        ),
    ):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    (kamailio.conf / "debian.cfg").write_text(text, "utf-8")
    here = ["-l", f"udp:127.0.0.1:{kamailio.port}"]
    uri = f"sip:+48221000001@127.0.0.1:{kamailio.port}"
    with kamailio.running("debian.cfg", options=here), Peer(kamailio.port) as telephone:
        telephone.send(telephone.request("REGISTER", f"<{uri}>".encode(), uri, to=f"<{uri}>"))
        assert telephone.answer("REGISTER").status == 200
        with Peer(kamailio.port) as listed:
            assert listed.ask(LISTED, uri).status == 603
        with Peer(kamailio.port) as free:
            free.send(free.request("INVITE", UNLISTED, uri, b"X-Callsieve-List: Mine\r\n"))
            invite = telephone.receive()
        assert (invite.method, invite.header("call-id")) == ("INVITE", free.call_id)
        assert invite.headers["x-callsieve-action"] == ["continue"]
        assert "x-callsieve-list" not in invite.headers
