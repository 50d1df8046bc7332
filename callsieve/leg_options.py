"""The options that describe a leg, shared by `callsieve probe` and `callsieve decide`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from esl_service.channel_data import ChannelData
from screening import FLOWS

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
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
    click.option(
        "--from-host",
        default="",
        metavar="HOST",
        help="Host of the SIP From header: a caller without a number is screened by its address.",
    ),
    click.option("--privacy", is_flag=True, help="The caller asks to withhold its number."),
    click.option(
        "--address", default="127.0.0.1", show_default=True, metavar="IP", help="Who sent the leg."
    ),
    click.option(
        "--gateway",
        default="",
        metavar="NAME",
        help="The leg's gateway; counts only where --address is one of its own.",
    ),
)


def leg_options(*more_flows: str) -> Callable[[Command], Command]:
    """Adds the options; the command makes its leg of them with `read_leg`.

    more_flows: that the command knows beside those that are decided.
    """
    flow = click.option(
        "--flow",
        type=click.Choice([*FLOWS, *more_flows]),
        help="What kind of leg it is; told from --campaign, --queue and so on if left out.",
    )

    def add_options(command: Command) -> Command:
        for option in reversed((flow, *_OPTIONS)):
            command = option(command)
        return command

    return add_options


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
    from_host: str,
    privacy: bool,
    address: str,
    gateway: str,
    number: str = "",
    number_list: str = "",
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
        number=number,
        list=number_list,
        from_host=from_host,
        privacy=privacy,
    )


def _flow_of(campaign: str, queue: str, widget: str, route: str) -> str:
    if queue:
        return "callback"
    if widget:
        return "widget"
    return "outbound" if campaign or route else "inbound"
