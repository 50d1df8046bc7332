"""The rules file: the document of the design is read, and every mistake is named by its path."""

from __future__ import annotations

from importlib.resources import files
from ipaddress import ip_network

import pytest

from screening import Rules, RulesError, parse_rules
from screening.rules import Forwarding, Gateway, Route, SkipRule

LISTS = ("Default", "VIP", "Opt-outs", "No callbacks", "Our numbers")
DOCUMENT = """
default_region = "PL"
trusted_addresses = ["192.0.2.1", "2001:db8::/32"]

[[forwarding]]
list = "Default"
called = ["+48221234567", "+4822*"]
action = "hangup"
cause = "USER_BUSY"
except = ["VIP"]

[[forwarding]]
list = "Default"
action = "redirect"
redirect = "sip:voicemail@example.com:5060;transport=tcp"

[[forwarding]]
list = "Default"
action = "hangup"
response = 608
call_info = "https://example.com/card.jws"

[[forwarding]]
list = "Default"
action = "redirect"
bridge = "sofia/gateway/berlin/+493012345"
enforce = false

[campaign."Spring sale"]
lists = ["Default", "Opt-outs"]
status = "Do not call"
enforce = false

[queue."Infoline"]
callback_lists = ["No callbacks"]

[widget."Home page"]
callback_lists = []

[route."Poland"]
present_from = "Our numbers"

[gateway.berlin]
region = "DE"
addresses = ["198.51.100.0/24"]
trusted = true

[fail]
inbound = "closed"
"""


def read_entry(text: str, region: str | None) -> str:
    if not text.startswith("+"):
        raise ValueError(f"expected a number, found {text!r} in {region}")
    return text


def check_region(code: str) -> str:
    if code.upper() not in ("PL", "DE"):
        raise ValueError(f"expected a region, found {code!r}")
    return code.upper()


def parse(document: str) -> Rules:
    return parse_rules(document, LISTS, read_entry, check_region)


def test_the_document_of_the_design() -> None:
    rules = parse(DOCUMENT)
    assert rules == Rules(
        default_region="PL",
        forwardings=(
            Forwarding(
                "forwarding[1]",
                "Default",
                "hangup",
                ("+48221234567", "+4822*"),
                cause="USER_BUSY",
                except_lists=("VIP",),
            ),
            Forwarding(
                "forwarding[2]",
                "Default",
                "redirect",
                redirect="sip:voicemail@example.com:5060;transport=tcp",
            ),
            Forwarding(
                "forwarding[3]",
                "Default",
                "hangup",
                cause=None,
                response=608,
                call_info="https://example.com/card.jws",
            ),
            Forwarding(
                "forwarding[4]",
                "Default",
                "redirect",
                redirect="sofia/gateway/berlin/+493012345",
                enforce=False,
            ),
        ),
        campaigns={
            "Spring sale": SkipRule(
                'campaign."Spring sale"',
                ("Default", "Opt-outs"),
                status="Do not call",
                enforce=False,
            )
        },
        queues={"Infoline": SkipRule('queue."Infoline"', ("No callbacks",), status="Blacklist")},
        widgets={"Home page": SkipRule('widget."Home page"', ())},
        routes={"Poland": Route('route."Poland"', "Our numbers")},
        gateways={"berlin": Gateway("DE", (ip_network("198.51.100.0/24"),), trusted=True)},
        trusted_addresses=(ip_network("192.0.2.1"), ip_network("2001:db8::/32")),
        fail={"inbound": "closed", "outbound": "closed", "callback": "closed", "widget": "closed"},
    )


def test_an_empty_document_screens_nothing() -> None:
    assert parse("") == Rules()


def test_the_sample_store_has_good_rules() -> None:
    sample = files("callsieve").joinpath("sample_store", "callsieve.toml").read_text("utf-8")
    assert parse_rules(sample, None, read_entry, check_region).forwardings


HANGUP = "[[forwarding]]\nlist='Default'\naction='hangup'\n"
REDIRECT = "[[forwarding]]\nlist='Default'\naction='redirect'\n"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("colour = 1", "colour: unknown key, expected one of: default_region, forwarding,"),
        ("default_region = 'XX'", "default_region: expected a region, found 'XX'"),
        ("default_region = 48", "default_region: expected a region code, got 48"),
        ("forwarding = 1", "forwarding: expected [[forwarding]] tables, got 1"),
        ("forwarding = [1]", "forwarding[1]: expected a table, got 1"),
        ("[[forwarding]]\naction='hangup'", "forwarding[1].list: expected the name of a list"),
        (
            "[[forwarding]]\nlist='Defualt'\naction='hangup'",
            "forwarding[1].list: expected the name of a list (Default, No callbacks, Opt-outs, "
            "Our numbers, VIP), got 'Defualt'",
        ),
        (
            "[[forwarding]]\nlist='Default'\naction='redirect'\nredirect=''",
            "forwarding[1].redirect: expected a number, an extension or a SIP URI, got ''",
        ),
        (
            "[[forwarding]]\nlist='Default'\naction='redirect'",
            "forwarding[1].redirect: expected a number, an extension or a SIP URI, got nothing",
        ),
        (
            f"{HANGUP}response=302",
            "forwarding[1].response: expected a SIP response, 400 to 699 but 401 and 407, got 302",
        ),
        (f"{HANGUP}response=407", "forwarding[1].response: expected a SIP response, 400 to"),
        (f"{HANGUP}response=700", "forwarding[1].response: expected a SIP response, 400 to"),
        (f"{HANGUP}response=true", "forwarding[1].response: expected a SIP response, 400 to"),
        (
            f"{HANGUP}response=603\ncause='USER_BUSY'",
            "forwarding[1].response: expected no response beside a cause, got 603",
        ),
        (
            f"{HANGUP}response=608",
            "forwarding[1].call_info: expected an https URL beside response = 608, and only there",
        ),
        (
            f"{HANGUP}response=607\ncall_info='https://example.com/'",
            "forwarding[1].call_info: expected an https URL beside response = 608, and only there",
        ),
        (
            f"{HANGUP}response=608\ncall_info='https://example.com/${{x}}'",
            "forwarding[1].call_info: expected an https URL, got 'https://example.com/${x}'",
        ),
        (
            f"{HANGUP}bridge='user/1000'",
            "forwarding[1].bridge: expected no bridge beside action = 'hangup', got 'user/1000'",
        ),
        (
            f"{REDIRECT}redirect='1000'\nbridge='user/1000'",
            "forwarding[1].bridge: expected no bridge beside redirect, got 'user/1000'",
        ),
        *(
            (
                f"{REDIRECT}bridge='{text}'",
                "forwarding[1].bridge: expected a dial string such as sofia/gateway/NAME/NUMBER",
            )
            for text in ("1000", "user/1000,user/1001", "user/${x}", "{a=b}user/1", "user/1|user/2")
        ),
        (f"{HANGUP}enforce='no'", "forwarding[1].enforce: expected true or false, got 'no'"),
        (
            "[[forwarding]]\nlist='Default'\naction='redirect'\nredirect='1000 XML public'",
            "forwarding[1].redirect: expected a number,",
        ),
        (
            "[[forwarding]]\nlist='Default'\naction='redirect'\nredirect='sip:${x}@example.com'",
            "forwarding[1].redirect: expected a number,",
        ),
        (
            "[[forwarding]]\nlist='Default'\naction='hangup'\nredirect='1000'",
            "forwarding[1].redirect: expected no redirect beside action = 'hangup', got '1000'",
        ),
        (
            "[[forwarding]]\nlist='Default'\naction='redirect'\nredirect='1'\ncause='USER_BUSY'",
            "forwarding[1].cause: expected no cause beside action = 'redirect'",
        ),
        ("[[forwarding]]\nlist='Default'", "forwarding[1].action: expected 'hangup' or 'redirect'"),
        (
            "[[forwarding]]\nlist='Default'\naction='hangup'\ncause='BUSY'",
            "forwarding[1].cause: expected a FreeSWITCH hang-up cause such as CALL_REJECTED, "
            "got 'BUSY'",
        ),
        (
            "[[forwarding]]\nlist='Default'\naction='hangup'\ncalled=[]",
            "forwarding[1].called: expected at least one number (leave it out for all), got []",
        ),
        (
            "[[forwarding]]\nlist='Default'\naction='hangup'\ncalled=['22', 5]",
            "forwarding[1].called[1]: expected a number, found '22'",
        ),
        (
            "[[forwarding]]\nlist='Default'\naction='hangup'\ncalled=['22', 5]",
            "forwarding[1].called[2]: expected a number, got 5",
        ),
        ("[campaign.x]", 'campaign."x".lists: expected a list of list names, got nothing'),
        ("[campaign.x]\nlists='Default'", 'campaign."x".lists: expected a list of list names'),
        ("[campaign.x]\nlists=['No']", 'campaign."x".lists[1]: expected the name of a list'),
        ("[campaign.x]\nlists=[]\nstatus=''", 'campaign."x".status: expected a status of 1 to'),
        ("[campaign.x]\nlists=[]\nstatus='${a}'", 'campaign."x".status: expected a status of 1'),
        ('[campaign."a\\nb"]\nlists=[]', 'campaign."a\\nb": expected a name of 1 to 100'),
        ("campaign = 3", "campaign: expected a table, got 3"),
        ("[queue.x]\nlists=[]", 'queue."x".lists: unknown key, expected one of: callback_lists'),
        ("[route.x]", 'route."x".present_from: expected the name of a list'),
        ("[gateway.x]\ntrusted=1", 'gateway."x".trusted: expected true or false, got 1'),
        ("[gateway.x]\ntrusted=true", 'gateway."x".addresses: expected the gateway\'s addresses'),
        ("trusted_addresses=['10.0.0.1/8']", "trusted_addresses[1]: expected an IP address or"),
        ("fail = 'open'", "fail: expected a table, got 'open'"),
        ("[fail]\ninbound='shut'", "fail.inbound: expected 'open' or 'closed', got 'shut'"),
        ("[fail]\ninbuond='open'", "fail.inbuond: unknown key, expected one of: inbound,"),
        ("a = [", "rules: expected TOML, got "),
        ("a = 1\na = 2", "rules: expected TOML, got "),
    ],
)
def test_a_mistake_is_named_by_its_path(document: str, problem: str) -> None:
    with pytest.raises(RulesError) as caught:
        parse(document)
    assert any(line.startswith(problem) for line in caught.value.problems), caught.value.problems


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RulesError) as caught:
        parse("colour = 1\n[fail]\ninbound = 'shut'\n[[forwarding]]\nlist = 'No'")
    assert len(caught.value.problems) == 4
    assert str(caught.value).count("\n") == 3


def test_a_document_of_any_size_is_bounded() -> None:
    with pytest.raises(RulesError, match="at most"):
        parse("# " + "x" * 5_000_000)
