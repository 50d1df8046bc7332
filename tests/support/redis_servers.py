"""Real Redis servers on free loopback ports: one, a master with Sentinels, a Cluster of three."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.support.patience import PATIENCE_SECONDS

# A Cluster's nodes also listen on their port + 10000.
PORTS = range(20000, 50000)
_port_lock = threading.Lock()
_next_port = iter(PORTS)


def free_port() -> int:
    """A port that nobody listens on, and that no other caller gets."""
    with _port_lock:
        for port in _next_port:
            with socket.socket() as one, socket.socket() as bus:
                try:
                    one.bind(("127.0.0.1", port))
                    bus.bind(("127.0.0.1", port + 10000))
                except OSError:
                    continue
                return port
    raise AssertionError("no free port")


def server_program(directory: Path) -> Path:
    """Debian's redis-tools has the server under another name; which one it is it sees by that."""
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    tools = shutil.which("redis-check-rdb")
    assert tools, "expected Debian's redis-tools: make build installs it"
    link = directory / "redis-server"
    if not link.exists():
        link.symlink_to(tools)
    return link


class RedisServer:
    """One server process and its data directory; started anew it has what it had saved."""

    def __init__(self, directory: Path, *options: str, port: int | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = port or free_port()
        self.options = options
        self.process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, **options: object) -> str:
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"redis://{self.address}?{query}"

    def start(self, *options: str) -> RedisServer:
        self._ready.clear()
        self.process = subprocess.Popen(
            [
                str(server_program(self.directory)),
                *self._configuration(),
                *("--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
                *("--enable-debug-command", "yes"),
                *self.options,
                *options,
            ],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read_log, args=[self.process], daemon=True).start()
        if not self._ready.wait(PATIENCE_SECONDS):
            self.kill()
            raise AssertionError((self.directory / "log").read_text())
        return self

    def _configuration(self) -> Sequence[str]:
        return ()

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout, (self.directory / "log").open("a", buffering=1) as log:
            for line in process.stdout:
                log.write(line)
                if "Ready to accept connections" in line or "Sentinel ID is" in line:
                    self._ready.set()

    def signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """At once, as when the power goes; a paused one too."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def command(self, *command: str | int) -> Any:
        with Redis(
            port=self.port, decode_responses=True, socket_timeout=PATIENCE_SECONDS
        ) as client:
            return client.execute_command(*command)


class SentinelServer(RedisServer):
    """A Sentinel that watches one master under the name `pbx`."""

    def __init__(self, directory: Path, master: RedisServer) -> None:
        super().__init__(directory)
        (directory / "sentinel.conf").write_text(
            f"sentinel monitor pbx 127.0.0.1 {master.port} 2\n"
            "sentinel down-after-milliseconds pbx 1000\n"
            "sentinel failover-timeout pbx 20000\n"
        )

    def _configuration(self) -> Sequence[str]:
        return ("sentinel.conf", "--sentinel")


@contextmanager
def one_server(directory: Path, *options: str) -> Iterator[RedisServer]:
    server = RedisServer(directory, *options).start()
    try:
        yield server
    finally:
        server.kill()


class SentinelTrio:
    """A master with two replicas, watched by three Sentinels."""

    def __init__(self, directory: Path) -> None:
        self.master = RedisServer(directory / "r0")
        follow = (
            "--replicaof",
            "127.0.0.1",
            str(self.master.port),
            "--repl-diskless-sync-delay",
            "0",
        )
        self.replicas = [RedisServer(directory / f"r{at}", *follow) for at in (1, 2)]
        self.sentinels = [SentinelServer(directory / f"s{at}", self.master) for at in range(3)]
        self.servers = [self.master, *self.replicas]

    @property
    def url(self) -> str:
        hosts = ",".join(sentinel.address for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/pbx"

    def start(self) -> None:
        for server in [*self.servers, *self.sentinels]:
            server.start()
        until(lambda: all(map(self._is_linked, self.replicas)))
        until(lambda: all(map(self._knows_all, self.sentinels)))

    def _is_linked(self, replica: RedisServer) -> bool:
        return bool(replica.command("INFO", "replication")["master_link_status"] == "up")

    def _knows_all(self, sentinel: SentinelServer) -> bool:
        with Redis(port=sentinel.port, decode_responses=True) as client:
            found = client.sentinel_master("pbx")
            return bool(found["num-slaves"] == 2 and found["num-other-sentinels"] == 2)

    def current_master(self) -> RedisServer:
        """The one that most Sentinels agree on."""
        port = int(self.sentinels[0].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "pbx")[1])
        return next(server for server in self.servers if server.port == port)


@contextmanager
def sentinel_trio(directory: Path) -> Iterator[SentinelTrio]:
    trio = SentinelTrio(directory)
    with ExitStack() as stack:
        for server in [*trio.servers, *trio.sentinels]:
            stack.callback(server.kill)
        trio.start()
        yield trio


@contextmanager
def cluster_of_three(directory: Path, *more: str) -> Iterator[list[RedisServer]]:
    """Three masters that share the slots."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", *more)
    servers = [RedisServer(directory / f"c{at}", *options) for at in range(3)]
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.kill)
            server.start()
        subprocess.run(
            ["redis-cli", "--cluster", "create", *(s.address for s in servers), "--cluster-yes"],
            check=True,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
        )
        until(lambda: all("cluster_state:ok" in s.command("CLUSTER", "INFO") for s in servers))
        yield servers


def until(holds: Callable[[], object]) -> None:
    """Asks until it holds: what goes on inside another process tells nobody when it is done.

    A server that does not answer yet does not hold.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if holds():
                return
        except (RedisError, OSError):
            pass
        assert time.monotonic() < deadline, "it never came to be"
        threading.Event().wait(0.01)
