"""Publishing one list of a Redis store on a node: all of it, beside what LiveLists does."""

import datetime
from array import array

from loader.entry_fields import NO_EXPIRY, end_of, number_of
from loader.live_lists import LiveLists, is_over, numbers_and_prefixes
from loader.publishing import ListReport, list_info, next_expiry, publish_numbers
from loader.reading_version import reading_version
from loader.redis_edit import STEP
from loader.redis_store import RedisStore
from loader.store import StoreError
from lookup_core import Catalog, pack


class NodeLists(LiveLists):
    """The published lists of one store. Whoever changes them holds the node's publishing lock."""

    def __init__(self, store: RedisStore, catalog: Catalog) -> None:
        super().__init__(catalog)
        self._store = store

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
        lasting = {field: expiry for field, expiry in fields.others if not is_over(expiry, now)}
        more, prefixes = numbers_and_prefixes(map(number_of, lasting))
        keys.extend(map(pack, more))
        ends = [end_of(*item) for item in lasting.items() if item[1] != NO_EXPIRY]
        entries = len(keys) + len(prefixes)
        info = list_info(entries, fields.unreadable, now)
        info |= {"region": redis_list.region(), "reading": reading_version()}
        generation, unchanged = publish_numbers(self._catalog, name, keys, prefixes, ends, info)
        return ListReport(
            name,
            generation,
            entries,
            fields.unreadable,
            len(fields.others) - len(lasting),
            next_expiry(self._found(name)),
            (),
            unchanged,
        )
