"""`callsieve reload` and `callsieve rollback`: what is published, without a change of the store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from callsieve import list_output as output
from callsieve.command_help import epilog
from callsieve.enforcement import wait_for_all
from callsieve.log_commands import record_line
from callsieve.stores import (
    BAD_VALUE,
    Place,
    fail,
    json_option,
    opened,
    reason_option,
    store_option,
    warn,
)
from loader.change_log import Change, Origin, this_process
from loader.held_back import found_held_back, of_list
from loader.publishing import StoreReport
from loader.store import BadValueError, StoreError, quoted
from lookup_core import PublishedList
from screening import Rules

NOTHING_BEFORE = 1
SOME_LEFT = 3
NOT_EVERYWHERE = 6


@click.command(
    "reload",
    epilog=epilog(
        "callsieve reload\ncallsieve reload Default --accept\n"
        "callsieve reload --wait --wait-seconds 30",
        exit2="usage, or something was not taken or held back; the rest was",
        exit6="with --wait: some have not got it in time, and are named",
    ),
)
@click.argument("names", metavar="[LIST]...", nargs=-1)
@click.option("--rules", "with_rules", is_flag=True, help="With LIST, or alone: the rules, too.")
@click.option(
    "--accept",
    is_flag=True,
    help="Take LIST, or with --rules the rules, as they are now, whatever they have lost.",
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Redis: take the store as it is, empty too, although it has lost what this node has.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Return when every worker of this machine, and every Redis node that was heard of within"
    " a day, has what was published.",
)
@click.option(
    "--wait-seconds",
    type=click.FloatRange(0, 3600),
    default=10.0,
    show_default=True,
    metavar="N",
    help="How long --wait waits; then those that do not have it are named.",
)
@reason_option
@store_option
@json_option
def reload(
    names: tuple[str, ...],
    with_rules: bool,
    accept: bool,
    accept_loss: bool,
    wait: bool,
    wait_seconds: float,
    reason: str,
    url: str,
    as_json: bool,
) -> None:
    """Read all lists and the rules again and publish them, after a change by hand.

    With LIST: only these lists, and not the rules, unless --rules is said.

    A list or a rules file with a mistake is not taken: what was in force stays, and the exit code
    is 2. Held back in the same way is a list that an edit by hand has left empty, without its
    header, mostly unreadable or without most of its entries, and rules that have lost most of
    theirs, until somebody confirms it with --accept. That is in the change log.
    """
    if accept and not names and not with_rules:
        raise click.UsageError("--accept: expected LIST or --rules, whose loss it confirms")
    with opened(url) as place:
        if accept_loss:
            report = place.start_anew()
        elif names or with_rules:
            report = _reload_some(place, names, with_rules, accept, reason)
        else:
            report = place.publish_all()
        answer = output.reload_json(report)
        if not as_json:
            output.print_reload(report)
        without = []
        if wait:
            waited = wait_for_all(place, wait_seconds)
            answer |= {"have_it": waited.having, "without_it": waited.without}
            without = waited.without
            if not as_json:
                everybody = waited.having + len(without)
                click.echo(f"workers and nodes that have it: {waited.having} of {everybody}")
        if as_json:
            output.print_json(answer)
        for line in without:
            warn(line)
        if report.problems:
            fail("\n".join(report.problems), BAD_VALUE)
        sys.exit(NOT_EVERYWHERE if without else 0)


def _reload_some(
    place: Place, names: Sequence[str], with_rules: bool, accept: bool, reason: str
) -> StoreReport[Rules]:
    view = place.catalog.current()
    report = place.publish_lists(names, accept)
    origin = this_process("callsieve reload --accept" if accept else "callsieve reload", reason)
    published = [one.name for one in report.lists]
    for name in (*published, *report.withdrawn) if accept else ():
        if found_held_back(view, of_list(name)) is not None:
            place.store.note(Change(name, "accept"), origin)
    if not with_rules:
        return report
    try:
        return replace(report, rules=place.reload_rules(accept, origin))
    except (ValueError, StoreError) as error:
        return replace(report, problems=(*report.problems, f"rules not taken: {error}"))


@click.command(
    "rollback",
    epilog=epilog(
        "callsieve rollback Default --reason 'the import of this morning blocks customers'\n"
        "callsieve reload Default",
        exit1="there is nothing before",
        exit3="Redis: some numbers were changed since and stay as they are",
    ),
)
@click.argument("name", metavar="LIST")
@click.option(
    "--this-node",
    is_flag=True,
    help="Redis: on this node only, without asking Redis; the store and other nodes stay.",
)
@reason_option
@store_option
@json_option
def rollback(name: str, this_node: bool, reason: str, url: str, as_json: bool) -> None:
    """Make LIST what it was before the last change, at once.

    Another rollback returns to where it was. Both are in the change log.

    In a directory, LIST as it is published becomes what it was one generation before. The rows of
    its file are not changed: `callsieve reload LIST` publishes them again, and a change of the file
    may do so too. To take an import out of them, use `callsieve undo`. Entries that have expired
    since then stay expired.

    In Redis, the last change of LIST is taken back in the store, for all nodes, as `callsieve undo`
    does it. With --this-node it is as in a directory.
    """
    with opened(url) as place:
        if name not in place.catalog.current().lists:
            raise BadValueError(f"expected a list that is published here, found {quoted(name)}")
        origin = this_process("callsieve rollback", reason)
        try:
            report = None if this_node else place.roll_back_everywhere(name, origin)
            if report is None:
                _roll_back_here(place, name, origin, as_json)
                return
        except KeyError:
            problem = "there is nothing before this"
            if as_json:
                output.print_json({"list": name, "problem": problem})
            else:
                click.echo(f"{name}: {problem}")
            sys.exit(NOTHING_BEFORE)
        published = place.publish_batch(name, None, report.batch)
        if as_json:
            output.print_json({**output.undo_json(report, published), "all_nodes": True})
        else:
            click.echo(
                f"{name}: rolled back for all nodes; taken back: {record_line(report.record)}"
            )
            output.print_undo(report, published)
        sys.exit(SOME_LEFT if report.left else 0)


def _roll_back_here(place: Place, name: str, origin: Origin, as_json: bool) -> None:
    """Raises KeyError."""
    generation = place.roll_back_here(name, origin)
    try:
        place.note_roll_back(name, origin)
    except StoreError as error:  # which is perhaps why somebody rolls back
        warn(f"the rollback was made, and is not in the change log: {error}")
    entries = _entries(place, name)
    if as_json:
        output.print_json(
            {"list": name, "generation": generation, "entries": entries, "all_nodes": False}
        )
        return
    click.echo(
        f"{name}: rolled back on this machine (generation {generation}, entries: {entries});"
        " the store's rows are unchanged"
    )
    if place.is_shared:
        click.echo(f"other nodes have them; for all nodes: callsieve rollback {quoted(name)}")


def _entries(place: Place, name: str) -> Any:
    published = place.catalog.current().lists.get(name)
    return published.info.get("entries") if isinstance(published, PublishedList) else None


COMMANDS: tuple[click.Command, ...] = (reload, rollback)
