"""Many changes of a Redis list that become one batch, or nothing. Implements loader.store.Edit.

The list is locked meanwhile. Up to STEP changed numbers are kept here and set in one step; from
there on, and with `replace`, they are made in a copy of the list that takes its place at the end.
"""

import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from loader.change_log import PARTS, Batch, BatchDetails, BatchFile, new_batch_id, this_process
from loader.change_log import Change as Logged
from loader.csv_rows import Lines
from loader.edit_table import entry_key_of
from loader.entry_fields import FIELD_BYTES, field_of, number_of, refuse_address
from loader.key_table import KeyTable
from loader.locking import WAIT_SECONDS
from loader.merging import checked, merged
from loader.number_forms import as_read
from loader.plain_rows import PlainReader
from loader.redis_batches import BatchPart, RedisBatches
from loader.redis_buckets import Buckets, Change, Head, LookAgainError, Recorded
from loader.redis_client import RedisClient
from loader.redis_lines import fields_of_line, longest, present_field, stored
from loader.redis_log import RedisLog
from loader.redis_records import is_readable, value_of
from loader.redis_staging import ListLock, Staging, sweep
from loader.store import AddOutcome, Entry, StoreError, quoted

# Numbers that one step sets: 0.05 s in which Redis does nothing else, and 80 KB in the stream.
STEP = 5_000
RENEW_SECONDS = 5.0

# Field -> value; None: the list is not to have it.
Values = dict[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The batch. pieces: rows that are not in Redis yet, before and after."""

    identity: str
    before: BatchFile | None
    after: BatchFile | None
    pieces: tuple[bytes, bytes]


class RedisEdit:
    """What a list is to become. close() at the end, whatever happened."""

    def __init__(
        self,
        client: RedisClient,
        buckets: Buckets,
        log: RedisLog,
        name: str,
        head: Head,
        replace: bool,
    ) -> None:
        """Locks the list. Raises LookAgainError."""
        self._client = client
        self._buckets = buckets
        self._log = log
        self._name = name
        self._replace = replace
        self._lock = ListLock(client, buckets, name, head)
        self._renewed = time.monotonic()
        self.entries = self._head().entries
        self._was_empty = self.entries == 0
        self._counts = dict.fromkeys(AddOutcome, 0)
        self._removed = 0
        self._dropped: set[bytes] = set()  # with replace: the list has them, and they were not put
        self._waiting: list[tuple[Entry, bool]] = []  # put, and not weighed yet
        self._pending: Values = {}  # weighed, and not made yet
        self._before: dict[bytes, bytes | None] = {}  # what those have so far, if known
        self._changes: dict[bytes, Change] = {}  # made here, while there is no copy
        self._touched = array("Q")  # made in the copy: fields, repeated ones too
        self._staging: Staging | None = None
        self._prepared: _Prepared | None = None
        self.is_made = False  # by commit()

    @property
    def counts(self) -> dict[AddOutcome, int]:
        self._weigh()
        return dict(self._counts)

    @property
    def possible(self) -> int:
        return 0

    @property
    def removed(self) -> int:
        return self._removed

    def put(self, entry: Entry, keep_expiry: bool = False) -> None:
        """As Edit.put. Raises BadValueError, StoreError."""
        refuse_address(entry.number)
        self._waiting.append((as_read(checked(entry)), keep_expiry))
        if len(self._waiting) >= STEP:
            self._weigh()

    def take_plain(self, lines: Lines, reader: PlainReader, kept_out: KeyTable | None) -> None:
        """Takes none: Redis is not so fast that reading rows faster would show."""

    def current(self, number: str) -> Entry | None:
        self._weigh()
        found = longest(self._stored(number).values())
        return None if found is None else as_read(found)

    def write(self, new: Entry, old: Entry | None) -> None:
        self._weigh()
        self._counts[AddOutcome.ADDED if old is None else AddOutcome.UPDATED] += 1
        new = as_read(checked(new))
        values: Values = dict.fromkeys(self._stored(new.number)) if old else {}
        self._set(values | {field_of(new.number): value_of(new)})

    def drop(self, old: Entry) -> None:
        self._weigh()
        self._removed += 1
        self._set(dict.fromkeys(self._stored(old.number)))

    def take_back(self, batch: Batch, left: KeyTable) -> int:
        """By the fields as they were stored: a batch of an older version may have several forms of
        a number, each with a row of its own.
        """
        self._weigh()
        batches = RedisBatches(self._client, self._buckets)
        taken = KeyTable()  # lines that are as the batch left them
        rows = batches.readable(batch, "after")
        while some := dict(islice(rows, STEP)):
            values = self._values(list(some))
            for field, value in some.items():
                (taken if values.get(field) == value else left).add(_key_of_line(field))
            same = {field for field, value in some.items() if values.get(field) == value}
            self._removed += len(same)
            self._set(dict.fromkeys(same))
        count = 0
        rows = batches.readable(batch, "before")
        while some := dict(islice(rows, STEP)):
            lines = {field: fields_of_line(number_of(field)) for field in some}
            values = self._values([field for line in lines.values() for field in line])
            new: Values = {}
            for field, value in some.items():
                key = _key_of_line(field)
                if left.has(key):
                    continue
                if taken.has(key) or not stored(lines[field], values):
                    new[field] = value
                    taken.add(key)
                else:
                    left.add(key)
            count += len(new)
            self._counts[AddOutcome.ADDED] += len(new)
            self._set(new)
        return count

    def commit(self, details: BatchDetails) -> Batch | None:
        prepared = self._prepare()
        if prepared is None:
            return None
        batch = Batch.of_edit(
            prepared.identity,
            self._counts,
            self._removed,
            prepared.before,
            prepared.after,
            details,
        )
        change = Logged(self._name, details.what, batch=batch)
        origin = details.origin or this_process()
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                step = self._log.next(change, origin)
                if self._staging:
                    self._staging.put_in_place(self._name, step)
                else:
                    recorded = Recorded(step, batch.id, prepared.pieces)
                    self._buckets.change(
                        self._name, self._head(), self._changes, recorded, self._lock.token
                    )
                    self._buckets.grow(self._lock.list_id)
                self.is_made = True
                return batch
            except LookAgainError:  # the log went on, or the list has grown
                self._lock.renew()
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"list {quoted(self._name)}: somebody has been changing it in spite of its"
                        f" lock for more than {WAIT_SECONDS:g} seconds"
                    ) from None

    def prepare(self) -> None:
        self._prepare()

    def close(self) -> None:
        self._lock.close()
        if self._staging:
            sweep(self._client, self._buckets)

    # Values

    def _weigh(self) -> None:
        """What was put, made values of."""
        if not self._waiting:
            return
        entries, self._waiting = self._waiting, []
        # What is put here is put in the present form.
        fields_of = (lambda number: (field_of(number),)) if self._was_empty else fields_of_line
        lines = [fields_of(entry.number) for entry, _ in entries]
        known = self._values([field for line in lines for field in line])
        new: Values = {}
        current = dict(known)
        for (entry, keep_expiry), line in zip(entries, lines, strict=True):
            there = stored(line, current)
            last = longest(there.values())
            old = as_read(last) if last else None
            wanted = merged(old, entry, keep_expiry)
            if wanted == old:
                self._counts[AddOutcome.PRESENT] += 1
                if self._replace:
                    new |= {field: current[field] for field in there}
                continue
            self._counts[AddOutcome.ADDED if old is None else AddOutcome.UPDATED] += 1
            for field in there:
                new[field] = None
                del current[field]
            new[line[0]] = current[line[0]] = value_of(wanted)
        if self._staging and not self._replace:
            self._before |= {f: known.get(f) for f in new if f not in self._pending}
        self._set(new)

    def _set(self, values: Values) -> None:
        self._prepared = None
        self._pending |= values
        self._dropped -= values.keys()
        self._dropped |= {field for field, value in values.items() if value is None}
        if len(self._pending) >= STEP:
            self._make_pending()
        elif time.monotonic() - self._renewed > RENEW_SECONDS:
            self._renew()

    def _make_pending(self) -> None:
        values, self._pending = self._pending, {}
        self._renew()
        if self._staging is None and not self._replace:
            unknown = [field for field in values if field not in self._changes]
            listed = self._listed(unknown)
            for field, value in values.items():
                made = self._changes.get(field)
                self._changes[field] = Change(made.old if made else listed.get(field), value)
            if len(self._changes) <= STEP:
                return
            values = {field: change.new for field, change in self._changes.items()}
            self._changes = {}
        if self._staging is None:
            self._staging = Staging(self._client, self._buckets, self._lock, empty=self._replace)
        before, self._before = self._before, {}
        fields = iter(values)
        while some := list(islice(fields, STEP)):
            there = before | self._staging.read([field for field in some if field not in before])
            self._staging.change({field: Change(there.get(field), values[field]) for field in some})
            self._touched.extend(int.from_bytes(field, "big") for field in some)

    def _stored(self, number: str) -> dict[bytes, Entry]:
        """What the list is to have of the number's line, as redis_lines.stored() has it."""
        line = fields_of_line(number)
        return stored(line, self._values(line))

    def _values(self, fields: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values that the list is to have, of these fields."""
        made: Values = {f: self._changes[f].new for f in fields if f in self._changes}
        made |= {f: self._pending[f] for f in fields if f in self._pending}
        made |= dict.fromkeys(self._dropped.intersection(fields))
        unknown = [field for field in fields if field not in made]
        found: dict[bytes, bytes] = {}
        if unknown and (self._staging is None or self._replace):
            found |= self._listed(unknown)
        if unknown and self._staging:
            found |= self._staging.read(unknown)
        return found | {field: value for field, value in made.items() if value is not None}

    def _listed(self, fields: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values that the list has."""
        if not fields or self._was_empty:
            return {}
        while True:
            try:
                return self._buckets.read(self._name, self._head(), fields)
            except LookAgainError:  # it has grown
                self._lock.renew()

    def _head(self) -> Head:
        head = self._buckets.head(self._lock.list_id)
        if head is None:
            raise self._lock.lost()
        return head

    def _renew(self) -> None:
        self._lock.renew()
        self._renewed = time.monotonic()

    # The batch

    def _prepare(self) -> _Prepared | None:
        """All of commit() but the change itself. None when the list has all that already."""
        self._weigh()
        if self._pending or (self._replace and self._staging is None):
            self._make_pending()
        if self._prepared is None:
            before, after = BatchPart(), BatchPart()
            identity = new_batch_id()
            if self._staging is None:
                rows = [(f, c) for f, c in sorted(self._changes.items()) if c.old != c.new]
                pieces = (
                    before.piece((f, c.old) for f, c in rows if c.old is not None),
                    after.piece((f, c.new) for f, c in rows if c.new is not None),
                )
            else:
                self._keep_rows(self._staging, identity, before, after)
                pieces = b"", b""
            self._prepared = _Prepared(identity, before.file(), after.file(), pieces)
        return self._prepared if self._prepared.before or self._prepared.after else None

    def _keep_rows(
        self, staging: Staging, identity: str, before: BatchPart, after: BatchPart
    ) -> None:
        """Put the batch's rows into Redis, as something that is lost with the copy."""
        staging.own(f"batch:{identity}")
        keys = [self._buckets.key("batch", identity, part) for part in PARTS]

        def keep(key: str, piece: bytes) -> None:
            if piece:
                self._client.call("RPUSH", key, piece)
            self._renew()

        touched = (key for key, _ in groupby(sorted(self._touched)))
        fields = (key.to_bytes(FIELD_BYTES, "big") for key in touched)
        while some := list(islice(fields, STEP)):
            old, new = self._listed(some), staging.read(some)
            changed = [field for field in some if old.get(field) != new.get(field)]
            keep(keys[0], before.piece((f, old[f]) for f in changed if f in old))
            keep(keys[1], after.piece((f, new[f]) for f in changed if f in new))
        if not self._replace:
            return
        for rows in self._listed_rows():
            for field in [f for f, v in rows.items() if not is_readable(f, v)]:
                staging.keep(field, rows.pop(field))  # it stays, to be reported
            put = staging.read(list(rows))
            gone = {f: v for f, v in rows.items() if f not in put and f not in self._dropped}
            self._removed += len(gone)
            keep(keys[0], before.piece(gone.items()))

    def _listed_rows(self) -> Iterator[dict[bytes, bytes]]:
        rows = iter(self._buckets.rows(self._head()))
        while some := dict(islice(rows, STEP)):
            yield some


def _key_of_line(field: bytes) -> int:
    return entry_key_of(number_of(present_field(field)))
