"""The service's log, many lines in one write, and never in the way of a leg.

Lines are gathered and sent when the event loop has nothing else to do. Whoever reads the log may
be slow, so nothing is written that would have to wait: lines stay here up to a bound, then are
dropped and counted, and the log says so when it can be written again.
"""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from json import JSONEncoder
from typing import Any

import structlog

WAITING_BYTES = 4 * 2**20
CHUNK_BYTES = select.PIPE_BUF
"""What a pipe that is ready for writing takes without waiting."""


class LogOutput:
    """A file for structlog: `write` gathers, `send` sends what can be sent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)

    def write(self, line: str) -> None:
        data = line.encode("utf-8", "replace")
        if self._bytes + len(data) > WAITING_BYTES:
            self._dropped += 1
            return
        self._lines.append(data)
        self._bytes += len(data)

    def flush(self) -> None:
        """structlog asks for it after every line."""

    def send(self, seconds: float = 0.0) -> None:
        """Send lines while they are taken; `seconds`: how long to wait for that each time."""
        while self._lines and self._ready.poll(seconds * 1000):
            try:
                self._sent(os.write(self._descriptor, self._chunk()))
            except BlockingIOError:
                return
            except OSError:  # nobody reads it any more
                self._dropped += len(self._lines)
                self._lines.clear()
                self._bytes = 0
                return
            if self._dropped and not self._lines:
                dropped, self._dropped = self._dropped, 0
                self.write(f'{{"event": "log_lines_dropped", "count": {dropped}}}\n')

    def _chunk(self) -> bytes:
        chunk = self._lines.popleft()
        while self._lines and len(chunk) + len(self._lines[0]) <= CHUNK_BYTES:
            chunk += self._lines.popleft()
        self._lines.appendleft(chunk)
        return chunk

    def _sent(self, count: int) -> None:
        chunk = self._lines.popleft()
        self._bytes -= count
        if count < len(chunk):
            self._lines.appendleft(chunk[count:])


def log_to(output: Any = sys.stderr) -> None:
    """One JSON object a line, to a file or a LogOutput."""
    encode = JSONEncoder(default=repr).encode
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            lambda _logger, _level, event: encode(event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
