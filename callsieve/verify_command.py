"""`callsieve verify`: read every byte of what is published and compare its checksums.

Opening a snapshot checks its structure only, because that must not take longer for a longer list.
"""

from __future__ import annotations

import sys

import click

from callsieve.list_output import print_json, print_table
from callsieve.stores import STORE_FAILED, fail, json_option, opened, store_option
from loader.store import escaped
from lookup_core import PublishedList, SnapshotError, UnavailableList

NOT_THERE = 1


@click.command(
    epilog="""\b
Example:
  callsieve verify --store csv:/var/lib/callsieve

\b
Exit codes:
  0  every byte is as it was written
  1  there is no such list
  2  usage
  5  a list is altered or cannot be read; or the store cannot"""
)
@click.argument("names", nargs=-1, metavar="[LIST]...")
@store_option
@json_option
def verify(names: tuple[str, ...], url: str, as_json: bool) -> None:
    """Read all of the published lists and compare their checksums.

    A list that was altered is named with the file and the field; `callsieve reload LIST` writes it
    anew from the store. The running service does the same after each publication, at low priority.
    """
    rows = []
    with opened(url) as place:
        lists = place.catalog.current().lists
        missing = [name for name in names if name not in lists]
        if missing:
            fail(f"not published: {', '.join(missing)}", NOT_THERE)
        for name in names or lists:
            found = lists[name]
            problem = found.reason if isinstance(found, UnavailableList) else problem_of(found)
            size = 0 if isinstance(found, UnavailableList) else found.snapshot.nbytes
            rows.append((name, found.generation, size, problem))
    if as_json:
        keys = ("list", "generation", "bytes", "problem")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        print_table(
            ("list", "generation", "bytes", "state"),
            [
                (escaped(name), str(generation), str(size), escaped(problem or "as written"))
                for name, generation, size, problem in rows
            ],
            numeric=(1, 2),
        )
    if any(problem for *_, problem in rows):
        sys.exit(STORE_FAILED)


def problem_of(found: PublishedList) -> str | None:
    """What is wrong with the list's files, after reading all of them."""
    try:
        found.snapshot.verify()
    except SnapshotError as error:
        return str(error)
    return None
