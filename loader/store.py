"""A store keeps the number lists and the rules text; what is in it is the truth.

Everything that is published comes from a store. This page has what all stores share: an entry, a
row that could not be read, the checks of names and values, the errors, and the interface.
"""

import datetime
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from loader.sip_address import host_entry, read_address
from lookup_core import MAX_ADDRESSES, is_address

if TYPE_CHECKING:  # these import this module
    from loader.attached_list import Attached
    from loader.change_log import Batch, BatchDetails, Change, Origin
    from loader.csv_rows import Lines
    from loader.key_table import KeyTable
    from loader.list_keys import ListKeys
    from loader.plain_rows import PlainReader

DEFAULT_LIST = "Default"
MAX_NAME_CHARACTERS = 64
# A file name is at most 255 bytes, and some are left for the endings of working files.
MAX_NAME_BYTES = 200
MAX_DESCRIPTION = 500
# A report names this many rejects; its counts are always whole.
NAMED_REJECTS = 20
# These would change the meaning of a FreeSWITCH value that holds the list's name.
FORBIDDEN_IN_NAMES = "/${}|\\'\""


class StoreError(Exception):
    """The store cannot do what was asked. The text names the place, what was expected and found."""


class BadValueError(StoreError, ValueError):
    """The caller's value is at fault: a list name, number, date, description, expiry or URL."""


class UnknownListError(BadValueError):
    """There is no list of that name."""


class RulesConflictError(StoreError):
    """Somebody changed the rules since the version that the new ones were made from."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One number of a list.

    number: canonical text ("+48600100200", "1000"), a prefix ("+48700*") or the words
    "anonymous" and "no-number".
    date: day of addition. None: a row read from a store says none; a row to add gets today's date,
    or keeps the date that the list has for this number.
    description: at most 500 characters, no control characters. "" in a row to add keeps what is
    there. expires: aware; the entry counts until then. None: for ever.
    """

    number: str
    date: datetime.date | None = None
    description: str = ""
    expires: datetime.datetime | None = None

    def expired(self, now: datetime.datetime) -> bool:
        return self.expires is not None and self.expires < now


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that could not be read: line number from 1, the row as it stands, what was wrong."""

    line: int
    text: str
    reason: str


class AddOutcome(StrEnum):
    ADDED = "added"
    PRESENT = "already there"
    UPDATED = "updated"


class Edit(Protocol):
    """Many changes of one list that become one batch, or nothing; see Store.edit."""

    @property
    def entries(self) -> int:
        """Different numbers that the list had when the edit began."""

    @property
    def counts(self) -> dict[AddOutcome, int]:
        """Entries put so far, by what became of them."""

    @property
    def removed(self) -> int:
        """Numbers dropped; with `replace` also those that go, once prepare() has found them."""

    @property
    def possible(self) -> int:
        """Rows that take_plain took whose number is in no range that is in use."""

    def put(self, entry: Entry, keep_expiry: bool = False) -> object:
        """As Store.add; `counts` says what became of it.

        keep_expiry: an entry without expiry leaves the one that the list has and that is to come.
        """

    def take_plain(
        self, lines: "Lines", reader: "PlainReader", kept_out: "KeyTable | None"
    ) -> None:
        """Put the next rows that `reader` can read and `kept_out` does not cover, at full speed.

        It may leave any row, which is then read by csv_rows.read_row and put; so it may do nothing.
        """

    def current(self, number: str) -> Entry | None:
        """What the list is to have for this number."""

    def write(self, new: Entry, old: Entry | None) -> None:
        """Give a number this very entry. old: what current() says."""

    def drop(self, old: Entry) -> None:
        """Take the number out that current() says has this entry."""

    def take_back(self, batch: "Batch", left: "KeyTable") -> int:
        """Give the numbers of a batch of this list what they had before it, if they have what it
        gave them; how many got a row back. Those that were changed since go into `left`.

        undo.take_back does it by the methods above.
        """

    def prepare(self) -> object:
        """All of commit() but the change itself."""

    def commit(self, details: "BatchDetails") -> "Batch | None":
        """Make all changes in one step; the record of it. None: the list has all that already."""


@dataclass(frozen=True, slots=True)
class Step:
    """A change of a list, by the versions of the list before and after it."""

    list: str
    before: str
    after: str


class Store(Protocol):
    """What a store does. `region` is the default region that national numbers are read in; a list
    that has a region of its own is read in that.

    Every change is recorded in the change log (change_log.py) in the same step; `origin` says where
    it comes from, and None means this process.

    Every method raises StoreError when the store cannot be read or written, and UnknownListError
    for the name of a list that is not there.
    """

    @property
    def url(self) -> str: ...

    @property
    def last_step(self) -> Step | None:
        """The last change that this object made. None: none, or the store does not tell."""

    def version(self, name: str) -> str:
        """Names what a list has now; another one after each change, also one by hand."""

    @property
    def catalog_directory(self) -> Path:
        """Where the snapshots of this store are published on this machine."""

    def list_names(self) -> tuple[str, ...]:
        """Sorted. `Default` is always one of them."""

    def problems(self) -> tuple[str, ...]:
        """What lies in the store and can be no list, one sentence each."""

    def region_of(self, name: str) -> str | None:
        """The list's own region, in which its national numbers are read; None: the default one."""

    def create_list(
        self, name: str, origin: "Origin | None" = None, region: str | None = None
    ) -> bool:
        """False when it was there already. region: its own, kept with it."""

    def remove_list(self, name: str, origin: "Origin | None" = None) -> None:
        """Remove a list and all its entries. Raises BadValueError for `Default`."""

    def entries(self, name: str, region: str | None) -> Iterator[Entry | Reject]:
        """All rows in order, expired ones and repeated numbers too."""

    def keys(self, name: str, region: str | None, now: datetime.datetime) -> "ListKeys":
        """What of the list counts at `now`, for publishing; list_keys.list_keys makes it of
        entries().
        """

    def add(
        self,
        name: str,
        entry: Entry,
        region: str | None,
        origin: "Origin | None" = None,
        weigh: "Callable[[Entry | None, Entry], object] | None" = None,
    ) -> AddOutcome:
        """Put one number into a list; on disk when this returns.

        weigh: given what the list has of the number and what it is to have, before it is written;
        what it raises goes on, and nothing is changed.

        A number that is there already gets this entry's expiry (none: it stays for ever), and its
        date and description where this entry has them.
        """

    def remove(
        self, name: str, number: str, region: str | None, origin: "Origin | None" = None
    ) -> tuple[Entry, ...]:
        """Take a number (canonical text, prefix or "anonymous") out; empty when it was not
        there.
        """

    def edit(
        self, name: str, region: str | None, replace: bool = False
    ) -> AbstractContextManager[Edit]:
        """Many changes of one list in one step, which Edit.commit makes; without it, none.

        replace: commit takes out every number that was not put. The list is locked meanwhile.
        """

    def attached(self, name: str) -> "Attached | None":
        """How the list is attached to a registry's file; None: it has rows of its own."""

    def attach(self, name: str, attached: "Attached", origin: "Origin | None" = None) -> None:
        """Make a new list, or one that is attached, the numbers of a registry's file.

        Raises BadValueError for a list with rows of its own.
        """

    def apply_changes(
        self,
        name: str,
        file: Path,
        since: datetime.date,
        as_of: datetime.date,
        region: str | None,
        origin: "Origin | None" = None,
    ) -> "Batch":
        """Apply a registry's change file to an attached list, which keeps a copy of it.

        since: the day whose numbers it changes; as_of: the day whose numbers they are then.
        Raises BadValueError when it does not follow what the list has.
        """

    def find(self, number: str, region: str | None) -> Iterator[tuple[str, Entry]]:
        """(list, entry) of each entry that is this number or a prefix of it, expired ones too."""

    def note(self, change: "Change", origin: "Origin | None" = None) -> None:
        """Put into the change log what was done to a list without a change of what it has here."""

    def log_lines(self) -> Iterator[bytes]:
        """The records of the change log, from the first on; for change_log.read_records.

        Raises BrokenLogError when records are known to be missing at the end.
        """

    def batch_rows(
        self, batch: "Batch", part: Literal["before", "after"], region: str | None = None
    ) -> Iterator[Entry | Reject]:
        """The rows of a batch; each number once in each part. But a list that was removed may have
        rows that were written by hand, national ones and several of a number; region: its own.
        """

    def find_in_batch(
        self, batch: "Batch", part: Literal["before", "after"], number: str
    ) -> Iterator[Entry]:
        """The batch's entries that are this number or a prefix of it."""

    def check_batch(self, batch: "Batch") -> None:
        """Raises BrokenLogError when the batch's rows are not those that were recorded."""

    def rules_text(self) -> str: ...

    def put_rules(
        self, text: str, version: str, origin: "Origin | None" = None, what: str = "rules"
    ) -> None:
        """Put `text` in place of the rules whose rules_version() is `version`, unchecked.

        what: the change is called in the log, which keeps both texts. Raises RulesConflictError
        when the store has another version by now.
        """

    def note_rules_edit(self, before: str, origin: "Origin | None" = None) -> None:
        """Put into the change log that the rules were edited by hand, unless that is its last
        change of them. before: what they were.
        """

    def kept_rules(self, sha256: str) -> str:
        """A text of the rules that the change log names. Raises BrokenLogError when it is not what
        it was, StoreError.
        """

    def source(self, name: str) -> str:
        """Where the list is, for people: a file, or the URL and the list in it."""

    def locked(self, name: str) -> AbstractContextManager[None]:
        """No other process changes or publishes this list meanwhile. Not to be nested."""


def open_store(url: str, create: bool = False, region: str | None = None) -> Store:
    """The store at `url`: `csv:DIRECTORY`, or Redis, whose URLs loader.redis_url describes.

    create: make what is missing, the list Default and commented rules included. region: the default
    region of a store that is made; None: it has none.
    Raises BadValueError for an unknown kind of store, StoreError when there is none at that place.
    Redis is connected to when it is first needed.
    """
    # Both import this module, and redis-py takes 0.1 s to load.
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "csv" and rest:
        from loader.csv_store import CsvStore

        return CsvStore(Path(rest), create, region)
    if rest.startswith("//") and scheme.startswith("redis"):
        from loader.redis_store import RedisStore

        return RedisStore(url, create, region)
    # What stands here may hold a password.
    raise BadValueError(f"store: expected csv:DIRECTORY or redis://HOST, found {quoted(scheme)}:")


def would_make(url: str) -> bool:
    """Whether open_store() with `create` would make a new store. Raises StoreError."""
    if url.startswith("csv:"):
        from loader.csv_new_store import is_new

        return is_new(Path(url.removeprefix("csv:")))
    if url.startswith("redis"):
        from loader.redis_store import RedisStore

        return RedisStore(url).is_new()
    return False


def rules_version(text: str) -> str:
    """Names a text of the rules: the first 12 hexadecimal digits of its SHA-256."""
    return version_of(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def version_of(sha256: str) -> str:
    """The version of the rules whose text has that SHA-256."""
    return sha256[:12]


def rules_conflict(found: str, expected: str) -> RulesConflictError:
    return RulesConflictError(
        f"rules: expected version {expected}, found {found}: somebody changed them meanwhile;"
        " get them again and make your change in the new ones"
    )


def covers(entry_number: str, number: str) -> bool:
    """Whether an entry is `number` itself or a prefix of it; of a SIP address, all of its host."""
    if entry_number == number:
        return True
    if is_address(number):
        return entry_number == host_entry(number)
    return is_prefix(entry_number) and number.startswith(entry_number[:-1])


def too_many_addresses() -> BadValueError:
    return BadValueError(f"expected at most {MAX_ADDRESSES:,} SIP addresses in a list, found more")


def is_prefix(number: str) -> bool:
    """Whether it is "+48700*"; the feature code "30*" is none."""
    return number.startswith("+") and number.endswith("*")


CANONICAL = re.compile(r"\+[1-9][0-9]{1,14}|\+[1-9][0-9]{0,13}\*|[0-9*#]{1,15}|anonymous|no-number")


def check_number(text: str) -> str:
    """`text` itself when it is a canonical entry: a number, a prefix, a SIP address, "anonymous" or
    "no-number". Raises BadValueError.
    """
    if not (CANONICAL.fullmatch(text) or (is_address(text) and read_address(text) == text)):
        raise BadValueError(
            "number: expected +DIGITS, +DIGITS* for a prefix, a dialled number, sip:USER@HOST,"
            f" anonymous or no-number, found {quoted(text)}"
        )
    return text


def quoted(text: str, limit: int = 80) -> str:
    """`text` in quotes for a message: one line, nothing that moves a cursor, at most `limit`
    long.
    """
    return f"'{escaped(text, limit)}'"


def escaped(text: str, limit: int | None = None) -> str:
    """`text` with every unprintable character as an escape, cut at `limit` characters."""
    cut = limit is not None and len(text) > limit
    kept = text[:limit] if cut else text
    if not kept.isprintable():
        kept = "".join(
            c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
            for c in kept
        )
    return kept + "..." if cut else kept


def check_list_name(name: str) -> str:
    """`name` itself when it can name a list. Raises BadValueError saying why it cannot."""
    problem = None
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        problem = f"expected 1 to {MAX_NAME_CHARACTERS} characters, found {len(name)}"
    elif bad := next((c for c in name if not c.isprintable()), None):
        problem = f"expected printable characters, found {quoted(bad)}"
    elif bad := next((c for c in name if c in FORBIDDEN_IN_NAMES), None):
        problem = f"expected none of {' '.join(FORBIDDEN_IN_NAMES)}, found {bad}"
    elif "mod_event_socket" in name:
        problem = (
            "expected no mod_event_socket in it: FreeSWITCH takes some such values for commands"
        )
    elif name.startswith("."):
        problem = "expected no dot at the start"
    elif name != name.strip():
        problem = "expected no space at the start or end"
    elif len(name.encode()) > MAX_NAME_BYTES:
        problem = f"expected at most {MAX_NAME_BYTES} bytes in UTF-8, found {len(name.encode())}"
    elif name != unicodedata.normalize("NFC", name):
        problem = "expected composed letters (Unicode NFC), found a letter with a separate accent"
    if problem:
        raise BadValueError(f"list name {quoted(name)}: {problem}")
    return name


def check_description(text: str) -> str:
    """`text` itself when it can be a description. Raises BadValueError."""
    if len(text) > MAX_DESCRIPTION:
        raise BadValueError(
            f"description: expected at most {MAX_DESCRIPTION} characters, found {len(text)}"
        )
    if not text.isprintable():
        for character in text:
            # Unprintable by Python's rule are also joiners and marks that languages and emoji need.
            if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
                raise BadValueError(
                    f"description: expected no control characters, found {quoted(character)}"
                )
    return text


ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.ASCII)


def parse_date(text: str) -> datetime.date:
    """A day from `2026-11-23`, or from such a day with a time of day. Raises BadValueError."""
    try:
        if ISO_DAY.fullmatch(text):
            return datetime.date.fromisoformat(text)
        if ISO_TIME.fullmatch(text):
            return datetime.datetime.fromisoformat(text).date()
    except ValueError:
        pass  # the form is right and the day does not exist: the same error
    raise BadValueError(f"date: expected YYYY-MM-DD, found {quoted(text)}")


def parse_expiry(text: str) -> datetime.datetime:
    """A moment in UTC from an ISO day (its last second, local time zone) or an ISO date and time.

    Without an offset the time is local. Raises BadValueError; nothing unreadable means "never".
    """
    try:
        if ISO_DAY.fullmatch(text):
            last_second = datetime.time(23, 59, 59)
            moment = datetime.datetime.combine(datetime.date.fromisoformat(text), last_second)
        elif ISO_TIME.fullmatch(text):
            moment = datetime.datetime.fromisoformat(text)
        else:
            raise ValueError
        if moment.year == datetime.MAXYEAR:  # 9999-12-31 is for ever in many exports
            return moment.replace(tzinfo=datetime.UTC)
        return moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise BadValueError(
            f"expires: expected YYYY-MM-DD or YYYY-MM-DDTHH:MM, found {quoted(text)}"
        ) from None


def os_problem(error: OSError, path: Path | None = None) -> str:
    """One line for a message: which file, where that is known, and what the system said."""
    what = error.strerror or str(error)
    name = error.filename or path
    return f"{escaped(str(name), 300)}: {what}" if name else what


def problem_of(error: Exception) -> str:
    """One line for a message, without Python's words for what the system said."""
    return os_problem(error) if isinstance(error, OSError) else str(error)
