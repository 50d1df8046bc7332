"""A TCP proxy on a loopback port that loses connections when it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class CuttingProxy:
    """Forwards to one port. cut(): every connection ends now, and none can be made until mend().

    cut_after: how many bytes of answers a connection may carry before it ends in the middle.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.cut_after: int | None = None
        self._is_cut = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False
            self.cut_after = None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self._is_cut:
                return
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                with self._lock:
                    self._open |= {client, server}
                back = threading.Thread(
                    target=self._forward, args=[server, client, self.cut_after], daemon=True
                )
                back.start()
                self._forward(client, server, None)
                back.join()
        with self._lock:
            self._open.discard(client)
            self._open = {one for one in self._open if one.fileno() >= 0}

    def _forward(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if limit is not None and len(data) >= limit:
                    target.sendall(data[:limit])
                    break
                if limit is not None:
                    limit -= len(data)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
