"""The `callsieve` command: puts the commands together."""

from __future__ import annotations

import click

from callsieve import __version__
from callsieve.decide_command import decide
from callsieve.demo import demo
from callsieve.kamailio_command import kamailio
from callsieve.list_commands import COMMANDS
from callsieve.probe import probe
from callsieve.serve import serve
from callsieve.verify_command import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="callsieve")
def main() -> None:
    """Callsieve screens call legs against number lists for FreeSWITCH and Kamailio.

    Lists and rules live in a store, named by --store or the environment variable CALLSIEVE_STORE,
    such as csv:/var/lib/callsieve.
    """


for command in (serve, probe, decide, demo, *COMMANDS, verify, kamailio):
    main.add_command(command)
