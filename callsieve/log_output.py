"""The service's log, many lines in one write, and never in the way of a leg.

Lines are gathered and sent when the event loop has nothing else to do. Whoever reads the log may
be slow, so nothing is written that would have to wait: lines stay here up to a bound, then are
dropped and counted, and the log says so when it can be written again.
"""

from __future__ import annotations

import json
import os
import select
from collections import deque
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog
from structlog.processors import format_exc_info

WAITING_BYTES = 4 * 2**20
CHUNK_BYTES = select.PIPE_BUF
"""What a pipe that is ready for writing takes without waiting."""


class LogOutput:
    """A file for `log_to`: `write` gathers, `send` sends what can be sent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)

    def write(self, line: bytes) -> None:
        if self._bytes + len(line) > WAITING_BYTES:
            self._dropped += 1
            return
        self._lines.append(line)
        self._bytes += len(line)

    def flush(self) -> None:
        """Nothing to do: `send` is called when there is time."""

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
                self.write(b'{"event":"log_lines_dropped","count":%d}\n' % dropped)

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


def log_to(output: BinaryIO | LogOutput) -> None:
    """One JSON object a line."""
    structlog.configure(
        wrapper_class=_Log, logger_factory=lambda: output, cache_logger_on_first_use=True
    )


class _Log(structlog.BoundLoggerBase):
    """Makes a line at once: structlog's chain of processors costs a leg as much as its decision."""

    def info(self, event: str, **details: Any) -> None:
        self._write("info", event, details)

    def warning(self, event: str, **details: Any) -> None:
        self._write("warning", event, details)

    def error(self, event: str, **details: Any) -> None:
        self._write("error", event, details)

    def exception(self, event: str, **details: Any) -> None:
        details["exc_info"] = True
        self._write("error", event, format_exc_info(None, "error", details))

    def _write(self, level: str, event: str, details: structlog.typing.EventDict) -> None:
        if self._context:
            details = {**self._context, **details}
        details["event"] = event
        details["level"] = level
        details["timestamp"] = datetime.now(UTC)
        self._logger.write(_line(details))
        self._logger.flush()


def _line(details: structlog.typing.EventDict) -> bytes:
    """In ASCII, so that nothing but its end breaks it."""
    try:
        line = orjson.dumps(details, repr, orjson.OPT_APPEND_NEWLINE)
        if line.isascii():
            return line
    except TypeError:  # half a character, or a number of more than 64 bits
        pass
    return f"{json.dumps(details, separators=(',', ':'), default=_text)}\n".encode()


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)
