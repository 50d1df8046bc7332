"""A private FreeSWITCH for tests: its configuration in a temporary directory, 127.0.0.1 only.

The files of ``freeswitch_conf/`` are included as they are; around them stands the least of what a
vanilla configuration has: a SIP profile in context ``public``, a gateway, and the contexts
``public`` and ``default`` with extensions that say in their SIP reason phrase where a call arrived.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from tests.support.patience import PATIENCE_SECONDS

FREESWITCH_CONF = Path(__file__).parents[2] / "freeswitch_conf"

NOT_FOUND = (
    "THE FREESWITCH TESTS DID NOT RUN: no freeswitch binary found. Install FreeSWITCH (with "
    "mod_sofia, mod_loopback, mod_event_socket, mod_dialplan_xml, mod_dptools, mod_commands) or "
    "name its binary: FREESWITCH_BIN=/path/to/freeswitch make test"
)


def find_freeswitch() -> Path | None:
    """The freeswitch binary: $FREESWITCH_BIN if set, else from PATH or its usual prefixes."""
    candidates = [
        shutil.which("freeswitch"),
        "/usr/local/freeswitch/bin/freeswitch",
        "/opt/freeswitch/bin/freeswitch",
        "/usr/bin/freeswitch",
    ]
    if named := os.environ.get("FREESWITCH_BIN"):
        candidates = [named]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    return None


def free_port() -> int:
    """A port of 127.0.0.1 that nothing uses now, neither of TCP nor of UDP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


class Control:
    """A client of FreeSWITCH's event socket: API commands and events, plain text."""

    def __init__(self, port: int, password: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._file = self._socket.makefile("rb")
        self._events: list[dict[str, str]] = []
        self._read()
        self._command(f"auth {password}")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def api(self, command: str) -> str:
        """The answer of an API command, e.g. ``reloadxml``. Blocks until it has run."""
        self._send(f"api {command}")
        while True:
            headers, body = self._read()
            if headers["Content-Type"] == "api/response":
                return body

    def subscribe(self, *names: str) -> None:
        self._command(f"event plain {' '.join(names)}")

    def wait_for_event(
        self, wanted: Mapping[str, str], after: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        """The first event, past or to come, with these headers; TimeoutError if none comes.

        after: an event; only what FreeSWITCH raised after it counts.
        """
        earliest = int(after["Event-Sequence"]) if after else 0
        position = 0
        while True:
            for event in self._events[position:]:
                if wanted.items() <= event.items() and int(event["Event-Sequence"]) > earliest:
                    return event
            position = len(self._events)
            self._read()

    def _command(self, line: str) -> None:
        self._send(line)
        while True:
            headers, _ = self._read()
            if headers["Content-Type"] == "command/reply":
                if not headers["Reply-Text"].startswith("+OK"):
                    raise AssertionError(f"{line.split()[0]}: {headers['Reply-Text']}")
                return

    def _send(self, line: str) -> None:
        if "\n" in line:
            raise AssertionError(f"a command is one line, got {line!r}")
        self._socket.sendall(f"{line}\n\n".encode())

    def _read(self) -> tuple[dict[str, str], str]:
        headers = self._headers(iter(self._file.readline, b"\n"))
        body = self._file.read(int(headers.get("Content-Length", "0"))).decode()
        if headers.get("Content-Type") == "text/event-plain":
            self._events.append(
                {
                    name: unquote(value)
                    for name, value in self._headers(
                        line.encode() for line in body.splitlines() if line
                    ).items()
                }
            )
        return headers, body

    @staticmethod
    def _headers(lines: Iterator[bytes]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for line in lines:
            if not line:
                raise ConnectionError("FreeSWITCH closed the event socket")
            name, _, value = line.decode().rstrip("\n").partition(": ")
            headers.setdefault(name, value)
        return headers


_CONFIGURATION = """\
<document type="freeswitch/xml">
  <X-PRE-PROCESS cmd="include" data="vars.xml"/>
  <section name="configuration">
    <X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
    <configuration name="modules.conf"><modules>
      <load module="mod_console"/>
      <load module="mod_commands"/>
      <load module="mod_dptools"/>
      <load module="mod_dialplan_xml"/>
      <load module="mod_loopback"/>
      <load module="mod_hash"/>
      <load module="mod_callcenter"/>
      <load module="mod_fifo"/>
      <load module="mod_sofia"/>
      <load module="mod_event_socket"/>
    </modules></configuration>
    <configuration name="console.conf">
      <mappings><map name="all" value="debug,info,notice,warning,err,crit,alert"/></mappings>
      <settings>
        <param name="colorize" value="false"/>
        <param name="loglevel" value="info"/>
      </settings>
    </configuration>
    <configuration name="switch.conf"><settings>
      <param name="loglevel" value="debug"/>
      <param name="sessions-per-second" value="1000"/>
    </settings></configuration>
    <configuration name="callcenter.conf">
      <settings/>
      <queues><queue name="infoline@default">
        <param name="strategy" value="longest-idle-agent"/>
        <param name="moh-sound" value="silence"/>
      </queue></queues>
      <agents/>
      <tiers/>
    </configuration>
    <configuration name="fifo.conf"><settings/><fifos/></configuration>
    <configuration name="acl.conf"><network-lists/></configuration>
    <configuration name="sofia.conf"><profiles><profile name="external">
      <gateways><gateway name="trunk">
        <param name="username" value="trunk-user"/>
        <param name="password" value="unused"/>
        <param name="proxy" value="127.0.0.1:$${trunk_port}"/>
        <param name="register" value="false"/>
        <param name="caller-id-in-from" value="true"/>
      </gateway></gateways>
      <settings>
        <param name="sip-ip" value="127.0.0.1"/>
        <param name="rtp-ip" value="127.0.0.1"/>
        <param name="sip-port" value="$${sip_port}"/>
        <param name="context" value="public"/>
        <param name="dialplan" value="XML"/>
        <param name="rtp-timer-name" value="soft"/>
        <param name="auth-calls" value="false"/>
        <param name="inbound-codec-prefs" value="PCMU"/>
        <param name="outbound-codec-prefs" value="PCMU"/>
        <param name="inbound-codec-negotiation" value="generous"/>
      </settings>
    </profile></profiles></configuration>
  </section>
  <section name="dialplan">
    <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
</document>
"""

# Extensions end a call with a phrase that the caller sees: where it arrived, what it was told, and
# what the screening should not have left on the leg.
_REPORT = "action=${callsieve_action} left=${socket_resume}${force_transfer_context}"

_DIALPLAN = f"""\
<include>
  <context name="public">
    <extension name="outside_call" continue="true">
      <condition><action application="set" data="outside_call=true"/></condition>
    </extension>
    <X-PRE-PROCESS cmd="include" data="public/*.xml"/>
  </context>
  <context name="default">
    <X-PRE-PROCESS cmd="include" data="default/*.xml"/>
    <extension name="answers">
      <condition field="destination_number" expression="^2000$">
        <action application="answer"/>
        <action application="park"/>
      </condition>
    </extension>
    <extension name="extension">
      <condition field="destination_number" expression="^(\\+?[0-9]+)$">
        <action application="respond" data="480 extension $1 {_REPORT}"/>
      </condition>
    </extension>
  </context>
</include>
"""

_DIDS = f"""\
<include>
  <extension name="answering_did">
    <condition field="destination_number" expression="^\\+48221000002$">
      <action application="answer"/>
      <action application="park"/>
    </condition>
  </extension>
  <extension name="queue_did">
    <condition field="destination_number" expression="^\\+4822100(7100|7200)$">
      <action application="transfer" data="$1 XML default"/>
    </condition>
  </extension>
  <extension name="did">
    <condition field="destination_number" expression="^(\\+?[0-9]+)$">
      <action application="respond" data="480 DID $1 {_REPORT}"/>
    </condition>
  </extension>
</include>
"""

_READY = "callsieve test FreeSWITCH is ready"


class FreeSwitch:
    """The running FreeSWITCH. ``sip_port`` takes calls into context ``public``; ``log``: a file."""

    def __init__(self, directory: Path, trunk_port: int) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.sip_port = free_port()
        self._trunk_port = trunk_port
        self._control_port = free_port()
        self._service = "127.0.0.1:1"
        self._more: Mapping[str, str] = {}
        self.log = directory / "freeswitch.log"
        self._ready = threading.Event()
        self._conf = directory / "conf"
        self._write_configuration()

    def use_service(self, address: str, **variables: str) -> None:
        """Sets `callsieve_service`, the one variable that an administrator sets, and reloads.

        variables: others that some file of the configuration wants.
        """
        self._service = address
        self._more = variables
        self._write_vars()
        with self.control() as control:
            assert control.api("reloadxml").startswith("+OK")

    @contextlib.contextmanager
    def control(self) -> Iterator[Control]:
        control = Control(self._control_port, "ClueCon")
        try:
            yield control
        finally:
            control.close()

    @contextlib.contextmanager
    def running(self, binary: Path) -> Iterator[FreeSwitch]:
        where = [
            argument
            for option in ("log", "db", "run", "temp", "certs", "storage", "cache", "recordings")
            for argument in (f"-{option}", str(self._directory_for(option)))
        ]
        # A terminal, not a pipe: into a pipe FreeSWITCH's log comes in blocks of 4 KB.
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [binary, "-nf", "-nonat", "-conf", str(self._conf), *where],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        reader = threading.Thread(target=self._read_log, args=(ours,), daemon=True)
        reader.start()
        try:
            if not self._ready.wait(PATIENCE_SECONDS) or process.poll() is not None:
                raise AssertionError(f"FreeSWITCH did not start:\n{self.log.read_text()[-5000:]}")
            yield self
        finally:
            # Its own orderly stop takes seconds, and there is nothing to keep.
            process.kill()
            process.wait()
            reader.join()

    def _read_log(self, terminal: int) -> None:
        with (
            open(terminal, "rb") as lines,
            self.log.open("wb", buffering=0) as log,
            contextlib.suppress(OSError),  # EIO is how a terminal says that its other side is gone
        ):
            for line in lines:
                log.write(line)
                if _READY.encode() in line:
                    self._ready.set()
        self._ready.set()

    def _directory_for(self, option: str) -> Path:
        path = self.directory / option
        path.mkdir()
        return path

    def _write_configuration(self) -> None:
        shutil.copytree(FREESWITCH_CONF / "dialplan", self._conf / "dialplan")
        (self._conf / "dialplan" / "00_site.xml").write_text(_DIALPLAN)
        (self._conf / "dialplan" / "public" / "10_dids.xml").write_text(_DIDS)
        (self._conf / "freeswitch.xml").write_text(_CONFIGURATION)
        self._write_event_socket()
        self._write_vars()

    def _write_event_socket(self) -> None:
        # As shipped but for the port: two FreeSWITCHes of one machine cannot share it.
        shipped = (FREESWITCH_CONF / "autoload_configs" / "event_socket.conf.xml").read_text()
        text, count = re.subn(r'value="8021"', f'value="{self._control_port}"', shipped)
        assert count == 1
        (self._conf / "autoload_configs").mkdir()
        (self._conf / "autoload_configs" / "event_socket.conf.xml").write_text(text)

    def _variables(self) -> dict[str, object]:
        return {
            "callsieve_service": self._service,
            **self._more,
            "default_provider": "trunk",
            "sip_port": self.sip_port,
            "trunk_port": self._trunk_port,
            "api_on_startup": f"log NOTICE {_READY}",
        }

    def _write_vars(self) -> None:
        lines = [
            f'<X-PRE-PROCESS cmd="set" data="{name}={value}"/>'
            for name, value in self._variables().items()
        ]
        (self._conf / "vars.xml").write_text("<include>\n" + "\n".join(lines) + "\n</include>\n")
