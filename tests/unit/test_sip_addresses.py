"""SIP addresses as entries: their spellings, the lists that have them, and every kind of leg."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from callsieve.cli import main
from callsieve.kamailio import plugin
from callsieve.screener import Screener
from esl_service.channel_data import ChannelData, read_leg, write_leg
from loader.numbers import EntryError, read_entry
from loader.sip_address import caller_address
from lookup_core import MAX_ADDRESSES, Catalog, PublishedList
from tests.support.kemi import FakeKemi
from tests.support.shell import HANGUP_RULES, Shell, hangup_shell

HOTLINE = "+48221234567"
ALICE, EVERYBODY = "sip:alice@example.com", "sip:*@example.com"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return hangup_shell(tmp_path)


# Spellings


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("sip:alice@example.com", ALICE),
        ("SIPS:alice@Example.COM", ALICE),
        ("sip:%61lice@example.com.", ALICE),
        ("sip:alice:secret@example.com:5060;transport=tcp?Subject=x", ALICE),
        ("sip:alice;tag=1@example.com", ALICE),
        ("sip:Alice@example.com", "sip:Alice@example.com"),
        ("sip:*@EXAMPLE.com", EVERYBODY),
        ("sip:sales-200-299@h", "sip:sales-200-299@h"),
        ("sip:a+b=c@192.0.2.1:5060", "sip:a+b=c@192.0.2.1"),
        ("sip:alice@[2001:DB8::0:1]:5061", "sip:alice@[2001:db8::1]"),
        (f"sip:{'a' * 64}@h", f"sip:{'a' * 64}@h"),
        # A user that reads as a number is that number.
        ("sip:+48600100200@example.com", "+48600100200"),
        ("sip:600100200@example.com", "+48600100200"),
        ("sip:1000@example.com", "1000"),
    ],
)
def test_a_spelling_of_an_address(text: str, entry: str) -> None:
    assert read_entry(text, "PL") == entry
    assert read_entry(entry, "PL") == entry


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice",
        "sip:@example.com",
        "sip:ali*@example.com",
        "sip:al ice@example.com",
        "sip:al'ice@example.com",
        'sip:al"ice@example.com',
        "sip:al,ice@example.com",
        "sip:al%2Cice@example.com",
        "sip:al%00ice@example.com",
        "sip:al\x00ice@example.com",
        "sip:al\nice@example.com",
        "sip:${hangup}@example.com",
        "sip:alice@${host}",
        "sip:żółw@example.com",
        "sip:alice@exa_mple..com",
        "sip:alice@-example.com",
        "sip:alice@256.1.1.1",
        "sip:alice@[::g]",
        "sip:alice@example.com:port",
        f"sip:{'a' * 65}@h",
        f"sip:alice@{'a' * 64}.com",
        "sip:alice@" + ".".join(["a" * 60] * 5),
        "sip:anonymous@anonymous.invalid",
        "alice@example.com",
        "xsip:alice@example.com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(EntryError, match="sip:USER@HOST"):
        read_entry(text, "PL")


# Lists


def test_an_address_through_every_command(shell: Shell) -> None:
    shell.run("add", "Default", "sips:alice@Example.com:5061", "--description", "calls, at night")
    shell.run("add", "Default", ALICE, code=1)  # there already
    shell.run("add", "Default", EVERYBODY)
    shell.run("add", "VIP", EVERYBODY)
    found = json.loads(shell.run("find", "sip:alice@example.com;x=y", "--json").output)
    listed = {(one["list"], one["number"]) for one in found["entries"]}
    assert listed == {("Default", ALICE), ("Default", EVERYBODY), ("VIP", EVERYBODY)}
    shell.run("find", "sip:bob@example.net", code=1)
    shell.run("remove", "Default", "sip:%61lice@EXAMPLE.com")
    shell.run("remove", "Default", ALICE, code=1)
    shown = json.loads(shell.run("list", "show", "Default", "--json").output)["entries"]
    assert [one["number"] for one in shown] == [EVERYBODY]
    assert shell.run("evidence", ALICE).output.count(ALICE) >= 2
    assert "as written" in shell.run("verify").output


def test_an_import_of_addresses_is_taken_back(shell: Shell, tmp_path: Path) -> None:
    shell.run("add", "Default", ALICE)
    rows = "number,description\nsip:bob@example.com,new\nsip:alice@example.com,known\n"
    rows += "+48600100200,\nsip:a b@h,\n"
    (tmp_path / "rows.csv").write_text(rows)
    report = json.loads(
        shell.run("import", "Default", str(tmp_path / "rows.csv"), "--json", code=None).output
    )
    assert [report[key] for key in ("added", "updated", "rejected")] == [2, 1, 1], report
    assert shell.published().match("sip:bob@example.com") == "sip:bob@example.com"
    shell.run("undo", report["batch"])
    shown = json.loads(shell.run("list", "show", "Default", "--json").output)["entries"]
    assert [(one["number"], one["description"]) for one in shown] == [(ALICE, "")]
    assert shell.published().match("sip:bob@example.com") is None
    shell.run("rollback", "Default")
    assert shell.published().match("sip:bob@example.com") == "sip:bob@example.com"


def test_replacing_leaves_the_addresses_of_the_file(shell: Shell, tmp_path: Path) -> None:
    shell.run("add", "Default", ALICE)
    shell.run("add", "Default", "sip:bob@example.com")
    (tmp_path / "rows.csv").write_text("number\nsip:bob@example.com\nsip:carol@example.com\n")
    shell.run("import", "Default", str(tmp_path / "rows.csv"), "--replace", "--yes-really")
    published = shell.published().snapshot.addresses
    assert sorted(published) == ["sip:bob@example.com", "sip:carol@example.com"]


def test_an_address_ends_by_the_clock(shell: Shell) -> None:
    shell.run("add", "Default", ALICE, "--expires", "2100-01-01T00:00Z")
    shell.run("add", "Default", EVERYBODY, "--expires", "2200-01-01T00:00Z")
    snapshot = shell.published().snapshot
    second = 10**6
    in_2100, in_2200 = 4_102_444_800 * second, 7_258_118_400 * second
    assert snapshot.first_end == in_2100
    assert snapshot.match(ALICE, in_2100) == ALICE
    assert snapshot.match(ALICE, in_2100 + 1) == EVERYBODY
    assert snapshot.match(ALICE, in_2200 + 1) is None
    assert snapshot.ended(in_2100 + 1) == [ALICE]


def test_addresses_of_random_changes_are_those_of_a_dict(shell: Shell) -> None:
    rng = random.Random(15)
    users = [f"sip:{user}@{host}" for user in ("a", "B", "*") for host in ("h", "example.com")]
    model: set[str] = set()
    for _ in range(40):
        address = rng.choice(users)
        if rng.random() < 0.5:
            shell.run("add", "Default", address, code=None)
            model.add(address)
        else:
            shell.run("remove", "Default", address, code=None)
            model.discard(address)
        published = shell.published()
        assert set(published.snapshot.addresses) == model
        for user in ("a", "B", "c"):
            for host in ("h", "example.com"):
                wanted = [f"sip:{user}@{host}", f"sip:*@{host}"]
                expected = next((one for one in wanted if one in model), None)
                assert published.match(wanted[0]) == expected
        assert published.info["entries"] == len(model)


def test_a_file_written_by_hand(shell: Shell) -> None:
    rows = f"number\n{ALICE}\nSIP:bob@EXAMPLE.com,,by hand\n{ALICE},,,2100-01-01\n"
    shell.write("lists/Default.csv", rows)
    shell.run("reload")
    assert shell.published().snapshot.addresses == {ALICE: None, "sip:bob@example.com": None}


def test_a_list_with_too_many_addresses_is_not_published(shell: Shell, tmp_path: Path) -> None:
    shell.run("add", "Default", ALICE)
    rows = "\n".join(f"sip:u{i}x@h" for i in range(MAX_ADDRESSES + 1))
    shell.write("lists/Default.csv", f"number,date,description,expires\n{rows}\n")
    result = shell.run("reload", code=None)
    assert result.exit_code != 0
    assert "expected at most 100,000 SIP addresses in a list" in result.output
    assert shell.published().snapshot.addresses == {ALICE: None}, "what was in force stays"
    full = rows.rpartition("\n")[0]
    shell.write("lists/Default.csv", f"number,date,description,expires\n{full}\n")
    output = shell.run("add", "Default", "sip:one-more@h", code=None).output
    assert "expected at most 100,000 SIP addresses in a list" in output
    (tmp_path / "rows.csv").write_text("number\nsip:one-more@h\nsip:u2x@h\n+48600100200\n")
    output = shell.run("import", "Default", str(tmp_path / "rows.csv"), code=None).output
    assert "1 added, 1 already there, 0 updated, 1 rejected" in output


def test_a_redis_store_refuses_addresses_by_name(
    new_redis_store: Callable[[], str], tmp_path: Path
) -> None:
    url = new_redis_store()
    environment = {"CALLSIEVE_STORE": url}
    (tmp_path / "rows.csv").write_text("number\nsip:alice@example.com\n+48600100200\n")

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments, env=environment)
        assert not isinstance(result.exception, (AssertionError, TypeError)), result.exception
        return result.output

    run("store", "create", url, "--region", "PL")
    for command in (("add", "Default"), ("remove", "Default"), ("find",)):
        assert "SIP addresses: not yet in a Redis store" in run(*command, ALICE)
    output = run("import", "Default", str(tmp_path / "rows.csv"))
    assert "1 added" in output
    assert "1 rejected" in output
    assert "SIP addresses: not yet in a Redis store" in output


def test_folding_and_rolling_back_keep_the_addresses(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, create=True)

    def found() -> dict[str, int | None]:
        published = catalog.current().lists["Default"]
        assert isinstance(published, PublishedList)
        return published.snapshot.addresses

    catalog.publish("Default", ["112"], addresses={ALICE: 5})
    catalog.change("Default", add_addresses={EVERYBODY: None}, remove_addresses=[ALICE])
    assert found() == {EVERYBODY: None}
    catalog.change("Default", ["113"])
    assert found() == {EVERYBODY: None}
    assert catalog.fold("Default")
    assert found() == {EVERYBODY: None}
    catalog.change("Default", remove_addresses=[EVERYBODY])
    assert found() == {}
    catalog.roll_back("Default")
    assert found() == {EVERYBODY: None}
    generation = catalog.publish("Default", ["112", "113"], same_info={}, addresses=found())
    assert generation == catalog.current().lists["Default"].generation
    assert catalog.publish("Default", ["112", "113"], same_info={}, addresses={}) == generation + 1


def test_an_address_cannot_be_called(shell: Shell) -> None:
    shell.write("callsieve.toml", HANGUP_RULES + 'called = ["sip:alice@example.com"]\n')
    output = shell.run("reload", code=None).output
    assert "expected a number or a prefix, found the SIP address 'sip:alice@example.com'" in output


# Legs


def by_decide(shell: Shell, user: str, host: str) -> tuple[object, ...]:
    options = ("--caller", user, "--from-host", host, "--called", HOTLINE, "--json")
    found = json.loads(shell.run("decide", *options).output)
    return found["action"], found["entry"], found["number"]


def in_process(shell: Shell, user: str, host: str) -> tuple[object, ...]:
    screener = Screener(Catalog(shell.directory / "snapshots"), pytest.fail)
    found = screener.screen(
        ChannelData(caller_number=user, from_user=user, from_host=host, called_number=HOTLINE)
    )
    return found.action, found.entry, found.number


def by_kamailio(shell: Shell, user: str, host: str) -> tuple[object, ...]:
    kemi = FakeKemi({"$fu": f"sip:{user}@{host}", "$ru": f"sip:{HOTLINE}@192.0.2.1"})
    found = plugin(kemi, f"csv:{shell.directory}").decide()
    return found["action"], found.get("entry"), found.get("number")


LEGS = pytest.mark.parametrize("leg", [by_decide, in_process, by_kamailio])
Leg = Callable[[Shell, str, str], tuple[object, ...]]


@LEGS
def test_a_caller_is_screened_by_its_address(shell: Shell, leg: Leg) -> None:
    shell.run("add", "Default", ALICE)
    assert leg(shell, "alice", "Example.com:5060") == ("hangup", ALICE, ALICE)
    assert leg(shell, "Alice", "example.com")[0] == "continue"
    assert leg(shell, "alice", "example.org")[0] == "continue"


@LEGS
@pytest.mark.parametrize("user", ["bob", "al ice", "x" * 300, "a,b", "*b", "%00"])
def test_any_user_of_a_host_that_is_listed(shell: Shell, leg: Leg, user: str) -> None:
    shell.run("add", "Default", EVERYBODY)
    assert leg(shell, user, "example.com")[:2] == ("hangup", EVERYBODY)


@LEGS
@pytest.mark.parametrize("user", ["+48600100200", "1000", "anonymous"])
def test_a_caller_with_a_number_is_not_screened_by_its_address(
    shell: Shell, leg: Leg, user: str
) -> None:
    shell.run("add", "Default", EVERYBODY)
    assert leg(shell, user, "example.com")[0] == "continue"


@LEGS
def test_an_exception_for_the_address_lifts_no_number_and_the_host(shell: Shell, leg: Leg) -> None:
    for entry in ("no-number", EVERYBODY):
        shell.run("add", "Default", entry)
    shell.run("add", "VIP", ALICE)
    assert leg(shell, "alice", "example.com")[0] == "continue"
    assert leg(shell, "bob", "example.com") == ("hangup", EVERYBODY, "sip:bob@example.com")
    assert leg(shell, "bob", "example.org") == ("hangup", "no-number", "no-number")


@LEGS
def test_a_rule_that_lets_an_address_through(shell: Shell, leg: Leg) -> None:
    shell.write(
        "callsieve.toml",
        'default_region = "PL"\n[[forwarding]]\nlist = "VIP"\naction = "continue"\n'
        '[[forwarding]]\nlist = "Default"\naction = "hangup"\n',
    )
    shell.run("reload")
    shell.run("add", "VIP", ALICE)
    shell.run("add", "Default", "no-number")
    assert leg(shell, "alice", "example.com") == ("continue", ALICE, ALICE)
    assert leg(shell, "bob", "example.com")[0] == "hangup"


@LEGS
@pytest.mark.parametrize("host", ["", "a b", "${x}", "h" * 300, "a'b", "%00", "|", "\x7f"])
def test_a_hostile_host_is_nobody_s(shell: Shell, leg: Leg, host: str) -> None:
    shell.run("add", "Default", EVERYBODY)
    assert leg(shell, "alice", host)[0] == "continue"


def test_a_trusted_sender_s_from_is_no_identity(shell: Shell) -> None:
    shell.run("add", "Default", ALICE)
    leg = ChannelData(
        caller_number="+48600100200",
        from_user="alice",
        from_host="example.com",
        called_number=HOTLINE,
        network_address="192.0.2.7",
    )
    screener = Screener(Catalog(shell.directory / "snapshots"), pytest.fail)
    assert screener.screen(leg).entry == ALICE, "whoever is not trusted may say any number"
    shell.write(
        "callsieve.toml", HANGUP_RULES.replace("[[", 'trusted_addresses = ["192.0.2.7"]\n[[', 1)
    )
    shell.run("reload")
    screener = Screener(Catalog(shell.directory / "snapshots"), pytest.fail)
    assert screener.screen(leg).action == "continue"


@pytest.mark.parametrize("user", ["a'b", "${x}", "a|b", "a\nb", "%24%7Bx}", "x" * 5000, "é", "@"])
def test_hostile_text_never_gets_into_an_address(user: str) -> None:
    assert caller_address(f"sip:{user}@example.com") in (EVERYBODY, None)


def test_a_line_of_an_older_dialplan_has_no_host() -> None:
    leg = ChannelData(uuid="1", caller_number="alice", from_user="alice", from_host="example.com")
    line = write_leg(leg, asynchronous=False)
    assert line is not None
    older = line.replace("|example.com|", "|")
    assert older.count("|") == line.count("|") - 1
    assert read_leg(line) == leg
    assert read_leg(older) == leg._replace(from_host="")
