"""The `callsieve` command."""

import click

from callsieve.list_commands import COMMANDS


@click.group()
def main() -> None:
    """Call screening for FreeSWITCH and Kamailio."""


for command in COMMANDS:
    main.add_command(command)
