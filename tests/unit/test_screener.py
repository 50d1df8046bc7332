"""From channel data to facts: which numbers a caller is screened by, and how they are read."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from callsieve.screener import Screener, read_facts
from esl_service.channel_data import ChannelData
from esl_service.errors import UnanswerableLegError
from lookup_core import Catalog
from screening import Rules
from screening.rules import Gateway, Route

RULES = Rules(
    default_region="PL",
    trusted_addresses=(ip_network("192.0.2.0/24"),),
    gateways={
        "berlin": Gateway("DE", (ip_network("198.51.100.7"),), trusted=True),
        "london": Gateway("GB", (ip_network("198.51.100.8"),)),
    },
)
LEG = ChannelData(
    flow="inbound",
    caller_number="600 100 200",
    called_number="221234567",
    from_user="601000111",
    network_address="203.0.113.5",
)


def callers(channel: ChannelData) -> list[str | None]:
    return [party.number for party in read_facts(channel, RULES).callers]


def test_the_asserted_number_and_from_are_both_screened() -> None:
    assert callers(LEG) == ["+48600100200", "+48601000111"]
    assert callers(LEG._replace(from_user="0048600100200")) == ["+48600100200"]
    assert callers(LEG._replace(from_user="")) == ["+48600100200"]


@pytest.mark.parametrize(
    ("address", "gateway", "expected"),
    [
        ("192.0.2.200", "", ["+48600100200"]),
        ("198.51.100.7", "", ["+49600100200"]),
        ("203.0.113.5", "berlin", ["+48600100200", "+48601000111"]),
        ("198.51.100.8", "berlin", ["+44600100200", "+44601000111"]),
        ("198.51.100.8", "", ["+44600100200", "+44601000111"]),
        ("2001:db8::1", "", ["+48600100200", "+48601000111"]),
        ("not an address", "", ["+48600100200", "+48601000111"]),
        ("", "", ["+48600100200", "+48601000111"]),
    ],
)
def test_only_an_address_makes_an_asserted_number_trusted(
    address: str, gateway: str, expected: list[str]
) -> None:
    """A gateway's name on a leg is the caller's to choose: it counts where the address agrees."""
    channel = LEG._replace(network_address=address, gateway=gateway)
    if expected[0].startswith("+49"):
        channel = channel._replace(caller_number="0600100200", from_user="0601000111")
    if expected[0].startswith("+44"):
        channel = channel._replace(caller_number="+44600100200", from_user="+44601000111")
    assert callers(channel) == expected


@pytest.mark.parametrize("text", ["anonymous", "Anonymous", "Restricted", "", "  ", "unavailable"])
def test_withheld_callers(text: str) -> None:
    assert callers(LEG._replace(caller_number=text, from_user="")) == ["anonymous"]


def test_a_caller_who_asks_for_privacy_is_withheld_and_known() -> None:
    assert callers(LEG._replace(from_user="anonymous", privacy=True)) == [
        "+48600100200",
        "anonymous",
    ]
    assert callers(LEG._replace(from_user="", privacy=True)) == ["+48600100200", "anonymous"]


@pytest.mark.parametrize(
    ("caller", "from_user", "expected"),
    [
        ("alice", "", [None, "no-number"]),
        ("alice", "bob", [None, "no-number"]),
        ("sip:alice@example.com", "sip:alice@example.com", [None, "no-number"]),
        ("no-number", "", [None, "no-number"]),
        ("alice", "600100200", [None, "+48600100200"]),
        ("600100200", "alice", ["+48600100200", None]),
        ("1000", "alice", ["1000", None]),
        ("anonymous", "alice", ["anonymous", None]),
    ],
)
def test_a_caller_without_a_number_is_one_no_identity_of_whom_is_a_number(
    caller: str, from_user: str, expected: list[str | None]
) -> None:
    assert callers(LEG._replace(caller_number=caller, from_user=from_user)) == expected


def test_the_flow_is_named_or_follows_from_the_direction() -> None:
    assert read_facts(LEG._replace(flow="callback"), RULES).flow == "callback"
    assert read_facts(LEG._replace(flow="", direction="outbound"), RULES).flow == "outbound"
    assert read_facts(LEG._replace(flow="", direction="inbound"), RULES).flow == "inbound"


@pytest.mark.parametrize("channel", [LEG._replace(flow="outbuond"), LEG._replace(region="Poland")])
def test_what_the_dialplan_misspells_has_no_answer(channel: ChannelData) -> None:
    with pytest.raises(UnanswerableLegError, match="expected"):
        read_facts(channel, RULES)


def test_a_leg_may_name_its_region() -> None:
    channel = LEG._replace(region="GB", caller_number="020 7946 0018", from_user="")
    assert callers(channel) == ["+442079460018"]


@pytest.mark.parametrize(
    ("dialled", "number", "standing"),
    [
        ("600100200", "+48600100200", "in use"),
        ("0600100200", "+48600100200", "in use"),
        ("+48100200300", "+48100200300", "unassigned"),
        ("+48123", None, "unreadable"),
        ("1000", "1000", "short"),
        ("*30", "*30", "short"),
        ("1-1-2", "112", "emergency"),
        ("", None, "unreadable"),
        ("anonymous", None, "unreadable"),
        ("alice", None, "unreadable"),
    ],
)
def test_what_is_known_of_a_number_that_we_dial(
    dialled: str, number: str | None, standing: str
) -> None:
    facts = read_facts(LEG._replace(flow="outbound", called_number=dialled), RULES)
    assert (facts.called.number, facts.called.standing) == (number, standing)
    assert facts.callers == ()


def test_a_reading_says_what_was_taken_off_in_characters_that_are_dialled() -> None:
    rules = replace(RULES, routes={"Trunk": Route("route.Trunk", None, ("12345#",))})
    leg = LEG._replace(flow="callback", route="Trunk", called_number="12345# #31#600100200")
    called = read_facts(leg, rules).called
    assert (called.number, called.original) == ("+48600100200", leg.called_number)
    assert called.how == "national number of PL, behind 12345##31#"
    inbound = read_facts(leg._replace(flow="inbound"), rules).called
    assert inbound.number != "+48600100200"


def test_digits_that_may_be_a_number_with_others_around_it_say_which() -> None:
    leg = LEG._replace(flow="outbound", called_number="600100200220")
    assert "+48600100200" in read_facts(leg, RULES).called.within
    for sure in ("+60100200220", "0060100200220", "600100200", "48600100200"):
        facts = read_facts(leg._replace(called_number=sure), RULES)
        assert facts.called.standing != "in use" or facts.called.within == ()


def test_the_screener_follows_the_catalog_and_tells_of_what_it_cannot_use(tmp_path: Path) -> None:
    problems: list[str] = []
    publisher = Catalog(tmp_path, create=True)
    screener = Screener(Catalog(tmp_path), problems.append)
    assert screener.screen(LEG).reason == "no forwarding matched"

    rules = "default_region = 'PL'\n[[forwarding]]\nlist = 'Default'\naction = 'hangup'\n"
    publisher.publish_document("rules", rules)
    assert screener.screen(LEG).reason == "the list Default is not loaded; inbound fails open"
    publisher.publish("Default", ["+48601000111"])
    assert screener.screen(LEG).generation == 1
    publisher.publish("Default", ["+48601000111"])
    assert screener.screen(LEG).generation == 2
    assert problems == []

    publisher.publish_document("rules", "written by a later version")
    decision = screener.screen(LEG)
    assert (decision.action, decision.rule) == ("hangup", "forwarding[1]")
    assert problems == [
        "rules, generation 2: rules: expected TOML, got Expected '=' after a key in a "
        "key/value pair (at line 1, column 9)"
    ]
