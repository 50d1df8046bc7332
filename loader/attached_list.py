"""A list whose rows stay in a registry's own file: what the store keeps of it.

lists/NAME.attached     where the file is, of when it is, the changes applied to it (JSON)
batches/ID.change.csv   the change files, in a copy; they are small
"""

import datetime
import hashlib
import json
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from loader.csv_list import system_errors
from loader.edit_table import entry_key_of
from loader.list_keys import ListKeys
from loader.registries import registry_named
from loader.registry_file import ChangeCounts, RegistryFile
from loader.registry_rows import without
from loader.store import BadValueError, Entry, Reject, StoreError, escaped

MAX_SETTINGS = 1_000_000


@dataclass(frozen=True, slots=True)
class AppliedChange:
    """A change file: from what day on it has the changes, until when, and its copy in the store."""

    since: datetime.date
    as_of: datetime.date
    batch: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Attached:
    """file: absolute. size, mtime_ns: as they were when it was attached. as_of: the day whose
    numbers it has. max_age: days; None: any age.
    """

    format: str
    file: str
    size: int
    mtime_ns: int
    sha256: str
    as_of: datetime.date
    max_age: int | None
    changes: tuple[AppliedChange, ...] = ()

    @property
    def current_as_of(self) -> datetime.date:
        """With the changes."""
        return self.changes[-1].as_of if self.changes else self.as_of

    @property
    def stale_after(self) -> datetime.datetime | None:
        """When the last day ends on which the list may be used, in UTC."""
        if self.max_age is None:
            return None
        day = self.current_as_of + datetime.timedelta(days=self.max_age + 1)
        return datetime.datetime.combine(day, datetime.time()).astimezone(datetime.UTC)

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str, indent=1) + "\n"


def read_attached(path: Path) -> Attached:
    """Raises StoreError."""
    try:
        with system_errors(path), path.open("rb") as file:
            fields: dict[str, Any] = json.loads(file.read(MAX_SETTINGS))
        for row in (fields, *fields["changes"]):
            for name in ("as_of", "since"):
                if name in row:
                    row[name] = datetime.date.fromisoformat(row[name])
        changes = tuple(AppliedChange(**row) for row in fields.pop("changes"))
        return Attached(**fields, changes=changes)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"{path}: expected what callsieve list attach writes, found {error!r}"
        ) from None


def new_attached(
    file: Path,
    file_format: str,
    region: str | None,
    as_of: datetime.date | None,
    max_age: int | None,
    progress: Callable[[int], object],
) -> Attached:
    """Look at a registry's file, all of it. as_of: None is the day that the file was last written.

    progress: told how many bytes were read. Raises BadValueError when it is not a full file of this
    format, or cannot be the file as the registry made it; StoreError.
    """
    registry = registry_named(file_format)
    sha256 = hashlib.sha256()

    def seen(piece: bytes) -> None:
        sha256.update(piece)
        progress(len(piece))

    with system_errors(file):
        status = file.stat()
    RegistryFile(file, file_format, region).check(seen)
    with system_errors(file):
        after = file.stat()
    if (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise BadValueError(f"{escaped(str(file))}: expected a file that stays, found it changed")
    written = datetime.datetime.fromtimestamp(status.st_mtime).date()
    day = as_of or written
    if day > datetime.date.today():
        raise BadValueError(f"as of: expected a day that has come, found {day}")
    if registry.ended and day >= registry.ended:
        raise BadValueError(
            f"as of: expected a day before {registry.ended}, when the registry {registry.name}"
            f" ended, found {day}"
        )
    return Attached(
        file_format,
        str(file.resolve()),
        status.st_size,
        status.st_mtime_ns,
        sha256.hexdigest(),
        day,
        max_age,
    )


def with_change(attached: Attached, change: AppliedChange) -> Attached:
    """The list with one change file more. Raises BadValueError when another has to come before."""
    expected = attached.current_as_of
    if change.as_of <= expected:
        raise BadValueError(
            f"changes as of {change.as_of}: expected later ones than {expected}, which is what the"
            " list has: they are in it already"
        )
    if change.since != expected:
        why = "a change file is missing between" if change.since > expected else "they overlap"
        raise BadValueError(
            f"changes since {change.since}: expected changes since {expected}, which is what the"
            f" list has: {why}"
        )
    return replace(attached, changes=(*attached.changes, change))


def count_changes(file: Path, file_format: str, region: str | None) -> ChangeCounts:
    """Raises BadValueError when it is no change file, cut off or mostly unreadable, StoreError."""
    return RegistryFile(file, file_format, region).check_changes()


class AttachedList:
    """Reads an attached list. change_file: where the copy of a batch's change file is."""

    def __init__(
        self, attached: Attached, region: str | None, change_file: Callable[[str], Path]
    ) -> None:
        self._attached = attached
        self._region = region
        self._change_file = change_file
        self._file = RegistryFile(Path(attached.file), attached.format, region)

    def keys(self, now: datetime.datetime) -> ListKeys:
        """Raises StoreError, also when the file is not the one that was attached."""
        self._check_file()
        found = ListKeys(now)
        self._file.collect(found)
        changed = self._changed(found)
        touched = array("Q", [entry_key_of(number) for number in changed])
        without(found.keys, touched)
        found.keys.extend(entry_key_of(number) for number, added in changed.items() if added)
        found.as_of = self._attached.current_as_of
        found.stale_after = self._attached.stale_after
        return found

    def entries(self) -> Iterator[Entry | Reject]:
        """All numbers, those that were added since last. Raises StoreError."""
        self._check_file()
        rejects = ListKeys(datetime.datetime.now(datetime.UTC))
        changed = self._changed(rejects)
        for what in self._file.entries():
            if isinstance(what, Reject) or what.number not in changed:
                yield what
        yield from (Entry(number) for number, added in changed.items() if added)

    def find(self, number: str) -> Iterator[Entry]:
        """The entry of this number, if the list has it. Raises StoreError."""
        self._check_file()
        added = self._changed(ListKeys(datetime.datetime.now(datetime.UTC))).get(number)
        if self._file.has(number) if added is None else added:
            yield Entry(number)

    def _changed(self, found: ListKeys) -> dict[str, bool]:
        """Numbers in the change files -> whether the last one that names it has it added."""
        changed: dict[str, bool] = {}
        for change in self._attached.changes:
            path = self._change_file(change.batch)
            with system_errors(path), path.open("rb") as data:
                sha256 = hashlib.file_digest(data, "sha256").hexdigest()
            if sha256 != change.sha256:
                raise StoreError(f"{path}: expected the change file as it was applied")
            for what in RegistryFile(path, self._attached.format, self._region).changes():
                if isinstance(what, Reject):
                    found.take(what)
                else:
                    changed[what[1]] = what[0]
        return changed

    def _check_file(self) -> None:
        path = Path(self._attached.file)
        with system_errors(path):
            status = path.stat()
        if (status.st_size, status.st_mtime_ns) != (self._attached.size, self._attached.mtime_ns):
            raise StoreError(
                f"{escaped(str(path))}: expected the file that was attached, found a newer one;"
                " run callsieve list attach again"
            )
