"""What is known of a call leg when it is screened: plain data, filled in by a shell."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Flow = Literal["inbound", "outbound", "callback", "widget"]
FLOWS: tuple[Flow, ...] = get_args(Flow)

WITHHELD = "anonymous"
"""The canonical text of a caller that withholds its number; also the list entry for it."""

Standing = Literal[
    "in use",
    "unassigned",
    "impossible",
    "short",
    "emergency",
    "withheld",
    "unreadable",
]
"""What a number is, by the numbering plan:

- in use, unassigned, impossible: a full number, in a range that is in use, in none that is, or
  one that cannot exist;
- short: no full number; an extension, a short number or a feature code, as dialled;
- emergency: an emergency number of the region;
- withheld, unreadable: there is no number.
"""


WITHOUT_NUMBER = "no-number"
"""The list entry for a caller no identity of whom is a number or withheld; and its text."""


SIP_ADDRESS = "sip:"
"""What the canonical text of a SIP address begins with, as `sip:alice@example.com`."""


class Party(NamedTuple):
    """One number of the leg, as it came and as it was read.

    `number` is canonical text (`+48600100200`, `1000`, `anonymous`; of a caller that has none,
    `sip:alice@example.com`) or None when it cannot be read;
    `how` says in a few words how it was read, without any text of the caller's.
    `within`: other full numbers that the dialled digits hold, where they are no sure reading: with
    an outside-line digit before it, a listed number can look like a foreign one.
    """

    source: str
    original: str
    number: str | None
    how: str
    standing: Standing
    within: tuple[str, ...] = ()


class CallFacts(NamedTuple):
    """One leg.

    `callers` holds each identity the caller is screened by, the principal one first. A leg that we
    dial is screened by its called number alone, and has none.
    """

    flow: Flow
    callers: tuple[Party, ...]
    called: Party
    campaign: str | None = None
    queue: str | None = None
    widget: str | None = None
    route: str | None = None
