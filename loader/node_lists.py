"""Publishing one list of a Redis store on a node: all of it, beside what LiveLists does."""

import datetime
from array import array
from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType

from loader.entry_fields import NO_EXPIRY, end_of, longer, number_of
from loader.key_table import KeyTable, count_distinct
from loader.live_lists import NO_INFO, LiveLists, is_over, numbers_and_prefixes
from loader.number_forms import present_form
from loader.present_keys import read_keys_anew
from loader.publishing import ListReport, list_info, next_expiry, publish_numbers
from loader.reading_version import reading_version
from loader.redis_edit import STEP
from loader.redis_lines import fields_of_line, present_field
from loader.redis_records import expiry_in, is_readable
from loader.redis_store import RedisStore
from loader.store import StoreError
from lookup_core import JSON, Catalog, PublishedList, pack

# In a published list's info: it has lines that are stored in an old form, or was told of one. While
# it does, a number's own field does not say alone what the list has of its line.
OLD_FORMS = "old_forms"


class NodeLists(LiveLists):
    """The published lists of one store. Whoever changes them holds the node's publishing lock."""

    def __init__(self, store: RedisStore, catalog: Catalog) -> None:
        super().__init__(catalog)
        self._store = store

    def change(
        self,
        name: str,
        changes: Mapping[bytes, bytes | None],
        now: datetime.datetime,
        more_info: Mapping[str, JSON] = NO_INFO,
        addresses: Mapping[str, bytes | None] = MappingProxyType({}),
    ) -> ListReport:
        """As LiveLists.change. changes: of fields as they are stored."""
        lines = {field: present_field(field) for field in changes}
        if OLD_FORMS in self._found(name).info or any(f != line for f, line in lines.items()):
            changes = self._stored(name, lines)
            more_info = {**more_info, OLD_FORMS: True}
        return super().change(name, changes, now, more_info, addresses)

    def read_otherwise(self) -> list[str]:
        """The published lists whose numbers were read by other versions. One that was rolled back
        stays as it is, until it is published for another reason.
        """
        return [
            name
            for name, found in self._catalog.current().lists.items()
            if isinstance(found, PublishedList)
            and found.info.get("reading") != reading_version()
            and "rolled_back" not in found.info
        ]

    def _stored(self, name: str, lines: Mapping[bytes, bytes]) -> dict[bytes, bytes | None]:
        """What the store has now of the lines of these fields: field in the present form -> expiry,
        None for nothing. lines: field as stored -> in the present form.

        That may be newer than the change that is made, which is then made again and comes to the
        same.
        """
        redis_list = self._store.list(name)
        wanted = {field: fields_of_line(number_of(field)) for field in lines.values()}
        ends: dict[bytes, bytes | None] = dict.fromkeys(wanted)
        forms = iter({*lines, *(field for line in wanted.values() for field in line)})
        while some := list(islice(forms, STEP)):
            for field, value in redis_list.read(some).items():
                line = lines.get(field) or present_field(field)
                if line in ends and is_readable(field, value):
                    expiry = expiry_in(value)
                    ends[line] = longer(ends[line] or expiry, expiry)
        return ends

    def copy(self, name: str, now: datetime.datetime) -> ListReport:
        """Publish a list from all that the store has of it.

        Raises StoreError, also when that is less than the store should have.
        """
        redis_list = self._store.list(name)
        fields, before = redis_list.fields()
        after = redis_list.head()
        keys = fields.plain
        if after.buckets != before.buckets:  # a field that moved meanwhile may have come twice
            keys = array("Q", set(keys))
            fields.others = list(dict(fields.others).items())
        found = len(keys) + len(fields.others) + fields.unreadable
        if before.entries - found > (after.rev - before.rev) * STEP:
            raise StoreError(
                f"expected {before.entries} entries in Redis, found {found}: has it dropped some,"
                " by its maxmemory-policy?"
            )
        counting = [item for item in fields.others if not is_over(item[1], now)]
        old_forms = read_keys_anew(keys, present_form)
        lasting: dict[bytes, bytes] = {}
        for stored, expiry in counting:
            field = present_field(stored)
            old_forms += field != stored
            lasting[field] = longer(lasting.get(field, expiry), expiry)
        if old_forms:
            _drop_listed(lasting, keys)
        more, prefixes = numbers_and_prefixes(map(number_of, lasting))
        keys.extend(map(pack, more))
        ends = [end_of(*item) for item in lasting.items() if item[1] != NO_EXPIRY]
        entries = (count_distinct(keys) if old_forms else len(keys)) + len(prefixes)
        info = list_info(entries, fields.unreadable, now)
        info |= {"region": redis_list.region(), "reading": reading_version()}
        if old_forms:
            info[OLD_FORMS] = True
        generation, unchanged = publish_numbers(self._catalog, name, keys, prefixes, ends, info)
        return ListReport(
            name,
            generation,
            entries,
            fields.unreadable,
            len(fields.others) - len(counting),
            next_expiry(self._found(name)),
            (),
            unchanged,
        )


def _drop_listed(ending: dict[bytes, bytes], keys: "array[int]") -> None:
    """Take out of `ending` the numbers that are among `keys`, which do not end."""
    listed = KeyTable()
    listed.add_all(keys)
    for field in [one for one in ending if listed.has(int.from_bytes(one, "big"))]:
        del ending[field]
