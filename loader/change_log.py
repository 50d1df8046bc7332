"""The change log: every change of a list, with who made it, when, why and from where.

A record is one line of JSON. Its `previous` is the SHA-256 of the line before it, without the line
end, so a line that is altered, left out or put in breaks the chain there. Stores keep the lines;
this page writes and reads them.
"""

import datetime
import hashlib
import json
import os
import pwd
import re
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from loader.store import AddOutcome, BadValueError, Entry, StoreError, check_description, escaped

FIRST_PREVIOUS = "0" * 64
MAX_RECORD = 65_536
# What a batch's numbers had, and what they got.
Part = Literal["before", "after"]
PARTS: tuple[Part, Part] = ("before", "after")
BATCH_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,12}")


class BrokenLogError(StoreError):
    """The change log is not whole. The text names the record, what was expected and found."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change comes from.

    who: such as "jan@pbx1". reason: in the operator's words. command: "callsieve add" or the like.
    None in place of an Origin is this_process().
    """

    who: str
    reason: str = ""
    command: str = ""


def this_process(command: str = "", reason: str = "") -> Origin:
    """The user who runs this process, on this machine. Raises BadValueError for a bad reason."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = f"uid {os.geteuid()}"
    try:
        check_description(reason)
    except BadValueError as error:
        raise BadValueError(f"reason: {error}") from None
    return Origin(f"{user}@{socket.gethostname()}", reason.strip(), command)


def new_batch_id() -> str:
    """A batch's name, like no other's; they sort by the second of their making."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(6)}"


@dataclass(frozen=True, slots=True)
class BatchFile:
    """Rows of a batch, in a file of the list's columns that the store keeps."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BatchDetails:
    """What the maker of a batch knows about it; the fields are those of Change and Batch."""

    what: str = "import"
    origin: Origin | None = None
    rejected: int = 0
    source: str | None = None
    source_sha256: str | None = None
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Many changes of one list in one step.

    before: what the changed and removed numbers had. after: what the new and changed numbers got.
    source, source_sha256: the imported file's name and content. undoes: the batch taken back.
    """

    id: str
    added: int
    updated: int
    removed: int
    already_there: int
    rejected: int
    before: BatchFile | None
    after: BatchFile | None
    source: str | None = None
    source_sha256: str | None = None
    undoes: str | None = None

    @classmethod
    def of_edit(
        cls,
        identity: str,
        counts: Mapping[AddOutcome, int],
        removed: int,
        before: BatchFile | None,
        after: BatchFile | None,
        details: BatchDetails,
    ) -> "Batch":
        """counts: numbers that were put, by what came of it. removed: numbers taken out."""
        return cls(
            identity,
            counts[AddOutcome.ADDED],
            counts[AddOutcome.UPDATED],
            removed,
            counts[AddOutcome.PRESENT],
            details.rejected,
            before,
            after,
            details.source,
            details.source_sha256,
            details.undoes,
        )


@dataclass(frozen=True, slots=True)
class RulesChange:
    """The SHA-256 of the rules' texts before and after, both of which the store keeps."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a list, or to the rules: then `list` is "".

    what: "add", "update" or "remove" with number, before and after; "import", "replace", "undo",
    "rollback" (of the store's rows) or "remove list" with batch; "create list"; "rollback" of what
    one machine had published; "accept" of what was held back. With rules: "rules", "rules edited by
    hand", "rules undo", "rules rollback". region: of a list that has one of its own, when it is
    made or removed.
    """

    list: str
    what: str
    number: str | None = None
    before: Entry | None = None
    after: Entry | None = None
    batch: Batch | None = None
    region: str | None = None
    rules: RulesChange | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log.

    time: aware. redo: how the store makes the change; it is the store's. sha256: of the line, in a
    record that was read.
    """

    serial: int
    time: datetime.datetime
    origin: Origin
    change: Change
    previous: str
    redo: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def line(self) -> bytes:
        """Without line end."""
        return json.dumps(self.fields(), ensure_ascii=False, separators=(",", ":")).encode(
            errors="backslashreplace"
        )

    def fields(self) -> dict[str, Any]:
        """As JSON values."""
        change = self.change
        fields: dict[str, Any] = {
            "serial": self.serial,
            "time": self.time.isoformat(),
            "who": self.origin.who,
            "command": self.origin.command,
            "reason": self.origin.reason,
            "list": change.list,
            "what": change.what,
        }
        if change.number is not None:
            fields["number"] = change.number
            fields["before"] = change.before and entry_fields(change.before)
            fields["after"] = change.after and entry_fields(change.after)
        if change.batch is not None:
            fields["batch"] = _batch_fields(change.batch)
        if change.region is not None:
            fields["region"] = change.region
        if change.rules is not None:
            fields["rules"] = {"before": change.rules.before, "after": change.rules.after}
        fields["redo"] = self.redo
        fields["previous"] = self.previous
        return fields


def digest(line: bytes) -> str:
    """What the next record has as `previous`."""
    return hashlib.sha256(line).hexdigest()


def read_records(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of these lines (without line ends), from the first on.

    Raises BrokenLogError at the first that does not follow from the one before it.
    """
    previous = FIRST_PREVIOUS
    for serial, line in enumerate(lines, 1):
        record = read_record(line, serial)
        if record.serial != serial:
            raise BrokenLogError(
                f"change log, record {serial}: expected serial {serial}, found {record.serial}"
            )
        if record.previous != previous:
            raise BrokenLogError(
                f"change log, record {serial}: expected the hash of the record before it,"
                f" {previous[:16]}..., found {escaped(record.previous[:16])}...;"
                f" record {serial - 1} or this one was altered, or one is missing between them"
            )
        previous = record.sha256
        yield record


def read_record(line: bytes, serial: int) -> Record:
    """One record, without its place in the chain. serial: for the error, a BrokenLogError."""
    try:
        fields = json.loads(line)
        batch = fields.get("batch")
        rules = fields.get("rules")
        change = Change(
            fields["list"],
            fields["what"],
            fields.get("number"),
            _read_entry(fields.get("before")),
            _read_entry(fields.get("after")),
            _read_batch(batch) if batch else None,
            fields.get("region"),
            RulesChange(str(rules["before"]), str(rules["after"])) if rules else None,
        )
        return Record(
            fields["serial"],
            datetime.datetime.fromisoformat(fields["time"]),
            Origin(fields["who"], fields["reason"], fields["command"]),
            change,
            fields["previous"],
            fields["redo"],
            digest(line),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenLogError(
            f"change log, record {serial}: expected a record, found"
            f" {escaped(line[:60].decode(errors='replace'))}: {error!r}"
        ) from None


def entry_fields(entry: Entry) -> dict[str, Any]:
    """As JSON values."""
    return {
        "number": entry.number,
        "date": entry.date.isoformat() if entry.date else None,
        "description": entry.description,
        "expires": entry.expires.isoformat() if entry.expires else None,
    }


def _read_entry(fields: Mapping[str, Any] | None) -> Entry | None:
    if fields is None:
        return None
    date, expires = fields["date"], fields["expires"]
    return Entry(
        fields["number"],
        datetime.date.fromisoformat(date) if date else None,
        fields["description"],
        datetime.datetime.fromisoformat(expires) if expires else None,
    )


def _batch_fields(batch: Batch) -> dict[str, Any]:
    names = [name for name in Batch.__slots__ if name not in ("before", "after")]
    fields = {name: value for name in names if (value := getattr(batch, name)) is not None}
    for part in ("before", "after"):
        file: BatchFile | None = getattr(batch, part)
        fields[part] = file and {"rows": file.rows, "sha256": file.sha256}
    return fields


def _read_batch(fields: Mapping[str, Any]) -> Batch:
    files = {
        part: BatchFile(int(found["rows"]), str(found["sha256"])) if found else None
        for part in ("before", "after")
        for found in [fields[part]]
    }
    return Batch(**{**fields, **files})
