"""Whether a number that we dial is understood, whatever the lists say of it."""

from __future__ import annotations

from collections.abc import Iterable

from screening.extensions import Extensions
from screening.facts import Party
from screening.rules import Unassigned

UNASSIGNED = "the called number is in no range that is in use, by the numbering plan"


def problem_of(
    party: Party, extensions: Iterable[Extensions], unassigned: Unassigned
) -> str | None:
    """Why nobody can tell whether the number may be dialled; None where it may.

    extensions: what may be dialled that is no full number. unassigned: for a number in no range
    that is in use.
    """
    standing = party.standing
    if standing in ("in use", "emergency"):
        return None
    if standing == "unassigned":
        return None if unassigned == "dial" else UNASSIGNED
    if standing == "impossible":
        return f"the {party.source} cannot exist, by the numbering plan"
    if standing == "short" and party.number is not None:
        if any(some.cover(party.number) for some in extensions):
            return None
        return (
            f"the {party.source} is no full number, nor an extension or short number that the "
            "rules allow"
        )
    return unread(party)


def unread(party: Party) -> str:
    return f"the {party.source} cannot be read: {party.how}"
