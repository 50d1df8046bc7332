"""`callsieve demo`: the service on a sample store, one leg of every flow and outcome, a table."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import click

from callsieve.addresses import ADDRESS, Address
from callsieve.list_output import print_table
from callsieve.probe import ProbeResult, ask
from callsieve.receipt import verdict
from esl_service.channel_data import ChannelData

HOTLINE = "+48221234567"
PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DemoLeg:
    """One leg and the decision it must get."""

    title: str
    channel: ChannelData
    action: str
    list: str | None = None
    entry: str | None = None
    rule: str | None = None
    status: str | None = None


def _inbound(
    title: str, caller: str, called: str, *expected: str | None, **more: object
) -> DemoLeg:
    channel = ChannelData(
        flow="inbound",
        caller_number=caller,
        called_number=called,
        from_user=str(more.get("from_user", caller)),
        network_address="192.0.2.10",
        privacy=bool(more.get("privacy")),
    )
    return DemoLeg(title, channel, *expected)  # type: ignore[arg-type]


def _dialled(
    title: str, called: str, named: dict[str, str], *expected: str | None, flow: str = "outbound"
) -> DemoLeg:
    leg = ChannelData(flow=flow, caller_number="1000", called_number=called)
    channel = leg._replace(**named)  # type: ignore[arg-type]  # each is a text field
    return DemoLeg(title, channel, *expected)  # type: ignore[arg-type]


SPRING, WINTER = {"campaign": "Spring sale"}, {"campaign": "Winter sale"}
INFOLINE, WIDGET, ROUTE = {"queue": "Infoline"}, {"widget": "Home page"}, {"route": "Poland"}

LEGS = (
    _inbound("caller on no list", "+48601000111", HOTLINE, "continue"),
    _inbound(
        "caller on Default",
        *("+48600100200", HOTLINE, "hangup", "Default", "+48600100200", "forwarding[1]"),
    ),
    _inbound(
        "the same, written 0048",
        *("0048 600 100 200", HOTLINE, "hangup", "Default", "+48600100200", "forwarding[1]"),
    ),
    _inbound(
        "the same, written nationally",
        *("600-100-200", HOTLINE, "hangup", "Default", "+48600100200", "forwarding[1]"),
    ),
    _inbound("the same, to another number", "+48600100200", "+48221234569", "continue"),
    _inbound(
        "caller behind a forged identity",
        *("+48999999999", HOTLINE, "hangup", "Default", "+48600100200", "forwarding[1]"),
        from_user="+48600100200",
    ),
    _inbound(
        "caller under a prefix",
        *("+48500600701", HOTLINE, "hangup", "Default", "+48500600*", "forwarding[1]"),
    ),
    _inbound("excepted by an allow list", "+48500600700", HOTLINE, "continue"),
    _inbound(
        "nuisance caller",
        *("+48601222333", "+48221234569", "redirect", "Nuisance", "+48601222333"),
        *("forwarding[2]",),
    ),
    _inbound(
        "withheld caller",
        *("anonymous", HOTLINE, "hangup", "Never answer", "anonymous", "forwarding[3]"),
    ),
    _inbound(
        "withheld, number known",
        *("+48601000111", HOTLINE, "hangup", "Never answer", "anonymous", "forwarding[3]"),
        privacy=True,
    ),
    _inbound(
        "caller that is no number, fails open",
        *("alice", HOTLINE, "continue", None, None, "forwarding[1]"),
    ),
    _dialled("campaign, on no list", "+48601000111", SPRING, "continue"),
    _dialled(
        "campaign, listed, own status",
        "+48604555666",
        SPRING,
        *("skip", "Opt-outs", "+48604555666", 'campaign."Spring sale"', "Do not call"),
    ),
    _dialled(
        "campaign, listed",
        "+49 30 123456",
        WINTER,
        *("skip", "Opt-outs", "+4930123456", 'campaign."Winter sale"', "Blacklist"),
    ),
    _dialled(
        "campaign the rules do not know",
        "+48601000111",
        {"campaign": "Typo"},
        *("skip", None, None, "campaign", "Screening unavailable"),
    ),
    _dialled("queue callback", "+48601000111", INFOLINE, "continue", flow="callback"),
    _dialled(
        "queue callback, listed",
        "605 777 888",
        INFOLINE,
        *("skip", "No callbacks", "+48605777888", 'queue."Infoline"', "Blacklist"),
        flow="callback",
    ),
    _dialled("widget callback", "+48601000111", WIDGET, "continue", flow="widget"),
    _dialled(
        "widget callback, listed extension",
        "1000",
        WIDGET,
        *("skip", "No callbacks", "1000", 'widget."Home page"', "Blacklist"),
        flow="widget",
    ),
    _dialled(
        "random number presented",
        "+48601000111",
        ROUTE,
        *("present", "Our numbers", None, 'route."Poland"'),
    ),
)


@click.command()
@click.option("--once", is_flag=True, help="Stop after the table instead of serving on.")
@click.option("--listen", type=ADDRESS, default="127.0.0.1:8084", show_default=True)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".sample-store"),
    show_default=True,
    help="Where the sample store goes; what is there is replaced.",
)
def demo(once: bool, listen: Address, directory: Path) -> None:
    """Show every flow and outcome: what `make run` runs.

    Starts the service on a sample store, plays a leg of every kind against it over the real socket,
    prints a table and goes on serving until Ctrl-C.

    \b
    Example:
      callsieve demo --once

    Exit code: 0 every decision was the expected one; 1 one was not, or the service did not start.
    """
    _write_sample(directory)
    log_path = directory / "service.log"
    host, port = listen
    command = [sys.executable, "-m", "callsieve", "serve", "--store", f"csv:{directory}"]
    command += ["--listen", f"{host}:{port}"]
    with log_path.open("wb") as log:
        service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        try:
            address = _wait_until_ready(service, log_path)
            click.echo(f"Service on {address[0]}:{address[1]}, sample store in {directory}\n")
            wrong = _play(address)
            if once:
                sys.exit(1 if wrong else 0)
            _serve_on(service, directory, address, log_path)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(timeout=10)
            assert service.stdout is not None
            service.stdout.close()


def _write_sample(directory: Path) -> None:
    marker = directory / "service.log"
    if directory.exists() and any(directory.iterdir()) and not marker.exists():
        raise click.ClickException(
            f"--directory: expected an empty directory or an earlier sample, got {directory}"
        )
    shutil.rmtree(directory, ignore_errors=True)
    with as_file(files("callsieve").joinpath("sample_store")) as sample:
        shutil.copytree(sample, directory)


def _wait_until_ready(service: subprocess.Popen[bytes], log_path: Path) -> Address:
    assert service.stdout is not None
    line = service.stdout.readline().decode()
    if not line.startswith("listening on "):
        raise click.ClickException(
            f"the service did not start:\n{log_path.read_text('utf-8', 'replace')[-2000:]}"
        )
    host, _, port = line.removeprefix("listening on ").strip().rpartition(":")
    return host, int(port)


def _play(address: Address) -> int:
    """Play every leg, print the table, return how many decisions were not the expected ones."""
    rows: list[tuple[str, ...]] = [
        ("flow", "caller", "called", "decision", "list and rule", "µs", "leg")
    ]
    wrong = 0
    for leg in LEGS:
        result = ask(address, leg.channel, PROBE_SECONDS)
        good = _is_expected(leg, result)
        wrong += not good
        rows.append(_row(leg, result, good))
    print_table(rows[0], rows[1:], numeric=(5,))
    right = len(LEGS) - wrong
    click.echo(f"\n{right} of {len(LEGS)} decisions as expected")
    return wrong


def _row(leg: DemoLeg, result: ProbeResult, good: bool) -> tuple[str, ...]:
    decision = result.decision
    place = ", ".join(str(decision[key]) for key in ("list", "rule") if decision[key])
    wrong = f"WRONG, expected {leg.action}, {leg.list}, {leg.rule}: "
    return (
        leg.channel.flow,
        leg.channel.caller_number,
        leg.channel.called_number,
        verdict(decision),
        place,
        str(result.microseconds),
        leg.title if good else wrong + leg.title,
    )


def _is_expected(leg: DemoLeg, result: ProbeResult) -> bool:
    decision = result.decision
    if leg.action == "present":
        own = {HOTLINE, "+48221234568", "+48221234569"}
        if decision["presentation_number"] not in own:
            return False
    elif decision["entry"] != leg.entry:
        return False
    expected = (leg.action, leg.list, leg.rule, leg.status)
    return expected == tuple(decision[key] for key in ("action", "list", "rule", "status"))


def _serve_on(
    service: subprocess.Popen[bytes], directory: Path, address: Address, log_path: Path
) -> None:
    place = f"{address[0]}:{address[1]}"
    click.echo(
        f"""
Serving on {place} until Ctrl-C; its log is {log_path}. Try in another terminal:
  export PATH="{Path(sys.executable).parent}:$PATH" CALLSIEVE_STORE=csv:{directory}
  callsieve add Default +48601000111 --description "Blocked by hand"
  callsieve probe --connect {place} --caller +48601000111 --called {HOTLINE}
  callsieve decide --caller +48601000111 --called {HOTLINE}"""
    )
    try:
        service.wait()
    except KeyboardInterrupt:
        click.echo("\nStopped.")
    else:
        raise click.ClickException(f"the service stopped by itself; see {log_path}")
