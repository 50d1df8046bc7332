"""What is known of a call leg when it is screened: plain data, filled in by a shell."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Flow = Literal["inbound", "outbound", "callback", "widget"]
FLOWS: tuple[Flow, ...] = get_args(Flow)

WITHHELD = "anonymous"
"""The canonical text of a caller that withholds its number; also the list entry for it."""


class Party(NamedTuple):
    """One number of the leg, as it came and as it was read.

    `number` is canonical text (`+48600100200`, `1000`, `anonymous`) or None when it cannot be read;
    `how` says in a few words how it was read, without any text of the caller's.
    """

    source: str
    original: str
    number: str | None
    how: str


class CallFacts(NamedTuple):
    """One leg. `callers` holds each identity the caller is screened by, the principal one first."""

    flow: Flow
    callers: tuple[Party, ...]
    called: Party
    campaign: str | None = None
    queue: str | None = None
    widget: str | None = None
    route: str | None = None
