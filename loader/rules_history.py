"""The rules as they were: taking a change of theirs back, by the change log."""

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import pairwise

from loader.change_log import Record, read_records
from loader.store import BadValueError, Store, rules_version

# Comparing more lines than these takes minutes.
MOST_LINES = 20_000


def rules_changes(lines: Iterable[bytes]) -> Iterator[Record]:
    """Of the change log; oldest first. Raises BrokenLogError."""
    return (record for record in read_records(lines) if record.change.rules)


def last_rules_change(lines: Iterable[bytes]) -> Record | None:
    last = None
    for record in rules_changes(lines):
        last = record
    return last


def rules_before(store: Store, serial: int | None) -> tuple[Record, str] | None:
    """The rules as they would be without a change, and that change.

    serial: of its record; None: the last change, and then None when there is none. Changes that
    came after it stay. Raises BadValueError when one of them changed the same lines, or for another
    serial; StoreError.
    """
    record = None
    for found in rules_changes(store.log_lines()):
        if serial is None or found.serial == serial:
            record = found
    if record is None and serial is None:
        return None
    if record is None or record.change.rules is None:
        raise BadValueError(
            f"change {serial}: expected a change of the rules; callsieve rules log names them"
        )
    before, after = (
        store.kept_rules(sha256)
        for sha256 in (record.change.rules.before, record.change.rules.after)
    )
    text = without(before, after, store.rules_text())
    if text is None:
        raise BadValueError(
            f"change {record.serial}: the same lines were changed since, so it cannot be taken back"
            f" alone; what was there before: callsieve rules get --version {rules_version(before)}"
        )
    return record, text


def without(before: str, after: str, now: str) -> str | None:
    """`now` with the change from `before` to `after` taken back. None: it has other lines there."""
    if now == after:
        return before
    lines = after.splitlines(keepends=True)
    old, new = before.splitlines(keepends=True), now.splitlines(keepends=True)
    if max(map(len, (lines, old, new))) > MOST_LINES:
        return None
    blocks = sorted([*_blocks(lines, old), *_blocks(lines, new)])
    for (_, end, _), (start, _, _) in pairwise(blocks):
        if start <= end:  # side by side too: nobody knows which of them is to come first
            return None
    for start, end, put in reversed(blocks):
        lines[start:end] = put
    return "".join(lines)


def _blocks(old: list[str], new: list[str]) -> Iterator[tuple[int, int, list[str]]]:
    """What became of which lines."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag != "equal":
            yield start, end, new[new_start:new_end]
