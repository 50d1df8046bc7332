"""`callsieve rules`: out of a store, and back into it if nobody changed them meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import click

from callsieve.command_help import epilog
from callsieve.stores import opened, store_option
from callsieve.wiring import check_rules
from loader.store import BadValueError, StoreError, escaped, os_problem, rules_version

MAX_FILE_BYTES = 16_000_000
_NOTE = (
    "# Rules of version {}. `callsieve rules put` takes them while the store has this version.\n"
)
_NOTED = re.compile(r"\ufeff?# Rules of version ([0-9a-f]{12})\. [^\n]*\n")


@click.group("rules", epilog=epilog("callsieve rules get rules.toml"))
def rules_group() -> None:
    """Get the rules from the store, and put changed ones back."""


@rules_group.command("get", epilog=epilog("callsieve rules get rules.toml"))
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@store_option
def get(file: Path | None, url: str) -> None:
    """Write the rules to FILE, or to standard output.

    The first line names their version, by which `callsieve rules put` knows whether somebody has
    changed them in between.
    """
    with opened(url) as place:
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
@store_option
def put(file: Path, version: str | None, url: str) -> None:
    """Check the rules in FILE, put them into the store and into force.

    Rules that somebody else changed since `callsieve rules get` are not overwritten: get them
    again, and make your change there.
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
        check_rules(text, place.store.list_names())
        place.store.put_rules(text, version)
        place.publish_rules()
        click.echo(f"rules: version {rules_version(text)} is in force")


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
