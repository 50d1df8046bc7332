"""Whether what is to be published, or put in place of a list, has lost too much to be believed."""

from dataclasses import dataclass

MOST_ENTRIES_LOST = 4
"""So many may go by an edit by hand whatever part of a list they are: short lists are kept so."""


@dataclass(frozen=True, slots=True)
class Counts:
    """entries: that count. unreadable: rows that are none. header: the file has one; None: it needs
    none.
    """

    entries: int
    unreadable: int = 0
    header: bool | None = None


def loss(before: Counts, after: Counts, lost: int) -> str:
    """What is wrong with `after` in place of `before`; "" when it may be taken.

    lost: entries of `before` that `after` has not; there may be others in their place.
    """
    if before.entries and not after.entries:
        return f"expected entries, found none in place of {before.entries}"
    if before.header and after.header is False:
        return "expected the header that the file had, found none"
    if lost and after.unreadable > max(after.entries, before.unreadable):
        return (
            f"expected rows that can be read, found {after.unreadable} that cannot be and"
            f" {after.entries} that can, where there were {before.entries} entries"
        )
    if lost > MOST_ENTRIES_LOST and 2 * lost > before.entries:
        return f"expected most of the {before.entries} entries, found {lost} of them gone"
    return ""


def rules_loss(before: int, after: int, is_blank: bool) -> str:
    """The same for the rules, by how many there are. is_blank: the text says nothing at all."""
    if is_blank:
        return "expected rules, found nothing"
    if 2 * (before - after) > before:
        return f"expected most of the {before} rules that are in force, found {after}"
    return ""
