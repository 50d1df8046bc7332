"""Callers that call while something else goes on."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from callsieve.probe import ProbeError, ask
from esl_service.channel_data import ChannelData
from tests.support.patience import PATIENCE_SECONDS


def reset(connection: socket.socket) -> None:
    """Its close will be a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def calling(address: tuple[str, int], leg: ChannelData) -> Iterator[list[str]]:
    """Four callers, one leg after another; yields the actions they got. A leg that is not answered
    fails the test."""
    stop = threading.Event()
    actions: list[str] = []
    failures: list[BaseException] = []

    def call() -> None:
        try:
            while not stop.is_set():
                actions.append(str(ask(address, leg, PATIENCE_SECONDS).decision["action"]))
        except (ProbeError, OSError, AssertionError) as error:
            failures.append(error)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        yield actions
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert not failures, failures
