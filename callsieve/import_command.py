"""`callsieve import`: a CSV file or a workbook into a list."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from callsieve import list_output as output
from callsieve.command_help import epilog
from callsieve.import_output import import_json, print_import, print_layout
from callsieve.progress import progress_bar
from callsieve.stores import fail, json_option, opened, reason_option, store_option, warn
from loader.change_log import this_process
from loader.column_choice import FIELDS
from loader.csv_import import ImportOptions, ImportReport, import_file, read_sample
from loader.csv_layout import DELIMITERS, QUOTES, Wanted, read_layout
from loader.encodings import ENCODINGS
from loader.import_source import import_source
from loader.locking import uninterrupted
from loader.numbers import check_region
from loader.store import BadValueError, quoted

SOME_REJECTED = 3
NONE_ACCEPTED = 4
INTERRUPTED = 130
SAMPLE_ROWS = 3
TOO_LATE = "interrupted too late: the import was made"
DELIMITER_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
assert set(DELIMITER_NAMES.values()) == set(DELIMITERS)


@click.command(
    "import",
    epilog=epilog(
        "callsieve import Opt-outs numbers.csv\n"
        "callsieve import Opt-outs numbers.csv --map number=Telefon --map date=3 --dry-run\n"
        "callsieve import Opt-outs numbers.csv --date-format DD.MM.YYYY --reason 'May opt-outs'\n"
        "callsieve import Opt-outs customers.xlsx --sheet May --region GB\n"
        "asterisk -rx 'database show blacklist' | callsieve import Default -",
        exit0="every row was accepted: added, updated or there already",
        exit3="some rows were rejected",
        exit4="no row was accepted; nothing was changed",
        exit130="interrupted with Ctrl-C",
    ),
)
@click.argument("name", metavar="LIST")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Which column is the number, date, description, expires or country (calling codes or"
    " regions of national numbers): its name, its position from 1, or nothing to leave the field"
    " out. Without it the cells and the header decide.",
)
@click.option(
    "--region",
    metavar="CODE",
    help="How national numbers are read, such as GB.  [default: the list's or the store's]",
)
@click.option("--sheet", metavar="NAME|N", help="Of a workbook: its name or its position from 1.")
@click.option(
    "--date-format",
    "date_formats",
    multiple=True,
    metavar="FORMAT",
    help="How days are written, such as DD.MM.YYYY or M/D/YY, or excel for serial days; more"
    " than once for more than one way."
    "  [default: YYYY-MM-DD]",
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
@click.option("--only-valid", is_flag=True, help="Refuse numbers in no range that is in use.")
@click.option(
    "--short", "take_short", is_flag=True, help="Take short numbers in a column of full ones."
)
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
    region: str | None,
    sheet: str | None,
    date_formats: Sequence[str],
    encoding: str | None,
    delimiter: str | None,
    quotes: str | None,
    replace: bool,
    accept: bool,
    only_valid: bool,
    take_short: bool,
    dry_run: bool,
    yes_really: bool,
    reason: str,
    url: str,
    as_json: bool,
) -> None:
    """Add the numbers of FILE to LIST, all in one step.

    FILE is a CSV file, a workbook (.xlsx, .xlsb, .ods, .xls), the output of Asterisk's `database
    show blacklist`, or - for standard input.

    How it is read is found out and shown first, with the first rows: columns, encoding (UTF-8,
    UTF-16, Windows-1250, -1251, -1252, Latin-2), what is between and around the cells. Every row
    is added, updated, there already or rejected; rejected rows are written to FILE.rejects.csv with
    line and reason: correct and import that file. A blank cell keeps what the list has for the
    number.

    With --replace, numbers that the file does not have go; if most of the list would, nothing is
    changed unless --accept is said. The import is a batch in the change log,
    which `callsieve undo BATCH` takes back.

    Held back (rejected) without --yes-really: prefixes that cover more than a million numbers,
    emergency and public short numbers, our own numbers.
    """
    with opened(url, create=not dry_run) as place, import_source(file, sheet) as source:
        wanted = Wanted(
            {**source.mapping, **_mapping(mapping)},
            encoding,
            DELIMITER_NAMES[delimiter] if delimiter else None,
            QUOTES[quotes] if quotes else None,
            date_formats,
            source.day_zero,
            source.iso_dates,
        )
        home, read_in = place.region_of(name), _region(region)
        guard = None if yes_really else place.guard(name)
        ours = guard.keys if guard else None
        layout = read_layout(source.file, wanted, read_in or home, ours)
        origin = this_process("callsieve import", reason)
        options = ImportOptions(
            replace,
            dry_run,
            guard,
            place.number_check(name),
            origin,
            accept,
            take_short=take_short,
            only_valid=only_valid,
            made_of=source.made_of,
            region=read_in,
        )
        sample = read_sample(source.file, layout, home, options, SAMPLE_ROWS)
        if not as_json:
            print_layout(source, layout, sample)
        result = ImportReport(layout)
        try:
            with progress_bar(source.file, source.name) as progress:
                watched = dataclasses.replace(options, progress=progress)
                import_file(place.store, name, source.file, result, home, watched)
        except KeyboardInterrupt:
            if result.batch is None:
                fail("interrupted: nothing was changed", INTERRUPTED)
            warn(TOO_LATE)
        report = None
        if result.accepted and not dry_run:
            try:
                with uninterrupted():
                    report = place.publish_batch(name, home, result.batch)
            except KeyboardInterrupt:
                warn(TOO_LATE)
        if as_json:
            output.print_json(import_json(name, source, sample, result, report, dry_run))
        else:
            print_import(name, result, report)
            if dry_run:
                click.echo("dry run: nothing was changed")
    if not result.accepted:
        sys.exit(NONE_ACCEPTED)
    sys.exit(SOME_REJECTED if result.rejected else 0)


def _region(code: str | None) -> str | None:
    """Raises BadValueError for one that is none."""
    try:
        return check_region(code) if code else None
    except ValueError as error:
        raise BadValueError(f"--region: {error}") from None


def _mapping(options: Sequence[str]) -> dict[str, str]:
    """Field -> column from `--map FIELD=COLUMN` options."""
    mapping: dict[str, str] = {}
    for option in options:
        name, equals, column = option.partition("=")
        if not equals or name not in FIELDS or name in mapping:
            raise BadValueError(
                f"--map: expected FIELD=COLUMN, each FIELD once: {', '.join(FIELDS)};"
                f" found {quoted(option)}"
            )
        mapping[name] = column.strip()
    return mapping


COMMANDS: tuple[click.Command, ...] = (import_,)
