"""`callsieve list attach` and `list update`: a national registry's files as a list."""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

import click

from callsieve import list_output as output
from callsieve.command_help import epilog
from callsieve.progress import progress_bar
from callsieve.stores import (
    Place,
    json_option,
    opened,
    reason_option,
    store_option,
    utc_now,
    warn,
)
from loader.attached_list import new_attached
from loader.change_log import this_process
from loader.publishing import too_old
from loader.registries import FORMATS, registry_named
from loader.store import BadValueError, parse_date, quoted
from lookup_core import PublishedList

SOME_REJECTED = 3
_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)", re.ASCII)


@click.command(
    "attach",
    epilog=epilog(
        "callsieve list attach 'US registry' --format ftc /srv/dnc/2026-11-01.txt\n"
        "callsieve list attach TPS --format tps --as-of 2026-11-01 tps.zip\n"
        "callsieve list attach Partners --format numbers --max-age 7 partners.txt",
        exit3="some rows could not be read",
    ),
)
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    metavar="REGISTRY",
    required=True,
    help=f"Whose FILE it is: {', '.join(FORMATS[:-1])}, or {FORMATS[-1]} for any list with one"
    " number a line. docs/reference.md has a table of them.",
)
@click.option(
    "--as-of",
    metavar="YYYY-MM-DD",
    help="The day whose numbers the file has.  [default: the day in its name, else the day that it"
    " was written]",
)
@click.option(
    "--max-age",
    type=click.IntRange(1, 3650),
    metavar="DAYS",
    help="How old the numbers may be; then the list is unavailable.  [default: what the registry's"
    " rules say, 31 for ftc; any for numbers]",
)
@reason_option
@store_option
@json_option
def attach(
    name: str,
    file: Path,
    file_format: str,
    as_of: str | None,
    max_age: int | None,
    reason: str,
    url: str,
    as_json: bool,
) -> None:
    """Make NAME the numbers of a registry's FILE, which stays where it is and is not copied.

    FILE is taken as it was downloaded: rows, a zip of them, or the XML of ftc and crtc. It is
    refused when it is empty, cut off, mostly unreadable or a file of changes, and what was attached
    before stays. Numbers without a country code are read in the registry's country.

    FILE must not be changed. When there is a new full file, attach that one under the same name;
    apply change files with `callsieve list update`. Past its maximum age the list is unavailable:
    campaigns and callbacks that use it do not dial. Single numbers cannot be added to it.
    """
    with opened(url, create=True) as place:
        region = place.region_of(name)
        registry = registry_named(file_format)
        if max_age is None:
            max_age = registry.max_age
        elif registry.max_age and max_age > registry.max_age:
            warn(
                f"--max-age {max_age}: {registry.name} allows {registry.max_age} days"
                f" ({registry.age_source})"
            )
        day = parse_date(as_of) if as_of else _days(file)[-1] if _days(file) else None
        with progress_bar(file) as progress:
            attached = new_attached(file, file_format, region, day, max_age, progress)
        place.store.attach(name, attached, this_process("callsieve list attach", reason))
        report = place.publish(name, region)
        told = {"as_of": attached.as_of.isoformat(), "max_age": max_age}
        if as_json:
            output.print_json({**output.report_json(report), **told})
        else:
            click.echo(f"{name}: attached, as of {attached.as_of} ({output.state(report)})")
            output.print_rejects(report.named_rejects, report.rejects)
        _warn_if_too_old(place, name)
        sys.exit(SOME_REJECTED if report.rejects else 0)


@click.command(
    "update",
    epilog=epilog(
        "callsieve list update 'US registry' changes-2026-11-01-2026-11-08.txt\n"
        "callsieve list update TPS changes.txt --since 2026-11-01 --as-of 2026-11-02",
        exit3="some rows could not be read",
    ),
)
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--since",
    metavar="YYYY-MM-DD",
    help="The day whose numbers FILE changes.  [default: the first of two days in its name]",
)
@click.option(
    "--as-of",
    metavar="YYYY-MM-DD",
    help="The day whose numbers they are then.  [default: the last day in its name]",
)
@reason_option
@store_option
@json_option
def update(
    name: str,
    file: Path,
    since: str | None,
    as_of: str | None,
    reason: str,
    url: str,
    as_json: bool,
) -> None:
    """Apply a registry's change FILE to the attached list NAME: rows with A (added) or D (deleted).

    Change files are applied in order: FILE is refused unless it has the changes since the day whose
    numbers the list has. A full file is refused: use `callsieve list attach` for it.
    """
    with opened(url) as place:
        region = place.region_of(name)
        days = _days(file)
        first = parse_date(since) if since else days[0] if len(days) > 1 else None
        last = parse_date(as_of) if as_of else days[-1] if days else None
        if first is None or last is None:
            raise BadValueError(
                "expected --since and --as-of, or two days in the name of the file,"
                f" found {quoted(file.name)}; a full file is taken by callsieve list attach"
            )
        origin = this_process("callsieve list update", reason)
        batch = place.store.apply_changes(name, file, first, last, region, origin)
        report = place.publish(name, region)
        if as_json:
            output.print_json(
                {
                    **output.report_json(report),
                    "added": batch.added,
                    "removed": batch.removed,
                    "rejected": batch.rejected,
                    "as_of": last.isoformat(),
                }
            )
        else:
            click.echo(
                f"{name}: {batch.added} added, {batch.removed} deleted, {batch.rejected} rejected,"
                f" as of {last} ({output.state(report)})"
            )
            output.print_rejects(report.named_rejects, report.rejects)
        _warn_if_too_old(place, name)
        sys.exit(SOME_REJECTED if batch.rejected else 0)


COMMANDS: tuple[click.Command, ...] = (attach, update)


def _warn_if_too_old(place: Place, name: str) -> None:
    found = place.catalog.current().lists.get(name)
    if isinstance(found, PublishedList) and (problem := too_old(found, utc_now())):
        warn(f"{name}: {problem}: it is unavailable")


def _days(file: Path) -> list[datetime.date]:
    """The days in a file's name, in order."""
    return [parse_date(text) for text in _DAY.findall(file.name)]
