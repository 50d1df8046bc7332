"""What the service writes to its log: one line an event, whatever is in it, and nobody waits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO

import pytest
import structlog

from callsieve.log_output import WAITING_BYTES, LogOutput, log_to


@pytest.fixture
def written() -> Iterator[BytesIO]:
    output = BytesIO()
    log_to(output)
    yield output
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "two\nlines\r\n",
        "\u2028\u2029\x85\x00\x1b[31m",
        "za\u017c\u00f3\u0142\u0107 \U0001f600",
        '"quoted" \\ back',
        "half a character \ud83d",
    ],
)
def test_a_text_stays_in_its_line(written: BytesIO, text: str) -> None:
    structlog.get_logger().warning("protocol_error", error=text, peer=("127.0.0.1", 5000))
    line = written.getvalue()
    assert line.isascii()
    assert line.decode().splitlines(keepends=True) == [line.decode()]
    assert line.endswith(b"}\n")
    entry = json.loads(line)
    assert (entry["error"], entry["peer"]) == (text, ["127.0.0.1", 5000])
    assert (entry["event"], entry["level"]) == ("protocol_error", "warning")


@pytest.mark.parametrize(
    ("value", "told"),
    [(2**80, 2**80), (b"\xff", repr(b"\xff")), (None, None), ({"hangup": 3}, {"hangup": 3})],
)
def test_a_value_that_json_has_no_way_to_say_is_described(
    written: BytesIO, value: object, told: object
) -> None:
    structlog.get_logger().info("stopped", value=value)
    assert json.loads(written.getvalue())["value"] == told


@pytest.mark.parametrize("text", ["plain", "za\u017c\u00f3\u0142\u0107"])
def test_the_time_is_said_in_utc(written: BytesIO, text: str) -> None:
    before = datetime.now(UTC)
    structlog.get_logger().info(text)
    moment = datetime.fromisoformat(json.loads(written.getvalue())["timestamp"])
    assert before <= moment <= datetime.now(UTC)


def test_a_defect_is_told_with_its_traceback(written: BytesIO) -> None:
    try:
        raise ZeroDivisionError("nobody thought of it")
    except ZeroDivisionError:
        structlog.get_logger().exception("defect", peer="127.0.0.1")
    entry = json.loads(written.getvalue())
    assert (entry["event"], entry["level"]) == ("defect", "error")
    assert "ZeroDivisionError: nobody thought of it" in entry["exception"]
    assert "test_log_output.py" in entry["exception"]


def test_what_a_logger_is_bound_to_is_in_its_lines(written: BytesIO) -> None:
    structlog.get_logger().bind(worker=7, status="old").info("blocked", status="added")
    entry = json.loads(written.getvalue())
    assert (entry["worker"], entry["status"]) == (7, "added")


def test_a_slow_reader_costs_lines_and_is_told_how_many() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    output = LogOutput(writing)
    line = b"x" * 1023 + b"\n"
    sent = WAITING_BYTES // len(line) + 1000
    for _ in range(sent):
        output.write(line)
        output.send()  # the pipe is soon full
    received = b""
    while b"log_lines_dropped" not in received:
        received += os.read(reading, 2**20)
        output.send()
    os.close(reading)
    os.close(writing)
    *lines, last = received.splitlines(keepends=True)
    assert set(lines) == {line}
    assert json.loads(last)["count"] == sent - len(lines)


def test_nobody_reading_stops_nobody() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    output = LogOutput(writing)
    output.write(b"lost\n")
    output.send()
    os.close(writing)
