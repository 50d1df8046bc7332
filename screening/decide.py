"""The decision for a leg: a pure function over facts, rules and lists.

How a leg is decided, in this order:

1. The rules for its flow are taken in turn; the first one that matches wins.
2. A rule matches when one of the leg's numbers is on one of its lists and that same number is on
   none of its `except` lists. (A caller that claims an allowed number beside a listed one is still
   listed.) A rule that lets callers through matches when every number that is known of the caller
   is on its list.
3. A rule that is not enforced only marks the leg, and the rules after it are taken in turn.
4. A rule that cannot be answered, because a list is not available or the number cannot be read,
   neither matches nor fails to: the others still have their say, and if none of them matches the
   flow's fail policy decides.
5. A leg that we dial needs a number that is understood, whatever the lists say: a full number in a
   range that is in use, or an extension or short number that the rules allow. Emergency numbers
   are dialled unless they are listed themselves.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from screening.called_number import UNASSIGNED, problem_of, unread
from screening.decision import Decision, Outcome, Step
from screening.facts import WITHHELD, WITHOUT_NUMBER, CallFacts, Party
from screening.list_asking import (
    CannotTellError,
    Hit,
    Lifted,
    Lists,
    NumberList,
    ask,
    available,
    known_numbers,
    lifted_with_its_caller,
)
from screening.rules import Forwarding, Route, Rules, SkipRule

UNAVAILABLE_STATUS = "Screening unavailable"
"""Status of a number that is not dialled because nobody could tell whether it may be."""

UNAVAILABLE_CAUSE = "NORMAL_TEMPORARY_FAILURE"

_DRAWS = 20
"""How often a number is drawn before a list counts as one without full numbers."""

_NOTHING_EXCEPTED: Mapping[str, tuple[str, ...]] = MappingProxyType({})


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
    party = _screened(facts)
    failing = Decision(
        "continue",
        number=party.number,
        read_as=party.how,
        rule=rule,
        rules_version=rules.version,
        reason=f"{why}; {flow} fails {policy}",
    )
    if policy == "open":
        return failing
    if flow == "inbound":
        return failing._replace(action="hangup", cause=UNAVAILABLE_CAUSE)
    return failing._replace(action="skip", status=UNAVAILABLE_STATUS)


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
        self.lifted: Lifted | None = None
        self.mark: Decision | None = None
        self.screened = facts.callers[0] if facts.flow == "inbound" else facts.called

    def decide(self) -> Decision:
        decision = self._inbound() if self.facts.flow == "inbound" else self._dialled()
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
            read_as=mark.read_as,
            rule=mark.rule,
            generation=mark.generation,
            marked=mark.action,
        )

    def _continue(self, reason: str) -> Decision:
        party = self.screened
        return Decision(
            "continue",
            number=party.number,
            read_as=party.how,
            rules_version=self.rules.version,
            reason=reason,
        )

    def _nothing_matched(self) -> str:
        facts = self.facts
        lifted = self.lifted
        if facts.flow == "inbound":
            return "no forwarding matched" + (f": {lifted.why}" if lifted else "")
        if self.screened.standing == "emergency":
            return "the called number is an emergency number"
        if lifted:
            reason = lifted.why
        elif self.rules.outbound is None and self._is_unnamed():
            reason = "no campaign and no route is named"
        else:
            reason = f"the {self.screened.source} is on none of the lists"
        return f"{reason}; {UNASSIGNED}" if self.screened.standing == "unassigned" else reason

    # Inbound legs

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
        if rule.action == "continue":
            hit = self._ask_all(rule)
        else:
            hit = self._ask(rule.name, self.facts.callers, (rule.list,), rule.except_lists)
        if hit is None:
            return None
        if rule.called is not None and called is None:
            self._doubt(rule.name, unread(self.facts.called))
            return None
        return self._matched(rule, hit, self._forwarded(rule, hit))

    def _ask_all(self, rule: Forwarding) -> Hit | None:
        """A hit if all numbers that are known of the caller are listed: one that is allowed must
        not open the door for another."""
        callers = self.facts.callers
        known = known_numbers(callers)
        if known:
            callers = tuple(one for one in callers if one.number in known)
        hit = None
        for party in callers:
            hit = self._ask(rule.name, (party,), (rule.list,), rule.except_lists)
            if hit is None:
                return None
        return hit

    def _forwarded(self, rule: Forwarding, hit: Hit) -> Decision:
        hangs_up = rule.action == "hangup"
        return Decision(
            rule.action,
            list=hit.list,
            entry=hit.entry,
            number=hit.number,
            read_as=hit.party.how,
            rule=rule.name,
            cause=rule.cause if hangs_up else None,
            response=rule.response if hangs_up else None,
            call_info=rule.call_info if hangs_up else None,
            redirect=None if hangs_up else rule.redirect,
            generation=hit.generation,
            rules_version=self.rules.version,
            reason=hit.why(),
        )

    # Legs that we dial

    def _dialled(self) -> Decision | None:
        rules = self._skip_rules()
        for rule in rules:
            decision = self._skip(rule)
            if decision is not None:
                return decision
        self._require_rule_of_flow()
        standing = self.screened.standing
        if standing != "in use":
            self._require_number(rules)
        if standing == "emergency":
            # A doubt must not bar it, and whom it calls back is nobody's to choose.
            self.doubts.clear()
            return None
        route = self.facts.route
        return None if self.doubts or route is None else self._present(route)

    def _skip_rules(self) -> list[SkipRule]:
        """The rules that the leg names, then the one for every outbound leg."""
        facts, rules = self.facts, self.rules
        found: list[SkipRule] = []
        if facts.campaign is not None:
            self._find("campaign", facts.campaign, rules.campaigns, found)
        if facts.queue is not None:
            self._find("queue", facts.queue, rules.queues, found)
        if facts.widget is not None:
            self._find("widget", facts.widget, rules.widgets, found)
        if rules.outbound is not None and facts.flow == "outbound":
            found.append(rules.outbound)
        return found

    def _find(
        self, kind: str, name: str, rules: Mapping[str, SkipRule], found: list[SkipRule]
    ) -> None:
        rule = rules.get(name)
        if rule is None:
            self._doubt(kind, f"the rules have no {kind} of that name")
        else:
            found.append(rule)

    def _require_rule_of_flow(self) -> None:
        """A leg nobody can attribute cannot be called free of lists."""
        facts = self.facts
        if facts.flow == "callback" and facts.queue is None:
            self._doubt("queue", "the leg names no queue")
        if facts.flow == "widget" and facts.widget is None:
            self._doubt("widget", "the leg names no widget")
        if self.rules.unnamed == "closed" and self._is_unnamed():
            self._doubt("outbound", "the leg names no campaign and no route")

    def _is_unnamed(self) -> bool:
        facts = self.facts
        return (
            facts.campaign is facts.route is facts.queue is facts.widget is None
            and facts.flow == "outbound"
        )

    def _require_number(self, rules: Sequence[SkipRule]) -> None:
        chosen = (rule.unassigned for rule in rules if rule.unassigned is not None)
        unassigned = next(chosen, self.rules.unassigned)
        problem = problem_of(self.screened, self.rules.extensions, unassigned)
        if problem is not None:
            self._doubt("called number", problem)

    def _skip(self, rule: SkipRule) -> Decision | None:
        called = (self.facts.called,)
        hit = self._ask(rule.name, called, rule.lists, rule.except_lists, rule.list_excepts)
        if hit is None:
            return None
        decision = Decision(
            "skip",
            list=hit.list,
            entry=hit.entry,
            number=hit.number,
            read_as=hit.party.how,
            rule=rule.name,
            status=rule.status,
            generation=hit.generation,
            rules_version=self.rules.version,
            reason=hit.why(),
        )
        return self._matched(rule, hit, decision)

    def _present(self, name: str) -> Decision | None:
        route = self.rules.routes.get(name)
        if route is None:
            self._doubt("route", "the rules have no route of that name")
            return None
        if route.present_from is None:
            return None
        try:
            pool = available(self.lists, route.present_from)
        except CannotTellError as doubt:
            self._doubt(route.name, str(doubt))
            return None
        return self._draw(route, route.present_from, pool)

    def _draw(self, route: Route, name: str, pool: NumberList) -> Decision | None:
        number = _full_number(pool, self.rng)
        if number is None:
            self._doubt(route.name, f"the list {name} has no number to present")
            return None
        self._step(route.name, "won", f"a random number of the list {name}")
        return Decision(
            "present",
            list=name,
            entry=number,
            number=self.screened.number,
            read_as=self.screened.how,
            rule=route.name,
            presentation_number=number,
            generation=pool.generation,
            rules_version=self.rules.version,
            reason=f"presents a random number of the list {name}",
        )

    # Asking lists

    def _ask(
        self,
        rule: str,
        parties: Sequence[Party],
        lists: tuple[str, ...],
        excepted: tuple[str, ...],
        by_list: Mapping[str, tuple[str, ...]] = _NOTHING_EXCEPTED,
    ) -> Hit | None:
        """The first party that is listed; None if none is.

        A doubt is noted when a party or a list could have made the difference.
        """
        doubt = None
        lifted = None
        for party in parties:
            if party.number is None:
                # A further identity that is no number is on no list.
                if party is self.screened and lists:
                    doubt = doubt or unread(party)
                continue
            try:
                found = ask(self.lists, party, lists, excepted, by_list)
                if found is None:
                    continue
                if excepted and party.number in (WITHHELD, WITHOUT_NUMBER):
                    found = lifted_with_its_caller(self.lists, parties, excepted) or found
            except CannotTellError as reason:
                doubt = doubt or str(reason)
                continue
            if isinstance(found, Hit):
                return found
            lifted = lifted or found
        if doubt is not None:
            self._doubt(rule, doubt)
        elif lifted is not None:
            self.lifted = self.lifted or lifted
            self._step(rule, "no match", lifted.why)
        elif self.steps is not None:
            names = ", ".join(lists) or "no list"
            self._step(rule, "no match", f"the number is not on {names}")
        return None

    def _matched(
        self, rule: Forwarding | SkipRule, hit: Hit, decision: Decision
    ) -> Decision | None:
        """The decision of a rule that matches, None if it only marks."""
        if self.steps is not None:
            why = f"{hit.why()} as {hit.entry}"
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


def _full_number(pool: NumberList, rng: random.Random) -> str | None:
    """A random number that a caller can call back: never an extension or a short number."""
    for _ in range(_DRAWS):
        number = pool.random(rng)
        if number is None or number.startswith("+"):
            return number
    return None


def _covers(entries: tuple[str, ...], number: str) -> bool:
    """Whether one of `entries` (exact numbers and prefixes such as `+4822*`) covers `number`."""
    return any(
        number.startswith(entry[:-1]) if _is_prefix(entry) else number == entry for entry in entries
    )


def _is_prefix(entry: str) -> bool:
    return entry.startswith("+") and entry.endswith("*")
