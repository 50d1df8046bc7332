"""The options that describe a leg, shared by `callsieve probe` and `callsieve decide`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from esl_service.channel_data import ChannelData
from screening import FLOWS

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--flow",
        type=click.Choice(FLOWS),
        help="What kind of leg it is; told from --campaign, --queue and so on if left out.",
    ),
    click.option("--caller", default="", metavar="NUMBER", help="The caller's number."),
    click.option("--called", default="", metavar="NUMBER", help="The number that is called."),
    click.option("--campaign", default="", metavar="NAME", help="An outbound leg of a campaign."),
    click.option("--queue", default="", metavar="NAME", help="A callback of a queue."),
    click.option("--widget", default="", metavar="NAME", help="A callback of a web widget."),
    click.option("--route", default="", metavar="NAME", help="An outbound leg's route."),
    click.option("--region", default="", metavar="CODE", help="Region of national numbers."),
    click.option(
        "--from-user",
        metavar="USER",
        help="User of the SIP From header, where it differs from the caller's number.",
    ),
    click.option("--privacy", is_flag=True, help="The caller asks to withhold its number."),
    click.option(
        "--address", default="127.0.0.1", show_default=True, metavar="IP", help="Who sent the leg."
    ),
    click.option("--gateway", default="", metavar="NAME", help="The leg's gateway."),
)


def leg_options(command: Command) -> Command:
    """Adds the options; the command gets them as one `channel` argument through `read_leg`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_leg(
    flow: str | None,
    caller: str,
    called: str,
    campaign: str,
    queue: str,
    widget: str,
    route: str,
    region: str,
    from_user: str | None,
    privacy: bool,
    address: str,
    gateway: str,
) -> ChannelData:
    """The leg that the options describe."""
    return ChannelData(
        uuid="probe",
        direction="inbound",
        caller_number=caller,
        called_number=called,
        from_user=caller if from_user is None else from_user,
        network_address=address,
        gateway=gateway,
        flow=flow or _flow_of(campaign, queue, widget, route),
        campaign=campaign,
        queue=queue,
        widget=widget,
        route=route,
        region=region,
        privacy=privacy,
    )


def _flow_of(campaign: str, queue: str, widget: str, route: str) -> str:
    if queue:
        return "callback"
    if widget:
        return "widget"
    return "outbound" if campaign or route else "inbound"
