"""Each sentence of the operator's manual, and what the manual leaves open."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from screening import (
    CallFacts,
    Decision,
    Flow,
    Lists,
    Party,
    Rules,
    Step,
    UnavailableList,
    decide,
)
from screening.rules import DEFAULT_FAIL_POLICY, Forwarding, Route, SkipRule
from tests.support.number_lists import number_lists

HOTLINE = "+48221234567"
LISTED = "+48600100200"
OTHER = "+48601000111"

LISTS = number_lists(
    Default=[LISTED, "+48700*", "anonymous"],
    VIP=["+48700111222"],
    Pool=["+48221234567", "+48221234568"],
    Empty=[],
    Extensions=["1000"],
)
RULES = Rules(
    forwardings=(
        Forwarding("forwarding[1]", "Default", "hangup", (HOTLINE,), except_lists=("VIP",)),
        Forwarding("forwarding[2]", "Default", "redirect", ("+4822999*",), redirect="1000"),
    ),
    campaigns={
        "Spring": SkipRule("campaign.Spring", ("Empty", "Default"), ("VIP",), "Do not call"),
        "Plain": SkipRule("campaign.Plain", ("Default",)),
        "Free": SkipRule("campaign.Free", ()),
    },
    queues={"Infoline": SkipRule("queue.Infoline", ("Default", "Extensions"))},
    widgets={"Home": SkipRule("widget.Home", ("Default",))},
    routes={"Poland": Route("route.Poland", "Pool"), "None": Route("route.None", "Empty")},
)


def party(number: str | None, source: str = "number") -> Party:
    return Party(source, str(number), number, "as given")


def leg(flow: Flow, called: str | None = HOTLINE, *callers: str | None, **named: str) -> CallFacts:
    return CallFacts(
        flow, tuple(party(number) for number in callers or (OTHER,)), party(called), **named
    )


def run(facts: CallFacts, rules: Rules = RULES, lists: Lists = LISTS) -> Decision:
    return decide(facts, rules, lists, random.Random(1))


def brief(decision: Decision) -> tuple[str | None, ...]:
    return decision.action, decision.list, decision.entry, decision.rule


def test_hang_up_on_a_listed_caller_of_the_bound_number() -> None:
    decision = run(leg("inbound", HOTLINE, LISTED))
    assert brief(decision) == ("hangup", "Default", LISTED, "forwarding[1]")
    assert (decision.cause, decision.generation) == ("CALL_REJECTED", 1)
    assert decision.number == LISTED


def test_redirect_a_listed_caller() -> None:
    decision = run(leg("inbound", "+48229990001", LISTED))
    assert brief(decision) == ("redirect", "Default", LISTED, "forwarding[2]")
    assert (decision.redirect, decision.cause) == ("1000", None)


@pytest.mark.parametrize(
    "facts",
    [
        leg("inbound", HOTLINE, OTHER),
        leg("inbound", "+48221234568", LISTED),
        leg("inbound", "112", LISTED),
        leg("inbound", HOTLINE, "+48700111222"),
        leg("outbound", OTHER, campaign="Spring"),
        leg("outbound", "+48700111222", campaign="Spring"),
        leg("outbound", LISTED, campaign="Free"),
        leg("outbound", LISTED),
        leg("callback", OTHER, LISTED, queue="Infoline"),
        leg("widget", OTHER, LISTED, widget="Home"),
    ],
)
def test_the_leg_goes_on(facts: CallFacts) -> None:
    assert brief(run(facts)) == ("continue", None, None, None)


@pytest.mark.parametrize(
    ("facts", "entry", "status"),
    [
        (leg("outbound", LISTED, campaign="Spring"), LISTED, "Do not call"),
        (leg("outbound", "+48700999888", campaign="Spring"), "+48700*", "Do not call"),
        (leg("outbound", LISTED, campaign="Plain"), LISTED, "Blacklist"),
        (leg("outbound", LISTED, campaign="Plain", route="Poland"), LISTED, "Blacklist"),
        (leg("callback", LISTED, queue="Infoline"), LISTED, "Blacklist"),
        (leg("callback", "1000", queue="Infoline"), "1000", "Blacklist"),
        (leg("widget", LISTED, widget="Home"), LISTED, "Blacklist"),
    ],
)
def test_a_listed_number_is_not_dialled(facts: CallFacts, entry: str, status: str) -> None:
    decision = run(facts)
    assert (decision.action, decision.entry, decision.status) == ("skip", entry, status)


@pytest.mark.parametrize("named", [{"route": "Poland"}, {"route": "Poland", "campaign": "Plain"}])
def test_a_random_number_of_the_list_is_presented(named: dict[str, str]) -> None:
    rng = random.Random(5)
    seen = {
        decide(leg("outbound", OTHER, **named), RULES, LISTS, rng).presentation_number
        for _ in range(50)
    }
    assert seen == {"+48221234567", "+48221234568"}


@pytest.mark.parametrize("callers", [("anonymous",), (OTHER, "anonymous"), (None, "anonymous")])
def test_withheld_callers_are_listed_as_anonymous(callers: tuple[str | None, ...]) -> None:
    decision = run(leg("inbound", HOTLINE, *callers))
    assert (decision.action, decision.entry, decision.number) == (
        "hangup",
        "anonymous",
        "anonymous",
    )


@pytest.mark.parametrize("callers", [(OTHER, LISTED), (LISTED, OTHER), ("+48700111222", LISTED)])
def test_no_identity_hides_another(callers: tuple[str, ...]) -> None:
    """Even an excepted one: only the listed number itself can be excepted."""
    assert run(leg("inbound", HOTLINE, *callers)).number == LISTED


def test_the_first_matching_rule_wins_and_the_explanation_says_so() -> None:
    rules = replace(
        RULES,
        forwardings=(
            Forwarding("forwarding[1]", "Default", "hangup", ("+48229990000",)),
            Forwarding("forwarding[2]", "Empty", "hangup"),
            Forwarding("forwarding[3]", "Default", "redirect", redirect="1000"),
            Forwarding("forwarding[4]", "Default", "hangup"),
        ),
    )
    steps: list[Step] = []
    facts = leg("inbound", HOTLINE, LISTED)
    decision = decide(facts, rules, LISTS, random.Random(1), steps)
    assert decision.rule == "forwarding[3]"
    assert [(step.rule, step.outcome) for step in steps] == [
        ("forwarding[1]", "no match"),
        ("forwarding[2]", "no match"),
        ("forwarding[3]", "won"),
        ("forwarding[4]", "not reached"),
    ]


NOBODY_CAN_TELL = {
    "list not loaded": {name: LISTS[name] for name in LISTS if name != "Default"},
    "list unavailable": {**LISTS, "Default": UnavailableList("its file is damaged")},
}


@pytest.mark.parametrize("lists", NOBODY_CAN_TELL.values(), ids=NOBODY_CAN_TELL)
@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (leg("inbound", HOTLINE, OTHER), "continue"),
        (leg("outbound", OTHER, campaign="Plain"), "skip"),
        (leg("callback", OTHER, queue="Infoline"), "skip"),
        (leg("widget", OTHER, widget="Home"), "skip"),
    ],
)
def test_a_list_that_cannot_be_asked_is_not_an_empty_one(
    facts: CallFacts, action: str, lists: Lists
) -> None:
    decision = run(facts, lists=lists)
    assert decision.action == action
    assert "the list Default is not" in decision.reason
    assert f"{facts.flow} fails" in decision.reason
    assert decision.rule is not None


UNANSWERABLE = {
    "caller": leg("inbound", HOTLINE, None),
    "called, and the caller is listed": leg("inbound", None, LISTED),
    "campaign": leg("outbound", OTHER, campaign="Typo"),
    "campaign's number": leg("outbound", None, campaign="Plain"),
    "queue": leg("callback", OTHER),
    "widget": leg("widget", OTHER, widget="Typo"),
    "route": leg("outbound", OTHER, route="Typo"),
    "empty pool": leg("outbound", OTHER, route="None"),
}


@pytest.mark.parametrize("policy", ["open", "closed", None])
@pytest.mark.parametrize("facts", UNANSWERABLE.values(), ids=UNANSWERABLE)
def test_what_cannot_be_answered_is_decided_by_the_fail_policy(
    facts: CallFacts, policy: str | None
) -> None:
    rules = RULES if policy is None else replace(RULES, fail={facts.flow: policy})  # type: ignore[dict-item]
    decision = run(facts, rules)
    chosen = policy or DEFAULT_FAIL_POLICY[facts.flow]
    closed = "hangup" if facts.flow == "inbound" else "skip"
    assert decision.action == ("continue" if chosen == "open" else closed)
    assert decision.reason.endswith(f"; {facts.flow} fails {chosen}")
    assert decision.presentation_number is None


def test_a_later_rule_still_decides_when_an_earlier_one_cannot() -> None:
    rules = replace(
        RULES,
        forwardings=(
            Forwarding("forwarding[1]", "Gone", "redirect", redirect="1000"),
            Forwarding("forwarding[2]", "Default", "hangup"),
        ),
    )
    assert run(leg("inbound", HOTLINE, LISTED), rules).rule == "forwarding[2]"


def test_an_unavailable_allow_list_leaves_a_listed_number_unrun() -> None:
    lists = {**LISTS, "VIP": UnavailableList("its file is damaged")}
    assert run(leg("inbound", HOTLINE, LISTED), lists=lists).action == "continue"
    decision = run(leg("outbound", LISTED, campaign="Spring"), lists=lists)
    assert (decision.action, decision.status) == ("skip", "Screening unavailable")


def test_an_unreadable_further_identity_changes_nothing() -> None:
    assert run(leg("inbound", HOTLINE, OTHER, None)).reason == "no forwarding matched"
    assert run(leg("inbound", HOTLINE, LISTED, None)).action == "hangup"


def test_a_rule_answers_with_a_sip_response() -> None:
    forwarding = Forwarding(
        "forwarding[1]",
        "Default",
        "hangup",
        cause=None,
        response=608,
        call_info="https://x.example",
    )
    decision = decide(
        leg("inbound", HOTLINE, LISTED), Rules(forwardings=(forwarding,)), LISTS, random.Random(1)
    )
    assert (decision.action, decision.cause) == ("hangup", None)
    assert (decision.response, decision.call_info) == (608, "https://x.example")


def unenforced(*positions: int) -> Rules:
    """The rules, with forwardings of these positions and the campaign Spring not enforced."""
    return replace(
        RULES,
        forwardings=tuple(
            replace(rule, enforce=position not in positions)
            for position, rule in enumerate(RULES.forwardings, 1)
        ),
        campaigns={"Spring": replace(RULES.campaigns["Spring"], enforce=False)},
    )


def test_a_rule_that_is_not_enforced_only_marks() -> None:
    steps: list[Step] = []
    facts = leg("inbound", HOTLINE, LISTED)
    decision = decide(facts, unenforced(1), LISTS, random.Random(1), steps)
    assert decision == Decision(
        "continue",
        list="Default",
        entry=LISTED,
        number=LISTED,
        rule="forwarding[1]",
        generation=decision.generation,
        marked="hangup",
        reason="the number is on the list Default, but the rule is not enforced",
    )
    assert [step.outcome for step in steps] == ["marked", "no match"]
    decision = decide(
        leg("outbound", LISTED, campaign="Spring"), unenforced(), LISTS, random.Random(1)
    )
    assert (decision.action, decision.marked) == ("continue", "skip")


def test_a_mark_takes_nothing_from_the_rules_behind_it() -> None:
    """Neither a rule that is enforced nor a doubt that fails closed."""
    rules = unenforced(1)
    rules = replace(
        rules, forwardings=(rules.forwardings[0], replace(RULES.forwardings[1], called=None))
    )
    decision = run(leg("inbound", HOTLINE, LISTED), rules)
    assert (decision.action, decision.rule, decision.marked) == (
        "redirect",
        "forwarding[2]",
        "hangup",
    )
    facts = leg("outbound", LISTED, campaign="Spring", queue="unknown")
    decision = run(facts, unenforced())
    assert (decision.action, decision.status) == ("skip", "Screening unavailable")
    assert decision.marked == "skip"
