"""The rules file: the document of the design is read, and every mistake is named by its path."""

from __future__ import annotations

from importlib.resources import files
from ipaddress import ip_network

import pytest

from screening import Rules, RulesError, parse_rules
from screening.extensions import Extensions
from screening.rules import Forwarding, Gateway, Route, SkipRule

LISTS = ("Default", "VIP", "Opt-outs", "No callbacks", "Our numbers")
DOCUMENT = """
default_region = "PL"
trusted_addresses = ["192.0.2.1", "2001:db8::/32"]
extensions = ["1XZN", "200-249"]
unassigned = "dial"

[outbound]
lists = ["Opt-outs", {list = "Default", except = ["VIP"]}]
status = "Never"
unnamed = "closed"
unassigned = "cannot tell"

[[forwarding]]
name = "Our VIPs"
list = "VIP"
action = "continue"

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

[route."Trunk"]
strip = ["0", "00", "12345#", "0,"]

[gateway.berlin]
region = "DE"
addresses = ["198.51.100.0/24"]
trusted = true
strip = ["9"]

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
            Forwarding("Our VIPs", "VIP", "continue"),
            Forwarding(
                "forwarding[2]",
                "Default",
                "hangup",
                ("+48221234567", "+4822*"),
                cause="USER_BUSY",
                except_lists=("VIP",),
            ),
            Forwarding(
                "forwarding[3]",
                "Default",
                "redirect",
                redirect="sip:voicemail@example.com:5060;transport=tcp",
            ),
            Forwarding(
                "forwarding[4]",
                "Default",
                "hangup",
                cause=None,
                response=608,
                call_info="https://example.com/card.jws",
            ),
            Forwarding(
                "forwarding[5]",
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
        outbound=SkipRule(
            "outbound",
            ("Opt-outs", "Default"),
            status="Never",
            list_excepts={"Default": ("VIP",)},
            unassigned="cannot tell",
        ),
        unnamed="closed",
        unassigned="dial",
        extensions=(
            Extensions("1012", "1999", by_digit=True),
            Extensions("200", "249", by_digit=False),
        ),
        routes={
            "Poland": Route('route."Poland"', "Our numbers"),
            "Trunk": Route('route."Trunk"', None, ("12345#", "00", "0,", "0")),
        },
        gateways={
            "berlin": Gateway("DE", (ip_network("198.51.100.0/24"),), trusted=True, strip=("9",))
        },
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
        (
            "[[forwarding]]\nlist='Default'",
            "forwarding[1].action: expected 'hangup', 're",
        ),
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
        ("extensions = ['1XXXXXX']", "extensions[1]: expected 1 to 6 digits, where X is any"),
        ("extensions = ['_1XXX']", "extensions[1]: expected 1 to 6 digits, where X is any digit"),
        ("extensions = ['29-20']", "extensions[1]: expected 1 to 6 digits, where X is any digit"),
        ("extensions = ['1-20']", "extensions[1]: expected 1 to 6 digits, where X is any digit"),
        ("extensions = [1000]", "extensions[1]: expected a mask, got 1000"),
        ("extensions = '1XXX'", "extensions: expected a list of masks, got '1XXX'"),
        ("unassigned = 'yes'", "unassigned: expected 'dial' or 'cannot tell', got 'yes'"),
        ("outbound = 1", "outbound: expected a table, got 1"),
        ("[outbound]\nlists=['No']", "outbound.lists[1]: expected the name of a list"),
        ("[outbound]\nunnamed='shut'", "outbound.unnamed: expected 'open' or 'closed', got"),
        ("[outbound]\nname='x'", "outbound.name: unknown key, expected one of: lists, except,"),
        ("[campaign.x]\nlists=[{list='No'}]", 'campaign."x".lists[1].list: expected the name'),
        ("[campaign.x]\nlists=[{except=['VIP']}]", 'campaign."x".lists[1].list: expected the'),
        (
            "[campaign.x]\nlists=[{list='VIP', exept=['VIP']}]",
            'campaign."x".lists[1].exept: unknown key, expected one of: list, except',
        ),
        (
            "[campaign.x]\nlists=['VIP', {list='VIP'}]",
            "campaign.\"x\".lists[2]: expected each list once, got 'VIP'",
        ),
        ("[campaign.x]\nlists=[1]", 'campaign."x".lists[1]: expected a list name, got 1'),
        (f"{HANGUP}name=''", "forwarding[1].name: expected a name of 1 to 100 printable"),
        (f"{HANGUP}name='forwarding[2]'", "forwarding[1].name: expected a name of 1 to 100"),
        (
            f"{HANGUP}name='Night'\n{HANGUP}name='Night'",
            "forwarding[2].name: expected a name of its own, got 'Night'",
        ),
        *(
            (
                f"[[forwarding]]\nlist='Default'\naction='continue'\n{key}={value}",
                f"forwarding[1].{key}: expected no {key} beside action = 'continue', got",
            )
            for key, value in (
                ("cause", "'USER_BUSY'"),
                ("response", "603"),
                ("redirect", "'1000'"),
                ("bridge", "'user/1000'"),
            )
        ),
        ("[route.x]\nstrip=['a']", 'route."x".strip[1]: expected 1 to 16 of 0-9 * # + and'),
        ("[route.x]\nstrip=['']", 'route."x".strip[1]: expected 1 to 16 of 0-9 * # + and the'),
        ("[gateway.x]\nstrip=[9]", 'gateway."x".strip[1]: expected a prefix, got 9'),
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


def test_lists_for_every_outbound_leg_decide_also_for_those_that_name_no_rule() -> None:
    """Unless they are said to be closed; without lists nobody has said what may be dialled."""
    assert parse("").unnamed == "closed"
    assert parse("[outbound]\nstatus='Never'").unnamed == "closed"
    assert parse("[outbound]\nlists=['Default']").unnamed == "open"
    assert parse("[outbound]\nlists=['Default']\nunnamed='closed'").unnamed == "closed"
    assert parse("[outbound]\nunnamed='open'").unnamed == "open"


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RulesError) as caught:
        parse("colour = 1\n[fail]\ninbound = 'shut'\n[[forwarding]]\nlist = 'No'")
    assert len(caught.value.problems) == 4
    assert str(caught.value).count("\n") == 3


def test_a_document_of_any_size_is_bounded() -> None:
    with pytest.raises(RulesError, match="at most"):
        parse("# " + "x" * 5_000_000)
