"""Services to compare with. Usage: esl_peers.py greenswitch|gevent LISTED, or esl_peers.py asyncio

LISTED: a file of listed callers, a number a line. Prints "listening on 127.0.0.1:PORT".
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

HANGUP = (
    b"sendmsg\ncall-command: execute\nexecute-app-name: hangup\n"
    b"execute-app-arg: CALL_REJECTED\n\nexit\n\n"
)


def serve_greenswitch(listed: frozenset[str]) -> None:
    """Its own server and session as its documentation shows them, with a place for every leg."""
    from gevent import monkey

    monkey.patch_all()
    from greenswitch.esl import OutboundESLServer

    class Screening:
        def __init__(self, session: Any) -> None:
            self.session = session

        def run(self) -> None:
            caller = self.session.session_data["Caller-Caller-ID-Number"]
            if caller in listed:
                self.session.hangup("CALL_REJECTED")

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    print(f"listening on 127.0.0.1:{port}", flush=True)
    OutboundESLServer("127.0.0.1", port, application=Screening, max_connections=1000).listen()


def serve_gevent(listed: frozenset[str]) -> None:
    """The least that a gevent service can do: find the caller, ask a set, hang up or not."""
    from gevent.server import StreamServer

    encoded = frozenset(number.replace("+", "%2B").encode() for number in listed)

    def answer(connection: socket.socket, _: object) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"connect\n\n")
        block = b""
        while b"\n\n" not in block:
            data = connection.recv(65536)
            if not data:
                return
            block += data
        caller = block.partition(b"\nCaller-Caller-ID-Number: ")[2].partition(b"\n")[0]
        connection.sendall(HANGUP if caller in encoded else b"exit\n\n")
        while connection.recv(65536):
            pass

    server = StreamServer(("127.0.0.1", 0), answer, backlog=1024)
    server.start()
    print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


async def serve_asyncio() -> None:
    """Reads nothing and decides nothing: hangs up on everybody, in one write."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"connect\n\n" + HANGUP)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "asyncio":
        asyncio.run(serve_asyncio())
    PEERS = {"greenswitch": serve_greenswitch, "gevent": serve_gevent}
    PEERS[sys.argv[1]](frozenset(Path(sys.argv[2]).read_text("utf-8").split()))
