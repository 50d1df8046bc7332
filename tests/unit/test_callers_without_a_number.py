"""The entry `no-number`: whom it stands for at every leg, and who has an entry of his own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from callsieve.kamailio import plugin
from callsieve.screener import Screener
from esl_service.channel_data import ChannelData
from lookup_core import Catalog
from tests.support.kemi import FakeKemi
from tests.support.shell import HANGUP_RULES, Shell, hangup_shell

HOTLINE = "+48221234567"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = hangup_shell(tmp_path)
    shell.run("add", "Default", "No-Number")
    return shell


def by_decide(shell: Shell, caller: str) -> tuple[object, ...]:
    output = shell.run("decide", "--caller", caller, "--called", HOTLINE, "--json").output
    found = json.loads(output)
    return found["action"], found["entry"], found["number"]


def in_process(shell: Shell, caller: str) -> tuple[object, ...]:
    screener = Screener(Catalog(shell.directory / "snapshots"), pytest.fail)
    leg = ChannelData(flow="inbound", caller_number=caller, from_user=caller, called_number=HOTLINE)
    found = screener.screen(leg)
    return found.action, found.entry, found.number


def by_kamailio(shell: Shell, caller: str) -> tuple[object, ...]:
    kemi = FakeKemi({"$fu": f"sip:{caller}@192.0.2.9", "$ru": f"sip:{HOTLINE}@192.0.2.1"})
    found = plugin(kemi, f"csv:{shell.directory}").decide()
    return found["action"], found.get("entry"), found.get("number")


LEGS = pytest.mark.parametrize("leg", [by_decide, in_process, by_kamailio])
Leg = Callable[[Shell, str], tuple[object, ...]]


@LEGS
@pytest.mark.parametrize("caller", ["alice", "sipvicious", "no-number", "x" * 300, "1+1"])
def test_a_caller_whose_identity_is_no_number_is_listed(
    shell: Shell, leg: Leg, caller: str
) -> None:
    assert leg(shell, caller) == ("hangup", "no-number", "no-number")


@LEGS
@pytest.mark.parametrize(
    ("caller", "number"),
    [("600100200", "+48600100200"), ("1000", "1000"), ("anonymous", "anonymous")],
)
def test_a_number_an_extension_and_a_withheld_caller_are_not(
    shell: Shell, leg: Leg, caller: str, number: str
) -> None:
    assert leg(shell, caller) == ("continue", None, number)


@LEGS
def test_a_national_number_in_no_region_is_a_number_all_the_same(shell: Shell, leg: Leg) -> None:
    shell.write("callsieve.toml", HANGUP_RULES.replace('default_region = "PL"\n', ""))
    shell.run("reload")
    assert leg(shell, "600100200") == ("continue", None, None)


@LEGS
def test_an_exception_for_them_holds(shell: Shell, leg: Leg) -> None:
    shell.run("add", "VIP", "no-number")
    assert leg(shell, "alice")[0] == "continue"


@LEGS
def test_without_the_entry_they_are_as_before(shell: Shell, leg: Leg) -> None:
    shell.run("remove", "Default", "no-number")
    assert leg(shell, "alice") == ("continue", None, None)


def test_a_number_that_is_called_is_never_one(shell: Shell) -> None:
    """Whoever the caller is; and a called text that cannot be read cannot be told."""
    shell.write("callsieve.toml", 'default_region = "PL"\n[campaign.Sale]\nlists = ["Default"]\n')
    shell.run("reload")
    leg = ("--flow", "outbound", "--campaign", "Sale", "--caller", "alice", "--called")
    found = json.loads(shell.run("decide", *leg, "600100200", "--json").output)
    assert found["action"] == "continue"
    found = json.loads(shell.run("decide", *leg, "alice", "--json").output)
    assert (found["action"], found["status"]) == ("skip", "Screening unavailable")


def test_the_word_is_found_exported_and_shown(shell: Shell) -> None:
    assert json.loads(shell.run("find", "no-number", "--json").output)["listed"]
    (entry,) = json.loads(shell.run("list", "show", "Default", "--json").output)["entries"]
    assert entry["number"] == "no-number"
