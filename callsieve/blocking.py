"""Puts numbers on lists for agents at their phones: the flow `block`.

A process of its own adds each number, by the way of `callsieve add`: whatever the store makes it
wait for, the worker's other legs do not.
"""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import replace

import gevent
from gevent.lock import BoundedSemaphore
from gevent.subprocess import DEVNULL, PIPE, Popen

from callsieve.screener import Screener, leg_region
from esl_service.blocking import Blocked
from esl_service.channel_data import ChannelData
from esl_service.errors import UnanswerableLegError
from loader.numbers import read_number
from loader.store import escaped
from screening import WITHHELD

AT_ONCE = 2
"""How many numbers a worker has added at the same time; the others wait."""


class NumberBlocker:
    """`Blocking` of the server, with the store at `url` and the rules in force.

    seconds: that a number may take in all.
    """

    def __init__(self, url: str, screener: Screener, seconds: float) -> None:
        self._url = url
        self._screener = screener
        self._seconds = seconds
        self._turns = BoundedSemaphore(AT_ONCE)

    def block(self, channel: ChannelData) -> Blocked:
        """Waits up to `seconds`. Whatever goes wrong is in the answer."""
        blocked = Blocked("", None, channel.list or None, "")
        self._screener.follow()
        rules = self._screener.rules
        try:
            region = leg_region(channel, rules)
            if not channel.list and not channel.campaign:
                raise ValueError("callsieve_list: expected the name of a list, found ''")
            name = channel.list or rules.campaign_list(channel.campaign)
        except UnanswerableLegError as error:
            return replace(blocked, status="refused: region", reason=str(error))
        except ValueError as error:
            return replace(blocked, status="refused: list", reason=str(error))
        blocked = replace(blocked, list=name)
        reading = read_number(channel.number, region)
        if reading.number is None or reading.number == WITHHELD:
            return replace(blocked, status="refused: number", reason=reading.how)
        agent = read_number(channel.caller_number, region).number or "unknown"
        who, why = f"{agent}@{socket.gethostname()}", f"leg {escaped(channel.uuid, 60)}"
        status, reason = self._add(name, reading.number, who, why)
        return Blocked(status, reading.number, name, reason)

    def _add(self, *arguments: str) -> tuple[str, str]:
        """The status and the reason that `callsieve.add_number` gives."""
        started = False
        output = complaint = b""
        with gevent.Timeout(self._seconds, False), self._turns:
            command = [sys.executable, "-m", "callsieve.add_number", self._url, *arguments]
            started = True
            try:
                child = Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
            except (OSError, ValueError) as error:  # no memory or descriptor; a NUL in a text
                return "failed: service", escaped(str(error), 200)
            with child:
                try:
                    output, complaint = child.communicate()
                finally:
                    if child.poll() is None:
                        child.kill()
            try:
                status, reason = json.loads(output)
            except ValueError:
                last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
                return "failed: service", escaped(f"the adding process: {last}", 200)
            return status, reason
        if started:
            return (
                "failed: late",
                f"not done within {self._seconds:g} s; it may be on the list or not",
            )
        return "refused: busy", "other numbers are being added"
