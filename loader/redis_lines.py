"""What a Redis list has of one line, which may be stored in forms that older versions read it as.

What is put there is put in the present form, and takes the place of the others.
"""

import datetime
from collections.abc import Iterable, Mapping

from loader.entry_fields import field_of, number_of
from loader.number_forms import old_forms, present_form
from loader.redis_records import entry_of
from loader.store import Entry

_FOR_EVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def fields_of_line(number: str) -> tuple[bytes, ...]:
    """The fields that a canonical number, prefix or "anonymous" may be stored in; the one that it
    is put in comes first.
    """
    number = present_form(number)
    return (field_of(number), *map(field_of, old_forms(number)))


def present_field(field: bytes) -> bytes:
    """The field of the same number in its present form. Raises BadRecordError."""
    number = number_of(field)
    now = present_form(number)
    return field if now == number else field_of(now)


def stored(line: Iterable[bytes], values: Mapping[bytes, bytes]) -> dict[bytes, Entry]:
    """The entries of a line, with their numbers as they are stored. line: its fields.

    Raises BadRecordError.
    """
    present, *olds = line
    found = {present: entry_of(present, values[present])} if present in values else {}
    for field in olds:
        if field in values and present_field(field) == present:
            found[field] = entry_of(field, values[field])
    return found


def longest(entries: Iterable[Entry]) -> Entry | None:
    """The one that counts as long as the line does: the first of those."""
    return max(entries, key=lambda entry: entry.expires or _FOR_EVER, default=None)
