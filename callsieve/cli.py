"""The `callsieve` command: puts the commands together."""

from __future__ import annotations

import click

from callsieve import (
    __version__,
    import_command,
    list_commands,
    log_commands,
    number_commands,
    publishing_commands,
    registry_commands,
)
from callsieve.decide_command import decide
from callsieve.demo import demo
from callsieve.follow_command import follow
from callsieve.kamailio_command import kamailio
from callsieve.probe import probe
from callsieve.rules_commands import rules_group
from callsieve.serve import serve
from callsieve.status_command import status
from callsieve.store_commands import store_group
from callsieve.upkeep_command import upkeep
from callsieve.verify_command import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="callsieve")
def main() -> None:
    """Callsieve screens call legs against number lists for FreeSWITCH and Kamailio.

    Lists and rules live in a store, named by --store or the environment variable CALLSIEVE_STORE,
    such as csv:/var/lib/callsieve or redis://127.0.0.1:6379.
    """


for command in (
    serve,
    probe,
    decide,
    demo,
    status,
    follow,
    rules_group,
    store_group,
    *list_commands.COMMANDS,
    *number_commands.COMMANDS,
    *publishing_commands.COMMANDS,
    *import_command.COMMANDS,
    *log_commands.COMMANDS,
    kamailio,
    upkeep,
    verify,
):
    main.add_command(command)
for command in registry_commands.COMMANDS:
    list_commands.list_group.add_command(command)
