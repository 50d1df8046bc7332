"""The decision for a leg: a pure function over facts, rules and lists.

How a leg is decided, in this order:

1. The rules for its flow are taken in turn; the first one that matches wins.
2. A rule matches when one of the leg's numbers is on one of its lists and that same number is on
   none of its `except` lists. (A caller that claims an allowed number beside a listed one is still
   listed.)
3. A rule that is not enforced only marks the leg, and the rules after it are taken in turn.
4. A rule that cannot be answered, because a list is not available or the number cannot be read,
   neither matches nor fails to: the others still have their say, and if none of them matches the
   flow's fail policy decides.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from screening.decision import Decision, Outcome, Step
from screening.facts import CallFacts, Party
from screening.rules import Forwarding, Route, Rules, SkipRule

UNAVAILABLE_STATUS = "Screening unavailable"
"""Status of a number that is not dialled because nobody could tell whether it may be."""

UNAVAILABLE_CAUSE = "NORMAL_TEMPORARY_FAILURE"


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


class _CannotTellError(Exception):
    """This rule has no answer; the text says why."""


class _Hit(NamedTuple):
    party: Party
    number: str
    list: str
    entry: str
    generation: int

    def forwarded(self, rule: Forwarding) -> Decision:
        hangs_up = rule.action == "hangup"
        return Decision(
            rule.action,
            list=self.list,
            entry=self.entry,
            number=self.number,
            rule=rule.name,
            cause=rule.cause if hangs_up else None,
            response=rule.response if hangs_up else None,
            call_info=rule.call_info if hangs_up else None,
            redirect=None if hangs_up else rule.redirect,
            generation=self.generation,
            reason=self._why(),
        )

    def skipped(self, rule: SkipRule) -> Decision:
        return Decision(
            "skip",
            list=self.list,
            entry=self.entry,
            number=self.number,
            rule=rule.name,
            status=rule.status,
            generation=self.generation,
            reason=self._why(),
        )

    def _why(self) -> str:
        return f"the {self.party.source} is on the list {self.list}"


def decide(
    facts: CallFacts,
    rules: Rules,
    lists: Lists,
    rng: random.Random,
    steps: list[Step] | None = None,
) -> Decision:
    """Decide one leg; `steps`, when given, receives a line for every rule of the flow."""
    return _Deciding(facts, rules, lists, rng, steps).decide()


def undecided(facts: CallFacts, rules: Rules, why: str) -> Decision:
    """What the flow's fail policy says for a leg that nobody could decide; `why` says why."""
    return _failed(facts, rules, None, why)


def _failed(facts: CallFacts, rules: Rules, rule: str | None, why: str) -> Decision:
    """The flow's fail policy, for a question that has no answer."""
    flow = facts.flow
    policy = rules.fail[flow]
    number = _screened(facts).number
    reason = f"{why}; {flow} fails {policy}"
    if policy == "open":
        return Decision("continue", number=number, rule=rule, reason=reason)
    if flow == "inbound":
        return Decision("hangup", number=number, rule=rule, cause=UNAVAILABLE_CAUSE, reason=reason)
    return Decision("skip", number=number, rule=rule, status=UNAVAILABLE_STATUS, reason=reason)


def _screened(facts: CallFacts) -> Party:
    """The party whose number the receipt names."""
    return facts.callers[0] if facts.flow == "inbound" else facts.called


class _Deciding:
    def __init__(
        self,
        facts: CallFacts,
        rules: Rules,
        lists: Lists,
        rng: random.Random,
        steps: list[Step] | None,
    ) -> None:
        self.facts = facts
        self.rules = rules
        self.lists = lists
        self.rng = rng
        self.steps = steps
        self.doubts: list[tuple[str | None, str]] = []
        self.mark: Decision | None = None
        self.screened = _screened(facts)

    def decide(self) -> Decision:
        decision = self._inbound() if self.facts.flow == "inbound" else self._outbound()
        if decision is None and self.doubts:
            rule, why = self.doubts[0]
            decision = _failed(self.facts, self.rules, rule, why)
        if self.mark is None:
            return decision or self._continue(self._nothing_matched())
        if decision is not None:
            return decision._replace(marked=self.mark.action)
        mark = self.mark
        return self._continue(f"{mark.reason}, but the rule is not enforced")._replace(
            list=mark.list,
            entry=mark.entry,
            number=mark.number,
            rule=mark.rule,
            generation=mark.generation,
            marked=mark.action,
        )

    def _continue(self, reason: str) -> Decision:
        return Decision("continue", number=self.screened.number, reason=reason)

    def _nothing_matched(self) -> str:
        facts = self.facts
        if facts.flow == "inbound":
            return "no forwarding matched"
        if facts.flow == "outbound" and facts.campaign is None and facts.route is None:
            return "no campaign and no route is named"
        return f"the {self.screened.source} is on none of the lists"

    # The flows

    def _inbound(self) -> Decision | None:
        winner = None
        for forwarding in self.rules.forwardings:
            if winner is not None:
                self._step(forwarding.name, "not reached", f"{winner.rule} won before it")
                continue
            winner = self._forwarding(forwarding)
        return winner

    def _forwarding(self, rule: Forwarding) -> Decision | None:
        called = self.facts.called.number
        if rule.called is not None and called is not None and not _covers(rule.called, called):
            self._step(rule.name, "no match", "the call is to another number")
            return None
        hit = self._ask(rule.name, self.facts.callers, (rule.list,), rule.except_lists)
        if hit is None:
            return None
        if rule.called is not None and called is None:
            self._doubt(rule.name, "the called number cannot be read")
            return None
        return self._matched(rule, hit, hit.forwarded(rule))

    def _outbound(self) -> Decision | None:
        facts, rules = self.facts, self.rules
        for kind, name, table in (
            ("campaign", facts.campaign, rules.campaigns),
            ("queue", facts.queue, rules.queues),
            ("widget", facts.widget, rules.widgets),
        ):
            if name is None:
                continue
            rule = table.get(name)
            if rule is None:
                self._doubt(kind, f"the rules have no {kind} of that name")
                continue
            decision = self._skip(rule)
            if decision is not None:
                return decision
        self._require_rule_of_flow()
        return None if self.doubts or facts.route is None else self._present(facts.route)

    def _require_rule_of_flow(self) -> None:
        """A callback nobody can attribute cannot be called free of lists."""
        facts = self.facts
        if facts.flow == "callback" and facts.queue is None:
            self._doubt("queue", "the leg names no queue")
        if facts.flow == "widget" and facts.widget is None:
            self._doubt("widget", "the leg names no widget")

    def _skip(self, rule: SkipRule) -> Decision | None:
        hit = self._ask(rule.name, (self.facts.called,), rule.lists, rule.except_lists)
        if hit is None:
            return None
        return self._matched(rule, hit, hit.skipped(rule))

    def _present(self, name: str) -> Decision | None:
        route = self.rules.routes.get(name)
        if route is None:
            self._doubt("route", "the rules have no route of that name")
            return None
        try:
            pool = self._list(route.present_from)
        except _CannotTellError as doubt:
            self._doubt(route.name, str(doubt))
            return None
        return self._draw(route, pool)

    def _draw(self, route: Route, pool: NumberList) -> Decision | None:
        number = pool.random(self.rng)
        if number is None:
            self._doubt(route.name, f"the list {route.present_from} has no number to present")
            return None
        self._step(route.name, "won", f"a random number of the list {route.present_from}")
        return Decision(
            "present",
            list=route.present_from,
            entry=number,
            number=self.screened.number,
            rule=route.name,
            presentation_number=number,
            generation=pool.generation,
            reason=f"presents a random number of the list {route.present_from}",
        )

    # Asking lists

    def _ask(
        self, rule: str, parties: Iterable[Party], lists: Iterable[str], excepted: Iterable[str]
    ) -> _Hit | None:
        """The first party that is on one of `lists` and on none of `excepted`; None if none is.

        A doubt is noted when a party or a list could have made the difference.
        """
        lists, excepted = tuple(lists), tuple(excepted)
        doubt = None
        saved_by = None
        for party in parties:
            try:
                hit, saved_by_now = self._ask_one(party, lists, excepted)
            except _CannotTellError as reason:
                doubt = doubt or str(reason)
                continue
            saved_by = saved_by or saved_by_now
            if hit is not None:
                return hit
        if doubt is not None:
            self._doubt(rule, doubt)
        elif saved_by is not None:
            self._step(rule, "no match", f"the number is excepted by the list {saved_by}")
        elif self.steps is not None:
            names = ", ".join(lists) or "no list"
            self._step(rule, "no match", f"the number is not on {names}")
        return None

    def _ask_one(
        self, party: Party, lists: tuple[str, ...], excepted: tuple[str, ...]
    ) -> tuple[_Hit | None, str | None]:
        number = party.number
        if number is None:
            if party is self.screened and lists:
                raise _CannotTellError(f"the {party.source} cannot be read")
            return None, None  # a further identity that is no number is on no list
        hit = None
        doubt = None
        for name in lists:
            try:
                asked = self._list(name)
            except _CannotTellError as reason:
                doubt = reason
                continue
            entry = asked.match(number)
            if entry is not None:
                hit = _Hit(party, number, name, entry, asked.generation)
                break
        if hit is None:
            if doubt is not None:
                raise doubt
            return None, None
        for name in excepted:
            if self._list(name).match(number) is not None:
                return None, name
        return hit, None

    def _list(self, name: str) -> NumberList:
        found = self.lists.get(name)
        if found is None:
            raise _CannotTellError(f"the list {name} is not loaded")
        if isinstance(found, UnavailableList):
            raise _CannotTellError(f"the list {name} is not available: {found.reason}")
        return found

    def _matched(
        self, rule: Forwarding | SkipRule, hit: _Hit, decision: Decision
    ) -> Decision | None:
        """The decision of a rule that matches, None if it only marks."""
        if self.steps is not None:
            why = f"the {hit.party.source} is on the list {hit.list} as {hit.entry}"
            if rule.enforce:
                self._step(rule.name, "won", why)
            else:
                self._step(rule.name, "marked", f"{why}; the rule is not enforced")
        if rule.enforce:
            return decision
        self.mark = self.mark or decision
        return None

    # The explanation

    def _step(self, rule: str, outcome: Outcome, why: str) -> None:
        if self.steps is not None:
            self.steps.append(Step(rule, outcome, why))

    def _doubt(self, rule: str, why: str) -> None:
        self.doubts.append((rule, why))
        self._step(rule, "cannot tell", why)


def _covers(entries: tuple[str, ...], number: str) -> bool:
    """Whether one of `entries` (exact numbers and prefixes such as `+4822*`) covers `number`."""
    return any(
        number.startswith(entry[:-1]) if _is_prefix(entry) else number == entry for entry in entries
    )


def _is_prefix(entry: str) -> bool:
    return entry.startswith("+") and entry.endswith("*")
