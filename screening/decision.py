"""The answer for one leg, with its receipt: which number, list, entry, rule and generation.

Named tuples, as in `facts`: every leg makes some, and a frozen dataclass is slower to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Action = Literal["continue", "hangup", "redirect", "skip", "present"]
Outcome = Literal["won", "marked", "no match", "not reached", "cannot tell"]


class Decision(NamedTuple):
    """What happens to the leg and why. The fields are the keys of `--json`, in this order.

    action: `continue` and `present` let the leg go on, the others end or divert it.
    entry: the list entry that matched, exact number or prefix. generation: that list's.
    number: the number that was screened, canonical text; None if it could not be read.
    read_as: how it was read, in a few words and without any text of the caller's.
    rule: its name, or its place in the rules. rules_version: names the rules' text.
    status: of a skipped number. cause: FreeSWITCH hang-up cause. response: a SIP response instead
    of a cause; call_info: the URL of the card that goes with 608. redirect: an extension, a number,
    a SIP URI, or a dial string to bridge with.
    marked: the action of a rule that matched and is not enforced.
    """

    action: Action
    list: str | None = None
    entry: str | None = None
    number: str | None = None
    read_as: str | None = None
    rule: str | None = None
    status: str | None = None
    cause: str | None = None
    response: int | None = None
    call_info: str | None = None
    redirect: str | None = None
    presentation_number: str | None = None
    generation: int | None = None
    rules_version: str | None = None
    marked: Action | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, str | int | None]:
        return self._asdict()


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was looked at, and what came of it: a line of the explanation."""

    rule: str
    outcome: Outcome
    why: str
