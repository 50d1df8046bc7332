"""What operators meet in the field, asked with `callsieve decide`; each test is a kind of case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loader.store import rules_version
from tests.support.shell import Shell, polish_shell

RULES = """
[[forwarding]]
list = "Default"
action = "hangup"
[campaign."Sale"]
lists = ["Default"]
[queue."Infoline"]
callback_lists = ["Default"]
[widget."Home"]
callback_lists = ["Default"]
"""
LISTED = "+48600100200"
CLOSED = ("skip", "Screening unavailable")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return polish_shell(tmp_path)


def with_rules(shell: Shell, rules: str = RULES, region: str | None = "PL") -> Shell:
    head = f'default_region = "{region}"\n' if region else ""
    shell.write("callsieve.toml", head + rules)
    shell.run("reload")
    return shell


def fill(shell: Shell, name: str, *numbers: str) -> None:
    if name != "Default":
        shell.run("list", "create", name)
    for number in numbers:
        shell.run("add", name, number, "--yes-really")


def decided(shell: Shell, *leg: str) -> dict[str, Any]:
    decision: dict[str, Any] = json.loads(shell.run("decide", *leg, "--json").stdout)
    return decision


def outcome(decision: dict[str, Any]) -> tuple[str, str | None]:
    return decision["action"], decision["status"]


# Digits before a listed number


@pytest.mark.parametrize("named", [("--campaign", "Sale"), ("--queue", "Infoline")])
@pytest.mark.parametrize("dialled", ["9600100200", "048600100200", "4848600100200"])
def test_a_listed_number_with_digits_before_it_is_not_dialled(
    shell: Shell, dialled: str, named: tuple[str, str]
) -> None:
    fill(with_rules(shell), "Default", LISTED)
    assert outcome(decided(shell, *named, "--called", dialled)) == CLOSED


def test_a_german_outside_line_digit_makes_no_american_number(shell: Shell) -> None:
    """0 and 0151 23456789 are the digits of 00 1 512 345 6789."""
    with_rules(shell, region="DE")
    fill(shell, "Default", "0151 23456789")
    leg = ("--campaign", "Sale", "--called")
    assert outcome(decided(shell, *leg, "0015123456789")) == CLOSED
    assert decided(shell, *leg, "0012025550123")["action"] == "continue"


def test_an_american_outside_line_digit_makes_no_indian_number(shell: Shell) -> None:
    fill(with_rules(shell, region="US"), "Default", "+12025550123")
    decision = decided(shell, "--campaign", "Sale", "--called", "912025550123")
    assert outcome(decision) == CLOSED
    assert "with digits before or behind it" in decision["reason"]


@pytest.mark.parametrize(
    "dialled",
    [
        "#31#600100200",
        "*31#600100200",
        "*67600100200",
        "*82 600 100 200",
        "0,600100200",
        "9,,#31#600100200",
    ],
)
def test_calling_features_and_pauses_are_taken_off(shell: Shell, dialled: str) -> None:
    fill(with_rules(shell), "Default", LISTED)
    decision = decided(shell, "--campaign", "Sale", "--called", dialled)
    assert (decision["action"], decision["number"], decision["list"]) == ("skip", LISTED, "Default")
    assert decision["read_as"].startswith("national number of PL, behind ")
    free = decided(shell, "--campaign", "Sale", "--called", dialled.replace("100", "101"))
    assert (free["action"], free["number"]) == ("continue", "+48600101200")


@pytest.mark.parametrize(
    ("region", "dialled", "number"),
    [
        ("AU", "1831 0412 345 678", "+61412345678"),
        ("GB", "14102079460958", "+442079460958"),
        ("US", "1167 202-555-0123", "+12025550123"),
    ],
)
def test_the_codes_of_one_country_are_known_there(
    shell: Shell, region: str, dialled: str, number: str
) -> None:
    with_rules(shell, region=region)
    assert decided(shell, "--campaign", "Sale", "--called", dialled)["number"] == number


TRUNKS = """
[route."Trunk"]
strip = ["0", "9", "12345#"]
[gateway.office]
addresses = ["192.0.2.7"]
strip = ["8"]
"""


@pytest.mark.parametrize(
    ("dialled", "leg"),
    [
        ("9600100200", ("--route", "Trunk")),
        ("048600100200", ("--route", "Trunk")),
        ("00048600100200", ("--route", "Trunk")),
        ("12345#600100200", ("--route", "Trunk")),
        ("12345#48600100200", ("--route", "Trunk")),
        ("8600100200", ("--address", "192.0.2.7")),
    ],
)
def test_what_the_rules_name_is_taken_off(shell: Shell, dialled: str, leg: tuple[str, ...]) -> None:
    fill(with_rules(shell, RULES + TRUNKS), "Default", LISTED)
    decision = decided(shell, "--campaign", "Sale", "--called", dialled, *leg)
    assert (decision["action"], decision["number"], decision["list"]) == ("skip", LISTED, "Default")


def test_a_gateway_takes_its_prefix_off_inbound_calls_too(shell: Shell) -> None:
    rules = RULES.replace("action", 'called = ["+48221234567"]\naction') + TRUNKS
    fill(with_rules(shell, rules), "Default", LISTED)
    leg = ("--caller", LISTED, "--called", "8221234567")
    assert decided(shell, *leg, "--address", "192.0.2.7")["action"] == "hangup"
    assert decided(shell, *leg, "--address", "192.0.2.8")["action"] == "continue"


@pytest.mark.parametrize("dialled", ["112", "999", "9112"])
def test_emergency_numbers_are_dialled_as_they_are(shell: Shell, dialled: str) -> None:
    """Nothing is taken off them, and behind an outside-line digit they are what they are."""
    with_rules(shell, RULES + TRUNKS)
    leg = ("--campaign", "Sale", "--route", "Trunk", "--called", dialled)
    assert decided(shell, *leg)["action"] == "continue"


# Numbers that nobody understands


@pytest.mark.parametrize("flow", ["outbound", "callback", "widget"])
def test_a_leg_without_a_called_number_cannot_be_asked_about(shell: Shell, flow: str) -> None:
    with_rules(shell)
    result = shell.run("decide", "--flow", flow, "--campaign", "Sale", "--called", " ", code=2)
    assert "--called: expected the number that is dialled, found none" in result.output


@pytest.mark.parametrize(
    ("called", "reason"),
    [
        ("1000", "no full number, nor an extension or short number that the rules allow"),
        ("*30", "no full number, nor an extension or short number that the rules allow"),
        ("alice", "the called number cannot be read"),
        ("anonymous", "the called number cannot be read: no number"),
        ("+48123", "the called number cannot"),
        ("+48500900100900", "the called number cannot exist, by the numbering plan"),
        ("+48100200300", "the called number is in no range that is in use, by the numbering plan"),
    ],
)
def test_what_is_no_number_in_use_is_not_dialled(shell: Shell, called: str, reason: str) -> None:
    decision = decided(with_rules(shell), "--campaign", "Sale", "--called", called)
    assert outcome(decision) == CLOSED
    assert reason in decision["reason"]


def test_extensions_and_ranges_not_in_use_are_dialled_where_the_rules_say_so(shell: Shell) -> None:
    rules = 'extensions = ["1XXX", "19115"]\nunassigned = "dial"\n' + RULES
    with_rules(shell, rules)
    for called in ("1000", "19115"):
        assert decided(shell, "--campaign", "Sale", "--called", called)["action"] == "continue"
    decision = decided(shell, "--campaign", "Sale", "--called", "+48100200300")
    assert decision["action"] == "continue"
    assert "in no range that is in use, by the numbering plan" in decision["reason"]


NO_REGION = "national number and no region to read it in"


def test_a_national_number_without_a_region_is_nobodys(shell: Shell) -> None:
    fill(with_rules(shell, region=None), "Default", LISTED)
    decision = decided(shell, "--campaign", "Sale", "--called", "600100200")
    assert outcome(decision) == CLOSED
    assert decision["reason"] == (
        f"the called number cannot be read: {NO_REGION}; outbound fails closed"
    )
    decision = decided(shell, "--caller", "600100200", "--called", "+48221234567")
    assert (decision["action"], decision["number"]) == ("continue", None)
    assert decision["reason"] == (
        f"the caller number cannot be read: {NO_REGION}; inbound fails open"
    )
    assert decided(shell, "--caller", LISTED, "--called", "1")["action"] == "hangup"
    assert decided(shell, "--campaign", "Sale", "--called", "0048600100200")["list"] == "Default"


# Legs that name no rule, and rules for every leg


def test_a_leg_that_names_no_rule_is_not_dialled(shell: Shell) -> None:
    with_rules(shell)
    leg = ("--flow", "outbound", "--called", "+48601000111")
    decision = decided(shell, *leg)
    assert outcome(decision) == CLOSED
    assert decision["reason"] == "the leg names no campaign and no route; outbound fails closed"
    assert outcome(decided(shell, *leg, "--campaign", "Slae")) == CLOSED
    with_rules(shell, RULES + '[outbound]\nunnamed = "open"\n')
    assert decided(shell, *leg)["action"] == "continue"


def test_lists_for_every_outbound_leg(shell: Shell) -> None:
    fill(shell, "Opt-outs", "+48601000111")
    with_rules(shell, RULES + '[outbound]\nlists = ["Opt-outs"]\nstatus = "Do not call"\n')
    for named in ((), ("--campaign", "Sale")):
        leg = ("--flow", "outbound", "--called", "601000111", *named)
        decision = decided(shell, *leg)
        assert (decision["rule"], decision["status"]) == ("outbound", "Do not call")
    assert decided(shell, "--flow", "outbound", "--called", "601000112")["action"] == "continue"


# Exceptions


def test_customers_may_be_called_though_registered_but_not_if_they_opted_out(shell: Shell) -> None:
    fill(shell, "Opt-outs", "+48600000001")
    fill(shell, "Registry", "+48600000001", "+48600000002")
    fill(shell, "Customers", "+48600000001", "+48600000002")
    with_rules(
        shell,
        '[campaign."Sale"]\nlists = ["Opt-outs", {list = "Registry", except = ["Customers"]}]\n',
    )
    assert decided(shell, "--campaign", "Sale", "--called", "600000001")["list"] == "Opt-outs"
    decision = decided(shell, "--campaign", "Sale", "--called", "600000002")
    assert (decision["action"], decision["reason"]) == (
        "continue",
        "the called number is on the list Registry, and excepted from it by the list Customers",
    )
    decision = decided(shell, "--campaign", "Sale", "--called", "600000003")
    assert decision["reason"] == "the called number is on none of the lists"


def test_an_excepted_caller_may_ask_for_privacy(shell: Shell) -> None:
    fill(shell, "VIP", "+48600000009")
    fill(shell, "Default", "anonymous")
    with_rules(shell, RULES.replace("action", 'except = ["VIP"]\naction'))
    leg = ("--called", "+48221234567", "--privacy", "--caller")
    assert decided(shell, *leg, "+48600000009")["action"] == "continue"
    assert decided(shell, *leg, "+48600000008")["action"] == "hangup"
    forged = (*leg, "+48600000009", "--from-user", "+48600000008")
    assert decided(shell, *forged)["action"] == "hangup"


def test_vips_get_through_once_for_all_rules(shell: Shell) -> None:
    fill(shell, "VIP", "+48600000009")
    fill(shell, "Default", "+48600*")
    with_rules(
        shell,
        f'[[forwarding]]\nname = "VIPs"\nlist = "VIP"\naction = "continue"\n{RULES}',
    )
    decision = decided(shell, "--caller", "600000009", "--called", "1")
    assert (decision["action"], decision["rule"], decision["list"]) == ("continue", "VIPs", "VIP")
    assert decided(shell, "--caller", "600000008", "--called", "1")["action"] == "hangup"


# What the caller chooses, and what the receipt says


def test_the_name_of_a_gateway_in_the_request_chooses_nothing(shell: Shell) -> None:
    """+49 600100200 and +48 600100200 are two lines; by name alone it stays the region's."""
    gateway = '[gateway.berlin]\nregion = "DE"\naddresses = ["192.0.2.7"]\n'
    fill(with_rules(shell, RULES + gateway), "Default", LISTED)
    leg = ("--caller", "600100200", "--called", "1", "--gateway", "berlin", "--address")
    assert decided(shell, *leg, "203.0.113.9")["action"] == "hangup"
    assert decided(shell, *leg, "192.0.2.7")["number"].startswith("+49")


def test_the_receipt_names_the_rule_its_version_and_how_the_number_was_read(shell: Shell) -> None:
    rules = RULES.replace("list", 'name = "Night"\nlist', 1)
    fill(with_rules(shell, rules), "Default", LISTED)
    decision = decided(shell, "--caller", "0048600100200", "--called", "1")
    text = (shell.directory / "callsieve.toml").read_text()
    assert decision["rule"] == "Night"
    assert decision["rules_version"] == rules_version(text)
    assert decision["read_as"] == "international number after the international prefix of PL"


@pytest.mark.parametrize("written", ["221234567", "0221234567", "0-22 123 45 67"])
def test_a_forwarding_for_a_number_in_national_spelling_matches(shell: Shell, written: str) -> None:
    """Also with the trunk 0 that Poland gave up in 2011."""
    rules = RULES.replace("action", f'called = ["{written}"]\naction')
    fill(with_rules(shell, rules), "Default", LISTED)
    assert decided(shell, "--caller", LISTED, "--called", "+48221234567")["action"] == "hangup"


# Presented numbers


POOL = '[route."Poland"]\npresent_from = "Ours"\n'


def test_a_list_that_is_presented_from_takes_full_numbers_in_use_alone(
    shell: Shell, tmp_path: Path
) -> None:
    fill(shell, "Ours", "+48221234567")
    with_rules(shell, RULES + POOL)
    for number in ("1000", "+48221*", "+48100200300"):
        added = shell.run("add", "Ours", number, "--yes-really", code=2)
        assert 'expected a full number in use, for route."Poland" presents' in added.output
    file = tmp_path / "ours.csv"
    file.write_text("+48221234568\n1000\n+48221*\n+48100200300\n")
    shell.run("import", "Ours", str(file), "--yes-really", code=3)
    assert len(shell.published("Ours").snapshot) == 2


def test_rules_do_not_present_from_a_list_with_other_entries(shell: Shell) -> None:
    with_rules(shell)
    fill(shell, "Ours", "+48221234567", "1000", "1001", "1002", "1003")
    shell.write("callsieve.toml", f'default_region = "PL"\n{RULES}{POOL}')
    problem = (
        "route.\"Poland\".present_from: expected full numbers in use in the list 'Ours', found "
        "'1000', '1001', '1002' and 1 more"
    )
    assert problem in shell.run("reload", code=2).output
    leg = ("--route", "Poland", "--called", "+48601000111")
    assert decided(shell, *leg)["presentation_number"] is None
