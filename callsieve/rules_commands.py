"""`callsieve rules`: out of a store, and back into it if nobody changed them meanwhile."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from callsieve import list_output as output
from callsieve.command_help import epilog
from callsieve.log_commands import record_json, record_line
from callsieve.stores import Place, json_option, opened, reason_option, store_option
from loader.change_log import this_process
from loader.rules_history import rules_before, rules_changes
from loader.store import (
    BadValueError,
    StoreError,
    escaped,
    os_problem,
    quoted,
    rules_version,
    version_of,
)

MAX_FILE_BYTES = 16_000_000
NOTHING_BEFORE = 1
MAX_SERIAL = 10**12
_NOTE = (
    "# Rules of version {}. `callsieve rules put` takes them while the store has this version.\n"
)
_NOTED = re.compile(r"\ufeff?# Rules of version ([0-9a-f]{12})\. [^\n]*\n")


@click.group("rules", epilog=epilog("callsieve rules get rules.toml"))
def rules_group() -> None:
    """Get the rules from the store, and put changed ones back; take a change of theirs back."""


@rules_group.command("get", epilog=epilog("callsieve rules get rules.toml"))
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--version", metavar="VERSION", help="An earlier one, as callsieve rules log names it."
)
@click.option(
    "--in-force", is_flag=True, help="Those in force on this machine, if the store's are broken."
)
@store_option
def get(file: Path | None, version: str | None, in_force: bool, url: str) -> None:
    """Write the rules to FILE, or to standard output.

    The first line names their version, by which `callsieve rules put` knows whether somebody has
    changed them in between. Of those of --version or --in-force it has none.
    """
    if version is not None and in_force:
        raise click.UsageError("expected --version or --in-force, found both")
    with opened(url) as place:
        if in_force:
            noted = text = place.rules_in_force or ""
        elif version is not None:
            noted = text = _kept(place, version)
        else:
            text = place.store.rules_text()
            noted = _NOTE.format(rules_version(text)) + text
        if file is None:
            click.echo(noted, nl=False)
            return
        try:
            file.write_text(noted, "utf-8", newline="")
        except OSError as error:
            raise StoreError(os_problem(error, file)) from error
        click.echo(f"{escaped(str(file))}: rules of version {rules_version(text)}")


@rules_group.command(
    "put",
    epilog=epilog(
        "callsieve rules put rules.toml",
        exit2="usage, or rules with a mistake; nothing was changed",
        exit5="somebody changed the rules meanwhile, or the store cannot be used",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--version", metavar="VERSION", help="Of what was changed, if FILE does not say it.")
@reason_option
@store_option
def put(file: Path, version: str | None, reason: str, url: str) -> None:
    """Check the rules in FILE, put them into the store and into force.

    Rules that somebody else changed since `callsieve rules get` are not overwritten: get them
    again, and make your change there. The change log has who did it, when, why, and both texts.
    """
    with opened(url) as place:
        text = _read(file)
        noted = _NOTED.match(text)
        if noted:
            text = text[noted.end() :]
            version = version or noted[1]
        if version is None:
            raise BadValueError(
                f"{escaped(str(file))}: expected the version in its first line, as callsieve rules"
                " get writes it, or in --version"
            )
        place.put_rules(text, version, this_process("callsieve rules put", reason))
        click.echo(f"rules: version {rules_version(text)} is in force")


@rules_group.command("log", epilog=epilog("callsieve rules log"))
@store_option
@json_option
def log(url: str, as_json: bool) -> None:
    """Show every change of the rules, oldest first: who, when, why, and the versions before and
    after it.

    Edits of the file by hand are in it once `callsieve reload` or the service has taken them.
    """
    with opened(url) as place:
        records = list(rules_changes(place.store.log_lines()))
        if as_json:
            output.print_json([record_json(record) for record in records])
            return
        for record in records:
            click.echo(record_line(record))


@rules_group.command(
    "rollback",
    epilog=epilog(
        "callsieve rules rollback --reason 'the new rules block customers'",
        exit1="there is no change to take back",
    ),
)
@reason_option
@store_option
def rollback(reason: str, url: str) -> None:
    """Take the last change of the rules back: in the store and in force, on all nodes.

    Another rollback takes this one back.
    """
    _take_back(url, None, "rules rollback", reason)


@rules_group.command("undo", epilog=epilog("callsieve rules undo 12"))
@click.argument("change", type=click.IntRange(1, MAX_SERIAL))
@reason_option
@store_option
def undo(change: int, reason: str, url: str) -> None:
    """Take one CHANGE of the rules back, by its number in `callsieve rules log`.

    Changes that came after it stay. When one of them is in the same lines, nothing is changed, and
    that is said.
    """
    _take_back(url, change, "rules undo", reason)


def _take_back(url: str, serial: int | None, what: str, reason: str) -> None:
    with opened(url) as place:
        version = rules_version(place.store.rules_text())
        found = rules_before(place.store, serial)
        if found is None:
            click.echo("rules: there is no change to take back")
            sys.exit(NOTHING_BEFORE)
        record, text = found
        place.put_rules(text, version, this_process(f"callsieve {what}", reason), what)
        click.echo(f"taken back: {record_line(record)}")
        click.echo(f"rules: version {rules_version(text)} is in force")


def _kept(place: Place, version: str) -> str:
    """The text of that version, of those that the log has. Raises BadValueError, StoreError."""
    for record in rules_changes(place.store.log_lines()):
        change = record.change.rules
        for sha256 in (change.before, change.after) if change else ():
            if version_of(sha256) == version:
                return place.store.kept_rules(sha256)
    raise BadValueError(
        f"--version: expected one that callsieve rules log names, found {quoted(version)}"
    )


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened_file:
            data = opened_file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise StoreError(os_problem(error, file)) from error
    if len(data) > MAX_FILE_BYTES:
        raise BadValueError(f"{escaped(str(file))}: expected at most {MAX_FILE_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadValueError(f"{escaped(str(file))}: expected UTF-8") from None
