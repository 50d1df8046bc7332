"""The flow `block`: a leg that asks for a number to be put on a list, from an agent's phone.

It is no decision. It waits for the store, so it runs beside the legs that are decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from esl_service.channel_data import ChannelData

BLOCK = "block"
"""The flow's name."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """What became of the number.

    status: one of a few texts, such as "added" or "refused: held back", for a dialplan to act upon.
    number: canonical text; None if it could not be read. list: None if none was named.
    reason: for people.
    """

    status: str
    number: str | None
    list: str | None
    reason: str


class Blocking(Protocol):
    """Who puts numbers on lists."""

    def block(self, channel: ChannelData) -> Blocked:
        """Waits, but not for long. Whatever goes wrong is in the answer."""
