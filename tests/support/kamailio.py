"""A private Kamailio for tests: the files of ``kamailio_conf/`` as an administrator would put them
in place, on a free port of 127.0.0.1, with everything it writes in a temporary directory.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.freeswitch import free_port
from tests.support.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
KAMAILIO_CONF = ROOT / "kamailio_conf"
CONFIGURATIONS = ("kamailio.cfg", "kamailio_kemi.cfg")
"""The two sample proxies: routing in Kamailio's own language, and in Python."""

DEBIANS_OWN = Path("/etc/kamailio/kamailio.cfg")
"""The configuration that the Debian package installs."""

SERVICE_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""A service's. The Python in Kamailio looks for its home along it, and would find an activated
environment, with another Python's modules."""

DIALLER = "127.0.0.4"
"""Whose calls the samples screen as outbound legs."""
CARRIER = "127.0.0.3"
"""Whose asserted identities the rules of the test stores trust."""
STRANGER = "127.0.0.1"

WORKERS = 4


def site_packages() -> Path:
    """Where Callsieve is installed for the Python of Debian's Kamailio, by `make test`."""
    found = sorted((ROOT / ".venv/kamailio/lib").glob("python3.*/site-packages"))
    assert found, "make test installs Callsieve for Kamailio's Python in .venv/kamailio"
    return found[-1]


class Kamailio:
    """A Kamailio that is running. `log`: a file with what it and the plugin say."""

    def __init__(self, directory: Path, store: Path, switch_port: int) -> None:
        self.directory = directory
        self.store = store
        self.port = free_port()
        self.switch_port = switch_port
        self.log = directory / "kamailio.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._install()

    def _install(self) -> None:
        """Copies the files and changes what docs/kamailio.md tells the administrator to change."""
        conf = self.directory / "conf"
        shutil.copytree(KAMAILIO_CONF, conf)
        changes = {
            "/etc/kamailio/": f"{conf}/",
            "/opt/callsieve/lib/python3.11/site-packages": str(site_packages()),
            "csv:/var/lib/callsieve": f"csv:{self.store}",
            "udp:127.0.0.1:5060": f"udp:127.0.0.1:{self.port}",
            "sip:127.0.0.1:5080": f"sip:127.0.0.1:{self.switch_port}",
            "log_stderror=no": "log_stderror=yes",
        }
        for path in conf.iterdir():
            text = path.read_text("utf-8")
            for shipped, ours in changes.items():
                text = text.replace(shipped, ours)
            path.write_text(text, "utf-8")

    @property
    def conf(self) -> Path:
        return self.directory / "conf"

    @property
    def processes(self) -> list[int]:
        """The numbers of its processes: the main one, the workers, the others."""
        assert self._process is not None
        main = self._process.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    @property
    def workers(self) -> list[int]:
        """The numbers of the processes that take requests, once all are forked: one may answer
        before the next is there.
        """
        while len(found := self.processes[1 : 1 + WORKERS]) < WORKERS:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text("utf-8", "replace")
            os.sched_yield()
        return found

    @contextmanager
    def running(
        self,
        configuration: str = "kamailio.cfg",
        options: Sequence[str] = (),
        patience: float = PATIENCE_SECONDS,
    ) -> Iterator[Kamailio]:
        """options: of the command line. patience: seconds that it may take to start."""
        run = self.directory / "run"
        run.mkdir()
        command = ["kamailio", "-f", str(self.conf / configuration), "-DD", "-E"]
        command += ["-w", str(run), "-Y", str(run), "-P", str(run / "kamailio.pid"), *options]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PATH": SERVICE_PATH},
            )
        try:
            self._wait_until_it_answers(patience)
            yield self
        finally:
            # Told to stop while it starts it can take a minute, and there is nothing to keep.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _wait_until_it_answers(self, patience: float) -> None:
        """An OPTIONS to itself is answered by the script: then the plugin is loaded."""
        assert self._process is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind(("127.0.0.1", 0))
            asking.settimeout(0.1)
            here = f"127.0.0.1:{asking.getsockname()[1]}"
            for attempt in range(int(patience * 10)):
                lines = [
                    f"OPTIONS sip:127.0.0.1:{self.port} SIP/2.0",
                    f"Via: SIP/2.0/UDP {here};branch=z9hG4bKready{attempt}",
                    "From: <sip:ready@127.0.0.1>;tag=ready",
                    f"To: <sip:127.0.0.1:{self.port}>",
                    f"Call-ID: ready-{attempt}",
                    "CSeq: 1 OPTIONS",
                    "Max-Forwards: 70",
                    "Content-Length: 0",
                ]
                asking.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), ("127.0.0.1", self.port))
                try:
                    if asking.recv(4096).startswith(b"SIP/2.0 200"):
                        return
                except TimeoutError:
                    pass
                if self._process.poll() is not None:
                    break
        raise AssertionError(f"Kamailio did not start:\n{self.log.read_text('utf-8', 'replace')}")
