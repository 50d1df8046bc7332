"""`callsieve import`: a CSV file into a list."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from callsieve import list_output as output
from callsieve.command_help import epilog
from callsieve.progress import progress_bar
from callsieve.stores import fail, json_option, opened, reason_option, store_option, warn
from loader.change_log import this_process
from loader.csv_import import ImportOptions, ImportReport, import_file
from loader.csv_layout import DELIMITERS, QUOTES, Wanted, read_layout
from loader.csv_rows import COLUMNS
from loader.csv_source import ENCODINGS
from loader.locking import uninterrupted
from loader.store import BadValueError, escaped, quoted

SOME_REJECTED = 3
NONE_ACCEPTED = 4
INTERRUPTED = 130
TOO_LATE = "interrupted too late: the import was made"
DELIMITER_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
assert set(DELIMITER_NAMES.values()) == set(DELIMITERS)


@click.command(
    "import",
    epilog=epilog(
        "callsieve import Opt-outs numbers.csv\n"
        "callsieve import Opt-outs numbers.csv --map number=Telefon --map date=3 --dry-run\n"
        "callsieve import Opt-outs numbers.csv --date-format DD.MM.YYYY --reason 'May opt-outs'",
        exit0="every row was accepted: added, updated or there already",
        exit3="some rows were rejected",
        exit4="no row was accepted; nothing was changed",
        exit130="interrupted with Ctrl-C",
    ),
)
@click.argument("name", metavar="LIST")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Which column is the number, date, description or expires: its name, its position from 1,"
    " or nothing to leave the field out. Without it the header decides.",
)
@click.option(
    "--date-format",
    "date_formats",
    multiple=True,
    metavar="FORMAT",
    help="How days are written, such as DD.MM.YYYY or M/D/YYYY.  [default: YYYY-MM-DD]",
)
@click.option(
    "--encoding", type=click.Choice(list(ENCODINGS)), help="Of the text.  [default: found out]"
)
@click.option(
    "--delimiter",
    type=click.Choice(list(DELIMITER_NAMES)),
    help="Between the columns.  [default: found out]",
)
@click.option(
    "--quotes",
    type=click.Choice(list(QUOTES)),
    help="Around cells.  [default: found out]",
)
@click.option(
    "--replace", is_flag=True, help="Have the file's numbers in the list in place of its own."
)
@click.option("--accept", is_flag=True, help="With --replace: even if most of the list goes.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@click.option(
    "--yes-really",
    is_flag=True,
    help="Take entries too that would block far more than one caller.",
)
@reason_option
@store_option
@json_option
def import_(
    name: str,
    file: Path,
    mapping: Sequence[str],
    date_formats: Sequence[str],
    encoding: str | None,
    delimiter: str | None,
    quotes: str | None,
    replace: bool,
    accept: bool,
    dry_run: bool,
    yes_really: bool,
    reason: str,
    url: str,
    as_json: bool,
) -> None:
    """Add the numbers of the CSV file FILE to LIST, all in one step.

    How the file is read is found out and shown first: columns, encoding (UTF-8, UTF-16,
    Windows-1250, Latin-2), what is between and around the cells. Every row is added, updated,
    there already or rejected; rejected rows are written to FILE.rejects.csv with line and reason:
    correct and import that file. A blank cell keeps what the list has for the number.

    With --replace, numbers that the file does not have go; if most of the list would, nothing is
    changed unless --accept is said. The import is a batch in the change log,
    which `callsieve undo BATCH` takes back.

    Held back (rejected) without --yes-really: prefixes that cover more than a million numbers,
    emergency and public short numbers, our own numbers.
    """
    with opened(url, create=not dry_run) as place:
        wanted = Wanted(
            _mapping(mapping),
            encoding,
            DELIMITER_NAMES[delimiter] if delimiter else None,
            QUOTES[quotes] if quotes else None,
            date_formats,
        )
        region = place.region_of(name)
        layout = read_layout(file, wanted, region)
        if not as_json:
            click.echo(f"{escaped(file.name, 100)}: {output.layout_line(layout)}")
        guard = None if yes_really else place.guard(name)
        origin = this_process("callsieve import", reason)
        result = ImportReport(layout)
        try:
            with progress_bar(file) as progress:
                options = ImportOptions(
                    replace, dry_run, guard, place.number_check(name), origin, accept, progress
                )
                import_file(place.store, name, file, result, region, options)
        except KeyboardInterrupt:
            if result.batch is None:
                fail("interrupted: nothing was changed", INTERRUPTED)
            warn(TOO_LATE)
        report = None
        if result.accepted and not dry_run:
            try:
                with uninterrupted():
                    report = place.publish_batch(name, region, result.batch)
            except KeyboardInterrupt:
                warn(TOO_LATE)
        if as_json:
            output.print_json(output.import_json(name, result, report, dry_run))
        else:
            output.print_import(name, result, report)
            if dry_run:
                click.echo("dry run: nothing was changed")
    if not result.accepted:
        sys.exit(NONE_ACCEPTED)
    sys.exit(SOME_REJECTED if result.rejected else 0)


def _mapping(options: Sequence[str]) -> dict[str, str]:
    """Field -> column from `--map FIELD=COLUMN` options."""
    mapping: dict[str, str] = {}
    for option in options:
        name, equals, column = option.partition("=")
        if not equals or name not in COLUMNS or name in mapping:
            raise BadValueError(
                f"--map: expected FIELD=COLUMN, each FIELD once: {', '.join(COLUMNS)};"
                f" found {quoted(option)}"
            )
        mapping[name] = column.strip()
    return mapping


COMMANDS: tuple[click.Command, ...] = (import_,)
