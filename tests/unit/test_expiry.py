"""An entry ends at its time at every leg, though nobody takes it out of what is published.

All that is published here was published yesterday, when the entries that have ended since counted.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from callsieve.kamailio import plugin
from callsieve.screener import Screener
from callsieve.stores import Place
from esl_service.channel_data import ChannelData
from loader.csv_store import CsvStore
from loader.publishing import publish_list
from lookup_core import Catalog
from tests.support.kemi import FakeKemi
from tests.support.shell import Shell, polish_shell

NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)
YESTERDAY = NOW - 24 * HOUR
HOTLINE = "+48221234567"
RULES = """default_region = "PL"
[[forwarding]]
list = "Default"
action = "hangup"
except = ["VIP"]
[campaign.Sale]
lists = ["Default"]
[route.Poland]
present_from = "Our numbers"
"""
# Of each number: what is published of it, and which entry a leg of it matches.
ENDED, ENDS_LATER, LASTS = "+48600100200", "+48600100201", "+48600100202"
UNDER_A_PREFIX, UNDER_AN_ENDED_PREFIX, LONGEST_ENDED = (
    "+48700100200",
    "+48510100200",
    "+48520100200",
)
MATCHES = {
    ENDED: None,
    ENDS_LATER: ENDS_LATER,
    LASTS: LASTS,
    UNDER_A_PREFIX: "+48700*",
    UNDER_AN_ENDED_PREFIX: None,
    LONGEST_ENDED: "+4852*",
    "+48600100205": "+48600100205",
}


def row(number: str, end: datetime.datetime | None = None) -> str:
    return f"{number},2026-01-01,,{end.isoformat() if end else ''}\n"


def publish_as_of_yesterday(shell: Shell, name: str, *rows: str) -> None:
    shell.write(f"lists/{name}.csv", "number,date,description,expires\n" + "".join(rows))
    store = CsvStore(shell.directory)
    publish_list(store, Place(store).catalog, name, "PL", YESTERDAY)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = polish_shell(tmp_path)
    for name in ("VIP", "Our numbers"):
        shell.run("list", "create", name)
    shell.write("callsieve.toml", RULES)
    shell.run("reload")
    publish_as_of_yesterday(
        shell,
        "Default",
        row(ENDED, NOW - HOUR),
        row(ENDS_LATER, NOW + HOUR),
        row(LASTS),
        row(UNDER_A_PREFIX, NOW - HOUR),
        row("+48700*"),
        row("+48510*", NOW - HOUR),
        row("+48520*", NOW - HOUR),
        row("+4852*", NOW + HOUR),
        row("+48600100205"),
    )
    publish_as_of_yesterday(shell, "VIP", row("+48600100205", NOW - HOUR), row(LASTS, NOW + HOUR))
    publish_as_of_yesterday(
        shell, "Our numbers", row("+48221234501", NOW - HOUR), row("+48221234502", NOW + HOUR)
    )
    return shell


def as_hung_up(number: str) -> str | None:
    """The entry that an inbound leg is hung up for; VIP excepts LASTS, and no more +48600100205."""
    return None if number == LASTS else MATCHES[number]


Entry = Callable[[Shell, str], "str | None"]


def by_decide(shell: Shell, number: str) -> str | None:
    output = shell.run("decide", "--caller", number, "--called", HOTLINE, "--json").output
    found = json.loads(output)
    assert found["action"] == ("hangup" if found["entry"] else "continue")
    entry: str | None = found["entry"]
    return entry


def in_process(shell: Shell, number: str) -> str | None:
    screener = Screener(Catalog(shell.directory / "snapshots"), pytest.fail)
    leg = ChannelData(flow="inbound", caller_number=number, called_number=HOTLINE)
    return screener.screen(leg).entry


def by_kamailio(shell: Shell, number: str) -> str | None:
    kemi = FakeKemi({"$fu": f"sip:{number}@192.0.2.9", "$ru": f"sip:{HOTLINE}@192.0.2.1"})
    found = plugin(kemi, f"csv:{shell.directory}").decide()
    assert found["action"] == ("hangup" if "entry" in found else "continue")
    entry = found.get("entry")
    assert entry is None or isinstance(entry, str)
    return entry


@pytest.mark.parametrize("number", MATCHES)
@pytest.mark.parametrize("leg", [by_decide, in_process, by_kamailio])
def test_a_leg_without_a_service(shell: Shell, leg: Entry, number: str) -> None:
    assert leg(shell, number) == as_hung_up(number)


@pytest.mark.parametrize("number", MATCHES)
def test_a_campaign_dials_a_number_whose_entry_has_ended(shell: Shell, number: str) -> None:
    leg = ("--flow", "outbound", "--campaign", "Sale", "--called", number)
    found = json.loads(shell.run("decide", *leg, "--json").output)
    assert found["action"] == ("continue" if MATCHES[number] is None else "skip")


def test_a_number_that_has_ended_is_not_presented(shell: Shell) -> None:
    screener = Screener(Catalog(shell.directory / "snapshots"), pytest.fail)
    leg = ChannelData(flow="outbound", called_number=ENDED, route="Poland")
    drawn = {screener.screen(leg).presentation_number for _ in range(50)}
    assert drawn == {"+48221234502"}


def test_a_pool_that_has_ended_has_no_number_to_present(shell: Shell) -> None:
    publish_as_of_yesterday(shell, "Our numbers", row("+48221234501", NOW - HOUR))
    screener = Screener(Catalog(shell.directory / "snapshots"), pytest.fail)
    decision = screener.screen(ChannelData(flow="outbound", called_number=ENDED, route="Poland"))
    assert (decision.action, decision.rule) == ("skip", 'route."Poland"')


@pytest.mark.parametrize("number", MATCHES)
def test_find_and_the_legs_agree(shell: Shell, number: str) -> None:
    found = json.loads(shell.run("find", number, "--json", code=0 if MATCHES[number] else 1).output)
    counting = [
        entry["number"]
        for entry in found["entries"]
        if entry["list"] == "Default" and not entry["expired"]
    ]
    assert (max(counting, key=len) if counting else None) == MATCHES[number]


def test_status_and_the_list_count_what_has_not_ended(shell: Shell) -> None:
    lists = json.loads(shell.run("status", "--json").output)["lists"]
    counts = {row["list"]: row["entries"] for row in lists}
    assert counts == {"Default": 5, "Our numbers": 1, "VIP": 1}
    for name, count in counts.items():
        shown = json.loads(shell.run("list", "show", name, "--json").output)["entries"]
        assert sum(not entry["expired"] for entry in shown) == count


def test_what_is_made_of_a_list_keeps_its_ends(shell: Shell) -> None:
    """A change, a list written anew from its changes, and the generation before."""
    legs = [number for number in MATCHES if as_hung_up(number) != number]
    for command in (["add", "Default", "+48600100209"], ["rollback", "Default"]):
        shell.run(*command)
        assert [in_process(shell, number) for number in legs] == [as_hung_up(n) for n in legs]
    assert Catalog(shell.directory / "snapshots").fold("Default") is False
    shell.run("rollback", "Default")
    assert Catalog(shell.directory / "snapshots").fold("Default")
    assert [in_process(shell, number) for number in legs] == [as_hung_up(n) for n in legs]
    assert in_process(shell, ENDS_LATER) == ENDS_LATER


@pytest.mark.parametrize("content", [None, b"", b"not an SQLite file"])
def test_no_other_file_says_when_entries_end(shell: Shell, content: bytes | None) -> None:
    """As an SQLite file did, without which they lasted for ever."""
    for path in shell.directory.glob("*.sqlite"):
        path.unlink()
    if content is not None:
        (shell.directory / "expiries.sqlite").write_bytes(content)
    shell.run("add", "Default", "+48600100209")
    assert in_process(shell, "+48600100209") == "+48600100209"
    assert in_process(shell, ENDED) is None


def test_an_entry_counts_through_the_very_moment_of_its_end(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "snapshots", create=True)
    catalog.publish("Default", [], ends=[("112", 1_000_000)])
    found = catalog.current().lists["Default"].snapshot  # type: ignore[union-attr]
    assert [found.match("112", now) for now in (0, 1_000_000, 1_000_001)] == ["112", "112", None]
