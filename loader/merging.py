"""What a list says of a number after an entry for it was added; the same in every store."""

import datetime

from loader.store import BadValueError, Entry, check_description, check_number


def checked(entry: Entry) -> Entry:
    """The entry as it may be kept. Raises BadValueError."""
    check_number(entry.number)
    check_description(entry.description)
    if entry.expires is not None and entry.expires.utcoffset() is None:
        raise BadValueError("expires: expected a time with a zone")
    if entry.description == (stripped := entry.description.strip()):
        return entry
    return Entry(entry.number, entry.date, stripped, entry.expires)


def merged(old: Entry | None, new: Entry, keep_expiry: bool = False) -> Entry:
    """What the list says of a number after `new` was added; `old` is what it said before.

    keep_expiry: an entry without expiry leaves the one that the list has.
    """
    date, expires = new.date, new.expires
    is_over = old is None or old.expired(datetime.datetime.now(datetime.UTC))
    if date is None:
        date = datetime.date.today() if old is None or is_over else old.date
    if keep_expiry and expires is None and old is not None and not is_over:
        expires = old.expires
    description = new.description or (old.description if old else "")
    if (date, description, expires) == (new.date, new.description, new.expires):
        return new
    return Entry(new.number, date, description, expires)
