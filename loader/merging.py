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


def merged(old: Entry | None, new: Entry) -> Entry:
    """What the list says of a number after `new` was added; `old` is what it said before."""
    date = new.date
    if date is None:
        if old is None or old.expired(datetime.datetime.now(datetime.UTC)):
            date = datetime.date.today()
        else:
            date = old.date
    description = new.description or (old.description if old else "")
    if date == new.date and description == new.description:
        return new
    return Entry(new.number, date, description, new.expires)
