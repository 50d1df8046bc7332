"""`callsieve probe`: plays FreeSWITCH for one leg against a running service."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import click

from callsieve.addresses import ADDRESS, Address
from callsieve.leg_options import leg_options, read_leg
from callsieve.receipt import Value, receipt_lines
from esl_service.answer import BRIDGE
from esl_service.blocking import BLOCK
from esl_service.channel_data import ChannelData, write_channel_data, write_leg
from esl_service.errors import RemoteProtocolError
from esl_service.switch_side import DISCONNECT, Answer, SwitchSide


class ProbeError(click.ClickException):
    """No decision was had; the exit code says why."""


class ServiceDownError(ProbeError):
    exit_code = 3


class ServiceSlowError(ProbeError):
    exit_code = 4


class ServiceNonsenseError(ProbeError):
    exit_code = 5


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The decision as it came over the wire. `microseconds`: from channel data to full answer."""

    decision: Mapping[str, Value]
    microseconds: int


@click.command()
@leg_options(BLOCK)
@click.option("--number", default="", metavar="NUMBER", help="Flow block: what to put on a list.")
@click.option("--list", "number_list", default="", metavar="LIST", help="Flow block: which list.")
@click.option(
    "--connect",
    "address_of_service",
    type=ADDRESS,
    default="127.0.0.1:8084",
    show_default=True,
    help="Where the service listens.",
)
@click.option(
    "--timeout", default=2.0, show_default=True, metavar="SECONDS", help="How long it may take."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def probe(address_of_service: Address, timeout: float, as_json: bool, **leg: Any) -> None:
    """Ask a running service about one leg, as FreeSWITCH would. Flow block changes the list.

    \b
    Example:
      callsieve probe --flow inbound --caller +48600100200 --called +48221234567
      callsieve probe --campaign "Spring sale" --called 604555666 --json
      callsieve probe --flow block --number 604555666 --list Default --timeout 5

    Exit code: 0 a decision came; 3 the service is down; 4 it is too slow; 5 it talks nonsense.
    """
    result = ask(address_of_service, read_leg(**leg), timeout)
    if as_json:
        click.echo(json.dumps({**result.decision, "microseconds": result.microseconds}))
        return
    for line in receipt_lines(result.decision):
        click.echo(line)
    click.echo(f"{'latency':<10} {result.microseconds} microseconds")


def ask(address: Address, channel: ChannelData, timeout: float) -> ProbeResult:
    """Play one leg. Raises ProbeError.

    The socket's mode is the one that `freeswitch_conf/` chose for the flow.
    """
    channel = channel._replace(uuid=channel.uuid or str(uuid4()))
    asynchronous = channel.flow == "inbound"
    line = write_leg(channel, asynchronous)
    switch = SwitchSide(write_channel_data(channel), asynchronous, line)
    host, port = address
    place = f"{host}:{port}"
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection(address, timeout) as connection:
            microseconds = _converse(connection, switch, deadline)
    except TimeoutError:
        raise ServiceSlowError(f"{place}: no full answer within {timeout:g} seconds") from None
    except OSError as error:
        raise ServiceDownError(f"{place}: {error.strerror or error}") from None
    except RemoteProtocolError as error:
        raise ServiceNonsenseError(f"{place}: {error}") from None
    return ProbeResult(_decision(switch.answer, place), microseconds)


def _converse(connection: socket.socket, switch: SwitchSide, deadline: float) -> int:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    started = 0
    while not switch.answer.final:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        connection.settimeout(remaining)
        data = connection.recv(65536)
        if not data:
            raise RemoteProtocolError("the service closed the connection without a full answer")
        replies = switch.receive(data)
        if not started and replies:
            started = time.perf_counter_ns()
        connection.sendall(replies)
    finished = time.perf_counter_ns()
    connection.sendall(DISCONNECT)
    return (finished - started) // 1000


def _decision(answer: Answer, place: str) -> dict[str, Value]:
    variables = answer.variables
    action = variables.get("callsieve_action")
    if action is None:
        raise ServiceNonsenseError(f"{place}: the answer sets no callsieve_action")
    cause = answer.argument("hangup")
    response = (answer.argument("respond") or "").partition(" ")[0]
    target = variables.get(BRIDGE) or answer.argument("transfer", "redirect")
    ended = cause is not None or response.isdigit()
    if (action == "hangup") != ended or (action == "redirect") != (target is not None):
        raise ServiceNonsenseError(f"{place}: says {action} and orders otherwise")
    generation = variables.get("callsieve_generation", "")
    return {
        "action": action,
        "list": variables.get("callsieve_list"),
        "entry": variables.get("callsieve_entry"),
        "number": variables.get("callsieve_number"),
        "read_as": variables.get("callsieve_read_as"),
        "rule": variables.get("callsieve_rule"),
        "status": variables.get("callsieve_status"),
        "cause": cause,
        "response": int(response) if response else None,
        "call_info": _call_info(variables.get("sip_rh_Call-Info")),
        "redirect": target,
        "presentation_number": variables.get("effective_caller_id_number"),
        "generation": int(generation) if generation.isdigit() else None,
        "rules_version": variables.get("callsieve_rules_version"),
        "marked": variables.get("callsieve_marked"),
        "reason": variables.get("callsieve_reason", ""),
    }


def _call_info(header: str | None) -> str | None:
    return header and header.partition(">")[0].removeprefix("<")
