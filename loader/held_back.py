"""What is not published although the store has it, and why: kept beside what is published.

A document of the catalog for each list and for the rules, so that every process of this machine
sees it: `callsieve status`, the service's metrics, whoever would publish it next.
"""

import datetime
import json
from dataclasses import asdict, dataclass

from loader.change_log import BrokenLogError, read_records
from loader.entry_fields import microseconds
from loader.key_table import count_distinct
from loader.list_keys import ListKeys
from loader.loss_guard import Counts, loss
from loader.reading_version import reading_version
from loader.store import BadValueError, Store, quoted
from lookup_core import Catalog, PublishedList, View

RULES = "held back: rules"


class HeldBackError(BadValueError):
    """Too much was lost to be published. Nothing was, until somebody confirms it."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """version: what the store had then, as Store.version() names it; "" of the rules, and of a list
    whose file is gone. since: ISO time. final: nothing but another version can make it good;
    otherwise what stood in the way may go by itself, such as a file that may not be read.
    """

    problem: str
    version: str
    since: str
    final: bool


def of_list(name: str) -> str:
    """The document about a list."""
    return f"held back: list {name}"


def found_held_back(view: View, document: str) -> HeldBack | None:
    """What was held back last, and not published since."""
    kept = view.documents.get(document)
    return HeldBack(**json.loads(kept.text)) if kept and kept.text else None


def hold_back(
    catalog: Catalog, document: str, error: Exception, version: str, now: datetime.datetime
) -> None:
    """Make known that something is not published, and why. Raises CatalogError, OSError."""
    before = found_held_back(catalog.current(), document)
    if before is None or (before.problem, before.version) != (str(error), version):
        final = isinstance(error, HeldBackError)
        held = HeldBack(str(error), version, now.isoformat(), final)
        catalog.publish_document(document, json.dumps(asdict(held)))


def release(catalog: Catalog, document: str) -> None:
    """Make known that nothing is held back. Raises CatalogError, OSError."""
    if found_held_back(catalog.current(), document) is not None:
        catalog.publish_document(document, "")


def is_current(store: Store, catalog: Catalog, name: str) -> bool:
    """Whether what is published of a list is what the store has, read as it is read now."""
    found = catalog.current().lists.get(name)
    return (
        isinstance(found, PublishedList)
        and found.info.get("version") == store.version(name)
        and found.info.get("reading") == reading_version()
    )


def is_settled(store: Store, catalog: Catalog, name: str) -> bool:
    """Whether nothing is to be done about a list: it is current, or is held back as it is."""
    if is_current(store, catalog, name):
        return True
    held = as_it_is_held_back(store, catalog, name)
    return held is not None and held.final


def as_it_is_held_back(store: Store, catalog: Catalog, name: str) -> HeldBack | None:
    """Why a list is not published as the store has it now; None: nobody has tried that yet."""
    held = found_held_back(catalog.current(), of_list(name))
    return held if held is not None and held.version == store.version(name) else None


def list_held_back(store: Store, catalog: Catalog, name: str) -> str:
    """Why the store's rows of a list are not what is in force; "" when they are."""
    held = found_held_back(catalog.current(), of_list(name))
    if held is None or is_current(store, catalog, name):
        return ""
    return held.problem


def check_loss(
    catalog: Catalog,
    name: str,
    version: str,
    found: ListKeys,
    entries: int,
    now: datetime.datetime,
) -> None:
    """Raises HeldBackError when too much is gone of what is published, for another reason than its
    time being over.
    """
    published = catalog.current().lists.get(name)
    if not isinstance(published, PublishedList):
        return
    info = published.info
    unedited = info.get("version") == version
    if unedited and "rolled_back" in info:
        return
    over = len(published.snapshot.ended(microseconds(now)))
    before = int(str(info["entries"]))
    if unedited:  # the same rows, read in another way: other numbers are what is to be expected
        lost = before - entries
    else:
        snapshot = published.snapshot
        lost = count_distinct(snapshot.keys() + found.keys) - count_distinct(found.keys)
        lost += len(set(snapshot.prefixes) - found.prefixes)
        lost += len(snapshot.addresses.keys() - found.addresses.keys())
    header = info.get("header")
    problem = loss(
        Counts(
            max(before - over, 0),
            int(str(info["rejects"])),
            header if isinstance(header, bool) else None,
        ),
        Counts(entries, found.rejects, found.has_header),
        max(lost - over, 0),
    )
    if not problem and lost > over and found_held_back(catalog.current(), of_list(name)):
        # A number that is added to an emptied list makes nothing of what was lost good.
        problem = f"expected the {before - over} entries in force, found {lost - over} of them gone"
    if problem:
        told = ""
        for first in found.named_rejects[:1]:
            told = f", the first in line {first.line}: {quoted(first.text, 40)}: {first.reason}"
        raise HeldBackError(
            f"{problem}{told}; what is in force stays. Put the list right, or confirm"
            f" it: callsieve reload {quoted(name)} --accept"
        )


def deleted_by_hand(store: Store, catalog: Catalog, name: str) -> str:
    """Why a list that the store no longer has stays in force; "" when it need not."""
    found = catalog.current().lists[name]
    entries = int(str(found.info["entries"])) if isinstance(found, PublishedList) else 0
    if not entries:
        return ""
    last = ""
    try:
        for record in read_records(store.log_lines()):
            if record.change.list == name:
                last = record.change.what
    except BrokenLogError:
        pass  # then nothing says that a command removed it
    if last in ("remove list", "detach"):
        return ""
    return (
        f"expected its file, found none; what is in force stays. Put the file back, or"
        f" confirm it: callsieve reload {quoted(name)} --accept"
    )
