"""Asking lists about the numbers of a leg: is one listed, and does an exception lift it?

A number is on a list unless one of the exceptions of that list has it; the exceptions of the rule
lift it from all of the rule's lists. A list that cannot be asked is a doubt only where it could
have made the difference: one exception that has the number is enough, whatever the others say.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from screening.facts import SIP_ADDRESS, WITHHELD, WITHOUT_NUMBER, Party

_MAX_BEHIND = 4  # digits that a prefix leaves open and still stands for one line or a small block


class NumberList(Protocol):
    """One generation of a number list."""

    @property
    def generation(self) -> int: ...

    def match(self, number: str, /) -> str | None:
        """The entry that `number` (canonical text) falls under, or None."""

    def random(self, rng: random.Random, /) -> str | None:
        """One of its numbers, each as likely as the other; None if it holds none."""


@dataclass(frozen=True, slots=True)
class UnavailableList:
    """Stands for a list that cannot be asked; never the same as an empty one."""

    reason: str


Lists = Mapping[str, NumberList | UnavailableList]


class CannotTellError(Exception):
    """There is no answer; the text says why."""


class Hit(NamedTuple):
    """A number that is listed, and that no exception lifts."""

    party: Party
    number: str
    list: str
    entry: str
    generation: int

    def why(self) -> str:
        return f"the {self.party.source} is on the list {self.list}"


class Lifted(NamedTuple):
    """A number that an exception lifts; `why` is a sentence."""

    why: str


def available(lists: Lists, name: str) -> NumberList:
    """The list of that name. Raises CannotTellError."""
    found = lists.get(name)
    if found is None or isinstance(found, UnavailableList):
        raise _unavailable(name, found)
    return found


def _unavailable(name: str, found: UnavailableList | None) -> CannotTellError:
    if found is None:
        return CannotTellError(f"the list {name} is not loaded")
    return CannotTellError(f"the list {name} is not available: {found.reason}")


def ask(
    lists: Lists,
    party: Party,
    names: Iterable[str],
    excepted: Iterable[str],
    by_list: Mapping[str, Iterable[str]],
) -> Hit | Lifted | None:
    """Whether the party's number, which can be read, is on one of the lists with these names.

    by_list: the exceptions of single lists. Raises CannotTellError.
    """
    number = party.number
    assert number is not None
    hit = lifted = doubt = None
    for name in names:
        asked = lists.get(name)
        if asked is None or isinstance(asked, UnavailableList):
            doubt = doubt or _unavailable(name, asked)
            continue
        try:
            entry = asked.match(number)
            if entry is None:
                if party.within:
                    _look_within(asked, name, party)
                continue
            if name in by_list:
                by = excepting(lists, number, by_list[name])
                if by is not None:
                    lifted = lifted or Lifted(
                        f"the {party.source} is on the list {name}, and excepted from it by the "
                        f"list {by}"
                    )
                    continue
        except CannotTellError as reason:
            doubt = doubt or reason
            continue
        hit = Hit(party, number, name, entry, asked.generation)
        break
    if hit is None and doubt is None:
        return lifted
    if excepted:
        by = excepting(lists, number, excepted)
        if by is not None:
            listed = (
                f"the {party.source} is on the list {hit.list}, and" if hit else "the number is"
            )
            return Lifted(f"{listed} excepted by the list {by}")
    if hit is None and doubt is not None:
        raise doubt
    return hit


def excepting(lists: Lists, number: str, excepted: Iterable[str]) -> str | None:
    """The first of the lists that has the number. Raises CannotTellError if one that cannot be
    asked might have it, and no other has.
    """
    doubt = None
    for name in excepted:
        try:
            if available(lists, name).match(number) is not None:
                return name
        except CannotTellError as reason:
            doubt = doubt or reason
    if doubt is not None:
        raise doubt
    return None


def lifted_with_its_caller(
    lists: Lists, parties: Iterable[Party], excepted: tuple[str, ...]
) -> Lifted | None:
    """A caller who asks for privacy or has no number is excepted if all that is known of it is.

    Raises CannotTellError.
    """
    by = None
    for number in known_numbers(parties):
        by = excepting(lists, number, excepted)
        if by is None:
            return None
    return None if by is None else Lifted(f"the caller is excepted by the list {by}")


def known_numbers(parties: Iterable[Party]) -> list[str]:
    """The parties' numbers, without those that are withheld or cannot be read; of callers who have
    none, their SIP addresses, and of those without either, no-number.
    """
    known = [one.number for one in parties if one.number not in (None, WITHHELD)]
    addressed = [number for number in known if number != WITHOUT_NUMBER]
    numbers = [number for number in addressed if not number.startswith(SIP_ADDRESS)]
    return numbers or addressed or known


def _look_within(asked: NumberList, name: str, party: Party) -> None:
    """Raises CannotTellError when the dialled digits hold a listed number.

    Short prefixes do not count: they would be found in many a number by chance.
    """
    for number in party.within:
        entry = asked.match(number)
        if entry is not None and len(number) - len(entry.rstrip("*")) <= _MAX_BEHIND:
            raise CannotTellError(
                f"the {party.source} may be one of the list {name}, with digits before or behind it"
            )
