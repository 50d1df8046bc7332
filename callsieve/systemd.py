"""What systemd and a service say to each other: a socket handed over, and a few words back.

See sd_listen_fds(3) and sd_notify(3). Without systemd nothing here does anything.
"""

from __future__ import annotations

import os
import socket

_FIRST_DESCRIPTOR = 3


def take_listening_sockets() -> list[socket.socket]:
    """The sockets that systemd listens on for this process; none if it does not."""
    count = os.environ.pop("LISTEN_FDS", "")
    names = os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if names != str(os.getpid()) or not count.isdecimal():
        return []
    descriptors = range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(count))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def notify(*words: str) -> None:
    """Tell systemd, e.g. `READY=1`. Nobody waits for an answer, and nothing is lost without one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
        try:
            to_systemd.sendto("\n".join(words).encode(), address)
        except OSError:
            return


def watchdog_seconds() -> float | None:
    """How often systemd wants `WATCHDOG=1`; None if it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 2e6 if microseconds.isdecimal() and for_us else None
