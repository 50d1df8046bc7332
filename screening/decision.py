"""The answer for one leg, with its receipt: which number, list, entry, rule and generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["continue", "hangup", "redirect", "skip", "present"]
Outcome = Literal["won", "no match", "not reached", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to the leg and why. The fields are the keys of `--json`, in this order.

    action: `continue` and `present` let the leg go on, the others end or divert it.
    entry: the list entry that matched, exact number or prefix. generation: that list's.
    number: the number that was screened, canonical text; None if it could not be read.
    status: of a skipped number. cause: FreeSWITCH hang-up cause. redirect: where to.
    """

    action: Action
    list: str | None = None
    entry: str | None = None
    number: str | None = None
    rule: str | None = None
    status: str | None = None
    cause: str | None = None
    redirect: str | None = None
    presentation_number: str | None = None
    generation: int | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, str | int | None]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was looked at, and what came of it: a line of the explanation."""

    rule: str
    outcome: Outcome
    why: str
