"""All that the change log says of one number."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from loader.attached_list import Attached
from loader.change_log import Record, read_records
from loader.number_forms import as_read, present_form
from loader.store import Entry, Store, covers


@dataclass(frozen=True, slots=True)
class Event:
    """What a record did to one entry: the number itself, or a prefix that it is under.

    before, after: None: the list had no such entry.
    """

    record: Record
    entry: str
    before: Entry | None
    after: Entry | None


@dataclass(frozen=True, slots=True)
class Unlogged:
    """An entry that is not what the log left: somebody edited the file by hand.

    logged: what the log left, None: nothing. found: what the list has.
    """

    list: str
    logged: Entry | None
    found: Entry | None


def events(store: Store, number: str) -> Iterator[Event]:
    """Oldest first. Raises BrokenLogError where the log or a batch is not whole, StoreError."""
    for record in read_records(store.log_lines()):
        change = record.change
        if change.number is not None:
            entry = present_form(change.number)
            if covers(entry, number):
                before, after = (one and as_read(one) for one in (change.before, change.after))
                yield Event(record, entry, before, after)
        elif change.batch is not None:
            store.check_batch(change.batch)
            had = _by_number(store.find_in_batch(change.batch, "before", number))
            got = _by_number(store.find_in_batch(change.batch, "after", number))
            for entry in sorted(had.keys() | got.keys()):
                yield Event(record, entry, had.get(entry), got.get(entry))


def unlogged(
    store: Store, number: str, region: str | None, logged: Iterable[Event]
) -> Iterator[Unlogged]:
    """Where the lists differ now from what all these events left."""
    left = {(event.record.change.list, event.entry): event.after for event in logged}
    found: dict[tuple[str, str], Entry] = {}
    for name, entry in store.find(number, region):
        if not store.attached(name):
            found.setdefault((name, entry.number), entry)
    for key in sorted(left.keys() | found.keys()):
        if left.get(key) != found.get(key):
            yield Unlogged(key[0], left.get(key), found.get(key))


def in_registries(store: Store, number: str, region: str | None) -> Iterator[tuple[str, Attached]]:
    """The attached lists that have the number. Their log has the files, not each number."""
    for name, _ in store.find(number, region):
        if attached := store.attached(name):
            yield name, attached


def _by_number(entries: Iterable[Entry]) -> Mapping[str, Entry]:
    return {entry.number: entry for entry in entries}
