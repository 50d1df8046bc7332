"""What a reader of a catalog has: the lists and documents that were published at one moment."""

import random as random_module
from collections.abc import Mapping
from dataclasses import dataclass

from lookup_core.catalog_file import JSON
from lookup_core.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class PublishedList:
    """One generation of a number list. info: what the publisher stored with it.

    base: the generation in which all of the list was written; later ones changed some entries.
    """

    name: str
    generation: int
    base: int
    snapshot: Snapshot
    info: Mapping[str, JSON]

    def match(self, text: str) -> str | None:
        """The entry that the number matches and that has not ended; see Snapshot.match."""
        return self.snapshot.match(text)

    def random(self, rng: random_module.Random) -> str | None:
        """One of the list's numbers that have not ended; see Snapshot.random."""
        return self.snapshot.random(rng)


@dataclass(frozen=True)
class UnavailableList:
    """A published list that this reader never could open, or that turned out to be altered."""

    name: str
    generation: int
    reason: str


@dataclass(frozen=True)
class Document:
    """One generation of a text, such as the rules."""

    text: str
    generation: int
    info: Mapping[str, JSON]


@dataclass(frozen=True, eq=False)
class View:
    """Everything published at one moment. problems: a sentence for each thing that is not right."""

    sequence: int
    lists: Mapping[str, PublishedList | UnavailableList]
    documents: Mapping[str, Document]
    problems: tuple[str, ...] = ()
