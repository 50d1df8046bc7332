"""Each sentence of the operator's manual, and what the manual leaves open."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from screening import (
    CallFacts,
    Decision,
    Flow,
    Lists,
    Party,
    Rules,
    Standing,
    Step,
    UnavailableList,
    decide,
)
from screening.extensions import read_extensions
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


STANDINGS: dict[str | None, Standing] = {
    None: "unreadable",
    "anonymous": "withheld",
    "1000": "short",
    "2000": "short",
    "112": "emergency",
}


def party(number: str | None, source: str = "number", **more: Any) -> Party:
    standing = more.pop("standing", STANDINGS.get(number, "in use"))
    return Party(source, str(number), number, "as given", standing, **more)


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
    "neither campaign nor route": leg("outbound", OTHER),
    "extension that the rules do not allow": leg("callback", "2000", queue="Infoline"),
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
        read_as="as given",
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


# What is known of the called number


def called(standing: Standing, number: str | None = OTHER, **named: Any) -> CallFacts:
    within = named.pop("within", ())
    return CallFacts(
        named.pop("flow", "outbound"),
        (),
        party(number, "called number", standing=standing, within=within),
        **named or {"campaign": "Plain"},
    )


NOT_UNDERSTOOD: dict[Standing, str] = {
    "unassigned": "the called number is in no range that is in use, by the numbering plan",
    "impossible": "the called number cannot exist, by the numbering plan",
    "short": "the called number is no full number, nor an extension or short number that the rules "
    "allow",
    "unreadable": "the called number cannot be read: as given",
}
NAMED: dict[Flow, dict[str, str]] = {
    "outbound": {"campaign": "Free"},
    "callback": {"queue": "Infoline"},
    "widget": {"widget": "Home"},
}


@pytest.mark.parametrize("flow", NAMED)
@pytest.mark.parametrize("standing", NOT_UNDERSTOOD)
def test_a_number_that_nobody_understands_is_not_dialled(flow: Flow, standing: Standing) -> None:
    number = None if standing == "unreadable" else OTHER
    decision = run(called(standing, number, flow=flow, **NAMED[flow]))
    assert (decision.action, decision.status) == ("skip", "Screening unavailable")
    assert decision.reason == f"{NOT_UNDERSTOOD[standing]}; {flow} fails closed"


@pytest.mark.parametrize("standing", NOT_UNDERSTOOD)
def test_a_number_that_is_listed_is_skipped_whatever_it_is(standing: Standing) -> None:
    assert run(called(standing, LISTED)).list == "Default"


def test_extensions_that_the_rules_allow_are_dialled_unless_they_are_listed() -> None:
    masks = tuple(found for text in ("1XXX", "20-29") if (found := read_extensions(text)))
    rules = replace(RULES, extensions=masks)
    for number in ("1000", "1999", "20", "29"):
        assert run(called("short", number), rules).action == "continue"
    for number in ("2000", "100", "10000", "30", "*30", "+1000"):
        assert run(called("short", number), rules).action == "skip"
    listed = run(called("short", "1000", flow="callback", queue="Infoline"), rules)
    assert (listed.action, listed.list) == ("skip", "Extensions")


@pytest.mark.parametrize(
    ("rules", "named", "dialled"),
    [
        (replace(RULES, unassigned="dial"), {"campaign": "Plain"}, True),
        (RULES, {"campaign": "Eager"}, True),
        (replace(RULES, unassigned="dial"), {"campaign": "Strict"}, False),
        (replace(RULES, outbound=SkipRule("outbound", (), unassigned="dial")), {}, True),
        (replace(RULES, outbound=SkipRule("outbound", ())), {"campaign": "Plain"}, False),
    ],
)
def test_a_number_in_no_range_is_dialled_where_the_rules_say_so(
    rules: Rules, named: dict[str, str], dialled: bool
) -> None:
    """The campaign's word goes before that of the rules at large."""
    campaigns = {
        **rules.campaigns,
        "Eager": SkipRule("campaign.Eager", ("Default",), unassigned="dial"),
        "Strict": SkipRule("campaign.Strict", ("Default",), unassigned="cannot tell"),
    }
    rules = replace(rules, campaigns=campaigns, unnamed="open")
    decision = run(CallFacts("outbound", (), party(OTHER, standing="unassigned"), **named), rules)
    assert decision.action == ("continue" if dialled else "skip")
    assert "in no range that is in use, by the numbering plan" in decision.reason


@pytest.mark.parametrize(
    "named",
    [{}, {"campaign": "Typo"}, {"campaign": "Gone"}, {"route": "Poland"}, {"route": "None"}],
)
def test_no_doubt_bars_an_emergency_number_and_none_is_presented_to_it(
    named: dict[str, str],
) -> None:
    campaigns = {**RULES.campaigns, "Gone": SkipRule("campaign.Gone", ("Not loaded",))}
    facts = CallFacts("outbound", (), party("112"), **named)
    decision = run(facts, replace(RULES, campaigns=campaigns))
    assert (decision.action, decision.presentation_number) == ("continue", None)
    assert decision.reason == "the called number is an emergency number"


def test_digits_that_hold_a_listed_number_are_not_dialled() -> None:
    decision = run(called("in use", "+60100200220", within=("+48601000111", LISTED)))
    assert decision.action == "skip"
    assert decision.reason.startswith(
        "the called number may be one of the list Default, with digits before or behind it"
    )
    # A prefix of many numbers is found in many a number by chance.
    assert run(called("in use", OTHER, within=("+48700555666",))).action == "continue"


# Rules for every outbound leg


EVERY = replace(RULES, outbound=SkipRule("outbound", ("Default",), status="Never"), unnamed="open")


@pytest.mark.parametrize("named", [{}, {"campaign": "Free"}, {"route": "Poland"}])
def test_the_lists_for_every_outbound_leg(named: dict[str, str]) -> None:
    decision = run(CallFacts("outbound", (), party(LISTED), **named), EVERY)
    assert (decision.action, decision.rule, decision.status) == ("skip", "outbound", "Never")
    assert run(CallFacts("outbound", (), party(OTHER), **named), EVERY).action != "skip"


def test_a_campaign_comes_before_the_rule_for_every_leg() -> None:
    assert run(leg("outbound", LISTED, campaign="Plain"), EVERY).rule == "campaign.Plain"
    assert run(leg("callback", OTHER, queue="Infoline"), EVERY).action == "continue"


def test_what_names_no_rule_is_dialled_where_the_rules_say_open() -> None:
    assert run(leg("outbound", OTHER), replace(RULES, unnamed="open")).action == "continue"
    decision = run(leg("outbound", OTHER), replace(EVERY, unnamed="closed"))
    assert decision.reason == "the leg names no campaign and no route; outbound fails closed"
    assert run(leg("outbound", LISTED), replace(EVERY, unnamed="closed")).rule == "outbound"


# Exceptions


OF_ONE_LIST = SkipRule(
    "campaign.Sale", ("Opt-outs", "Registry"), list_excepts={"Registry": ("Customers",)}
)
MANY_LISTS = number_lists(
    **{"Opt-outs": ["+48600000001"], "Registry": ["+48600000001", "+48600000002"]},
    Customers=["+48600000001", "+48600000002"],
)


def sale(number: str, lists: Lists = MANY_LISTS, rule: SkipRule = OF_ONE_LIST) -> Decision:
    rules = replace(RULES, campaigns={"Sale": rule})
    return decide(leg("outbound", number, campaign="Sale"), rules, lists, random.Random(1))


def test_an_exception_of_one_list_lifts_that_list_alone() -> None:
    assert sale("+48600000001").list == "Opt-outs"
    lifted = sale("+48600000002")
    assert (lifted.action, lifted.reason) == (
        "continue",
        "the number is on the list Registry, and excepted from it by the list Customers",
    )
    assert sale("+48600000003").reason == "the number is on none of the lists"


def test_an_exception_of_the_rule_lifts_all_its_lists() -> None:
    decision = sale("+48600000001", rule=SkipRule("x", OF_ONE_LIST.lists, ("Customers",)))
    assert decision.reason == (
        "the number is on the list Opt-outs, and excepted by the list Customers"
    )


def test_an_unavailable_exception_of_one_list_leaves_the_others_their_say() -> None:
    lists = {**MANY_LISTS, "Customers": UnavailableList("damaged")}
    assert sale("+48600000001", lists).list == "Opt-outs"
    assert sale("+48600000002", lists).status == "Screening unavailable"
    assert sale("+48600000003", lists).action == "continue"


@pytest.mark.parametrize("excepted", [("Gone", "VIP"), ("VIP", "Gone")])
def test_one_exception_that_has_the_number_is_enough(excepted: tuple[str, ...]) -> None:
    rules = Rules(forwardings=(Forwarding("forwarding[1]", "Default", "hangup", None),))
    rules = replace(rules, forwardings=(replace(rules.forwardings[0], except_lists=excepted),))
    decision = run(leg("inbound", HOTLINE, "+48700111222"), rules)
    assert decision.reason == (
        "no forwarding matched: the number is on the list Default, and excepted by the list VIP"
    )
    decision = run(leg("inbound", HOTLINE, LISTED), rules)
    assert decision.reason == "the list Gone is not loaded; inbound fails open"


def test_an_excepted_number_needs_no_list_that_cannot_be_asked() -> None:
    rule = SkipRule("x", ("Gone", "Default"), ("VIP",))
    rules = replace(RULES, campaigns={"Sale": rule})
    assert run(leg("outbound", "+48700111222", campaign="Sale"), rules).action == "continue"
    assert run(leg("outbound", OTHER, campaign="Sale"), rules).action == "skip"


VIP = "+48700111222"


def test_an_excepted_caller_gets_through_when_it_asks_for_privacy() -> None:
    decision = run(leg("inbound", HOTLINE, VIP, "anonymous"))
    assert (decision.action, decision.reason) == (
        "continue",
        "no forwarding matched: the number is on the list Default, and excepted by the list VIP",
    )
    assert run(leg("inbound", HOTLINE, OTHER, "anonymous")).entry == "anonymous"


def test_an_excepted_number_does_not_open_the_door_for_another() -> None:
    assert run(leg("inbound", HOTLINE, VIP, OTHER, "anonymous")).entry == "anonymous"
    assert run(leg("inbound", HOTLINE, VIP, LISTED)).entry == LISTED


# Letting callers through


THROUGH = replace(
    RULES,
    forwardings=(
        Forwarding("Our VIPs", "VIP", "continue", cause=None),
        Forwarding("Night", "Default", "hangup"),
    ),
    version="0123456789ab",
)


@pytest.mark.parametrize("callers", [(VIP,), (VIP, "anonymous"), (VIP, None)])
def test_a_rule_lets_callers_through_and_ends_the_rules(callers: tuple[str | None, ...]) -> None:
    steps: list[Step] = []
    facts = leg("inbound", HOTLINE, *callers)
    decision = decide(facts, THROUGH, LISTS, random.Random(1), steps)
    assert brief(decision) == ("continue", "VIP", VIP, "Our VIPs")
    assert (decision.cause, decision.redirect) == (None, None)
    assert [step.outcome for step in steps] == ["won", "not reached"]


@pytest.mark.parametrize("callers", [(VIP, LISTED), (LISTED, VIP), ("anonymous",)])
def test_nobody_gets_through_by_a_number_beside_his_own(callers: tuple[str, ...]) -> None:
    decision = run(leg("inbound", HOTLINE, *callers), THROUGH)
    assert (decision.action, decision.rule) == ("hangup", "Night")


def test_receipts_name_the_rule_and_the_version_of_the_rules() -> None:
    legs = [
        leg("inbound", HOTLINE, VIP),
        leg("inbound", HOTLINE, LISTED),
        leg("inbound", HOTLINE, OTHER),
        leg("inbound", HOTLINE, None),
        leg("outbound", LISTED, campaign="Plain"),
        leg("outbound", OTHER, campaign="Typo"),
        leg("outbound", OTHER, route="Poland"),
    ]
    for facts in legs:
        decision = run(facts, THROUGH)
        assert (decision.rules_version, decision.read_as) == ("0123456789ab", "as given"), facts


# Presenting


def test_an_extension_is_never_presented() -> None:
    lists = number_lists(Pool=["1000", "1001", HOTLINE])
    rng = random.Random(1)
    drawn = {decide(leg("outbound", OTHER, route="Poland"), RULES, lists, rng) for _ in range(50)}
    assert {decision.presentation_number for decision in drawn} == {HOTLINE}
    decision = run(leg("outbound", OTHER, route="Poland"), lists=number_lists(Pool=["1000"]))
    assert (decision.action, decision.presentation_number) == ("skip", None)


def test_a_route_may_present_nothing() -> None:
    rules = replace(RULES, routes={"Trunk": Route("route.Trunk", None, ("9",))})
    assert run(leg("outbound", OTHER, route="Trunk"), rules).action == "continue"
