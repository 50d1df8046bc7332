"""The list commands as an operator or a program runs them."""

import datetime
import json
import time
from collections.abc import Collection
from pathlib import Path

import click
import pytest

from callsieve import (
    import_command,
    list_commands,
    log_commands,
    number_commands,
    publishing_commands,
)
from callsieve.wiring import check_rules
from loader.csv_store import CsvStore
from loader.publishing import next_expiry
from lookup_core import Catalog
from tests.support.shell import Shell, polish_shell

COMMANDS = (
    *list_commands.COMMANDS,
    *number_commands.COMMANDS,
    *publishing_commands.COMMANDS,
    *import_command.COMMANDS,
    *log_commands.COMMANDS,
)
TODAY = datetime.date.today().isoformat()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return polish_shell(tmp_path)


def test_an_added_number_is_published_at_once(shell: Shell) -> None:
    output = shell.run("add", "Default", "600 100-200", "--description", "asked, twice").output
    assert output == "Default: added +48600100200 (generation 1, 1 entry)\n"
    assert shell.published().match("+48600100200") == "+48600100200"
    assert shell.published().info["entries"] == 1
    output = shell.run("add", "Default", "0048600100200", code=1).output
    assert output == "Default: +48600100200 is already there\n"
    until = ("--expires", "2099-12-31")
    output = shell.run("add", "Default", "+48600100200", *until, code=2).output
    assert output == (
        "error: +48600100200: it is on Default for ever and would end; --yes-really lets it end\n"
    )
    assert shell.published().generation == 1
    output = shell.run("add", "Default", "+48600100200", *until, "--yes-really").output
    assert output == (
        "Default: updated +48600100200 until 2099-12-31 23:59:59 (generation 2, 1 entry)\n"
    )
    output = shell.run("add", "Default", "+48600100200").output
    assert output.splitlines() == [
        "Default: updated +48600100200 (generation 3, 1 entry)",
        "Default: it was to end 2099-12-31 23:59:59; it stays for ever",
    ]
    shell.run("add", "Default", "+48600100200", "--expires", "2099-12-31", "--yes-really")
    output = shell.run("list", "show").output
    assert output.splitlines() == [
        "number        date        description   expires",
        f"+48600100200  {TODAY}  asked, twice  2099-12-31 23:59:59",
    ]


def test_prefixes_extensions_and_words_for_callers_are_entries(shell: Shell) -> None:
    for number in ("+48700*", "1000", "*30", "anonymous", "no-number"):
        shell.run("add", "Default", number)
    published = shell.published()
    assert published.info["entries"] == 5
    assert published.snapshot.prefixes == ("+48700*",)
    assert published.match("+48700100200") == "+48700*"
    output = shell.run("remove", "Default", "+48700*").output
    assert output == "Default: removed +48700* (generation 6, 4 entries)\n"


def test_removing(shell: Shell) -> None:
    shell.run("add", "Default", "+48700*")
    shell.run("add", "Default", "700100200")
    output = shell.run("remove", "Default", "700100200").output
    assert output.splitlines() == [
        "Default: removed +48700100200 (generation 3, 1 entry)",
        "Default: +48700100200 is covered by the entry +48700*",
    ]
    output = shell.run("remove", "Default", "600100200", code=1).output
    assert output == "Default: +48600100200 is not in the list\n"
    assert shell.published().generation == 3


def test_a_change_that_was_not_published_is_published_when_it_is_repeated(shell: Shell) -> None:
    """As after a command that was killed between the two steps."""
    shell.run("add", "Default", "600100200")
    shell.write("lists/Default.csv", "number,date,description,expires\n+48600100201,,,\n")
    output = shell.run("add", "Default", "600100201").output
    assert output == "Default: already there +48600100201 (generation 2, 1 entry)\n"
    shell.write("lists/Default.csv", "number,date,description,expires\n")
    shell.run("remove", "Default", "600100201")
    assert shell.published().match("+48600100201") is None


def test_find_names_lists_entries_prefixes_and_what_has_expired(shell: Shell) -> None:
    shell.run("list", "create", "Do not call")
    shell.write(
        "lists/Default.csv",
        "number,date,description,expires\n600100200,2026-01-02,over,2001-01-01\n+486*,,all of 6,\n",
    )
    shell.run("add", "Do not call", "600100200", "--date", "2026-03-04")
    output = shell.run("find", "+48 600 100 200").output
    assert output.splitlines() == [
        "list         number        date        description  expires",
        "Default      +48600100200  2026-01-02  over         2001-01-01 23:59:59 (expired)",
        "Default      +486*                     all of 6",
        "Do not call  +48600100200  2026-03-04",
    ]
    found = json.loads(shell.run("find", "600100200", "--json").output)
    assert (found["number"], found["listed"]) == ("+48600100200", True)
    assert [entry["expired"] for entry in found["entries"]] == [True, False, False]
    assert shell.run("find", "500", code=1).output == "500: in no list\n"
    shell.run("remove", "Default", "+486*")
    shell.run("list", "remove", "Do not call")
    shell.run("find", "600100200", code=1)  # there is only the entry that has expired


def test_lists(shell: Shell) -> None:
    assert shell.run("list", "create", "Łódź & co").output == (
        "Łódź & co: created (generation 1, 0 entries)\n"
    )
    assert shell.run("list", "create", "Łódź & co", code=1).output == "Łódź & co: already there\n"
    shell.run("reload")
    assert shell.run("list", "ls").output.splitlines() == [
        "list       entries  rejects  generation  region",
        "Default          0        0           1  -",
        "Łódź & co        0        0           1  -",
    ]
    rows = json.loads(shell.run("list", "ls", "--json").output)
    counts = {"entries": 0, "rejects": 0, "generation": 1}
    assert rows[0] == {"list": "Default", **counts, "region": None}
    assert shell.run("list", "remove", "Łódź & co").output == "Łódź & co: removed\n"
    assert "Łódź & co" not in Catalog(shell.directory / "snapshots").current().lists
    assert "cannot be removed" in shell.run("list", "remove", "Default", code=2).output


def test_a_list_made_by_hand_is_there_already_and_is_published(shell: Shell) -> None:
    shell.write("lists/VIP.csv", "number\n600100200\n")
    output = shell.run("list", "create", "VIP", code=1).output
    assert output == "VIP: already there (generation 1, 1 entry)\n"
    assert shell.published("VIP").match("+48600100200")


def test_a_list_that_a_rule_uses_is_not_removed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(text: str, names: Collection[str] | None) -> object:  # noqa: ARG001
        if "VIP" not in (names or ()):
            raise ValueError("forwarding[1].list: expected one of Default, got 'VIP'")
        return object()

    shell.run("list", "create", "VIP")
    monkeypatch.setattr(list_commands, "check_rules", check)
    output = shell.run("list", "remove", "VIP", code=2).output
    assert output.splitlines() == [
        "error: VIP: not removed; without it callsieve.toml would say:",
        "error: forwarding[1].list: expected one of Default, got 'VIP'",
    ]
    assert "VIP" in CsvStore(shell.directory).list_names()


BAD_NAMES = [
    "",
    "x" * 65,
    "a/b",
    "a$b",
    "a{b",
    "a|b",
    "a\\b",
    "a'b",
    'a"b',
    ".a",
    " a",
    "a\nb",
    "a\0",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_would_do_harm_in_freeswitch_are_refused(shell: Shell, name: str) -> None:
    assert "list name" in shell.run("list", "create", name, code=2).output
    assert CsvStore(shell.directory).list_names() == ("Default",)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["add", "Nope", "600100200"], "list 'Nope': expected one of Default"),
        (["add", "Default", "abc\x1b[2J"], "found"),
        (["add", "Default", "1", "--expires", "tomorrow"], "expires: expected YYYY-MM-DD"),
        (["add", "Default", "1", "--expires", "2001-01-01"], "expected a time to come"),
        (["add", "Default", "1", "--expires", ""], "expires: expected YYYY-MM-DD"),
        (["add", "Default", "1", "--date", "1.2.2026"], "date: expected YYYY-MM-DD"),
        (["add", "Default", "1", "--description", "x" * 501], "at most 500 characters, found 501"),
        (["add", "Default", "1", "--description", "a\nb"], "no control characters"),
        (["remove", "Default", "+48*12"], "found '+48*12'"),
        (["list", "show", "Nope"], "list 'Nope': expected one of Default"),
        (["find", ""], "found ''"),
        (
            ["find", "1", "--store", "mysql:x"],
            "expected csv:DIRECTORY or redis://HOST, found 'mysql'",
        ),
    ],
)
def test_bad_values_change_nothing(shell: Shell, arguments: list[str], problem: str) -> None:
    output = shell.run(*arguments, code=2).output
    assert problem in output
    assert output.startswith("error: ")
    assert "\x1b" not in output
    assert list(CsvStore(shell.directory).entries("Default", "PL")) == []


def test_reload_takes_hand_edits_new_lists_and_withdraws_lists(shell: Shell) -> None:
    shell.run("list", "create", "Old")
    (shell.directory / "lists" / "Old.csv").unlink()
    shell.write("lists/New.csv", "600100200\nnonsense\x1b,x\n600100201,,,2001-01-01\n")
    shell.write("lists/it's.csv", "600100200\n")
    output = shell.run("reload", code=2).output
    assert output.splitlines() == [
        "Default: generation 1, 0 entries",
        "New: generation 1, 1 entry, 1 expired, 1 row not read",
        *[line for line in output.splitlines() if line.startswith("  line 2: 'nonsense\\x1b,x': ")],
        "Old: withdrawn, the store no longer has it",
        "rules: generation 1, unchanged",
        "error: lists/it's.csv: list name 'it's': expected none of / $ { } | \\ ' \", found '",
    ]
    assert len(output.splitlines()) == 6
    view = Catalog(shell.directory / "snapshots").current()
    assert set(view.lists) == {"Default", "New"}
    assert view.documents["rules"].text == 'default_region = "PL"\n'
    assert shell.published("New").info["rejects"] == 1


def test_a_bad_rules_file_never_replaces_a_good_one(shell: Shell) -> None:
    shell.run("list", "create", "Old")
    shell.run("reload")
    shell.write("callsieve.toml", "default_region = \n")
    (shell.directory / "lists" / "Old.csv").unlink()
    output = shell.run("reload", code=2).output
    assert "error: rules not taken: " in output
    view = Catalog(shell.directory / "snapshots").current()
    assert view.documents["rules"].text == 'default_region = "PL"\n'
    assert "Old" in view.lists, "the rules in force may use it"
    # Numbers are still read, by the rules in force.
    output = shell.run("add", "Default", "600100200").output
    assert "warning: callsieve.toml is not in force: " in output
    assert "added +48600100200" in output


def test_a_list_with_other_columns_keeps_what_was_published(shell: Shell) -> None:
    shell.run("add", "Default", "600100200")
    shell.write("lists/Default.csv", "date,number\n2026-01-01,600100201\n")
    output = shell.run("reload", code=2).output
    expected = "expected the columns number,date,description,expires, found 'date,number'"
    assert f"error: list Default: lists/Default.csv line 1: {expected}" in output
    assert shell.published().match("+48600100200")


def test_expiry_of_a_published_list_is_told(shell: Shell) -> None:
    shell.run("add", "Default", "1", "--expires", "2099-01-01T10:00:00+02:00")
    shell.run("add", "Default", "2", "--expires", "2098-01-01T10:00:00Z")
    report = json.loads(shell.run("reload", "--json").output)
    assert report["lists"][0]["next_expiry"] == "2098-01-01T10:00:00+00:00"
    end = next_expiry(shell.published())
    assert end is not None
    assert end.isoformat() == "2098-01-01T10:00:00+00:00"
    shown = json.loads(shell.run("list", "show", "--json").output)
    assert [entry["expires"] for entry in shown["entries"]] == [
        "2099-01-01T08:00:00+00:00",
        "2098-01-01T10:00:00+00:00",
    ]


def test_import(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("Telefon;Opis\n600100200;x\n600100201;\nabc;\n")
    reject = "  line 4: 'abc;': "
    output = shell.run("import", "Default", str(file), "--dry-run", code=3).output
    assert output.splitlines()[:6] == [
        "numbers.csv: UTF-8, semicolon-separated; number = column 1 'Telefon',"
        " description = column 2 'Opis'",
        "first rows  as written  as read          date  description",
        "  line 2    600100200   -> +48600100200        x",
        "  line 3    600100201   -> +48600100201",
        "  line 4    abc;        rejected",
        "Default: 2 added, 0 already there, 0 updated, 1 rejected",
    ]
    assert output.splitlines()[6].startswith(reject)
    assert output.splitlines()[7] == "dry run: nothing was changed"
    assert not (tmp_path / "numbers.csv.rejects.csv").exists()
    assert list(CsvStore(shell.directory).entries("Default", "PL")) == []

    output = shell.run("import", "Default", str(file), code=3).output
    assert "1 rejected (generation 1, 2 entries)\n" in output
    assert f"\nrejected rows: {file}.rejects.csv\n" in output
    report = json.loads(shell.run("import", "Default", str(file), "--json", code=3).output)
    assert report["already_there"] == 2
    assert report["columns"]["number"] == {"position": 1, "name": "Telefon"}

    file.write_text("600100203\n")
    shell.run("import", "Default", str(file), code=0)
    assert shell.published().match("+48600100203")
    file.write_text("abc1,\n")
    shell.run("import", "Default", str(file), code=4)
    file.write_text("number\n")
    shell.run("import", "Default", str(file), code=4)
    shell.run("import", "Default", str(file), "--map", "number", code=2)
    shell.run("import", "Nope", str(file), code=2)


def test_a_store_that_is_missing_is_made_only_by_what_writes(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "new")
    for command in (["list", "ls"], ["find", "1"], ["reload"], ["remove", "Default", "1"]):
        assert (
            "expected a Callsieve store, found no directory" in shell.run(*command, code=5).output
        )
    assert not shell.directory.exists()
    shell.run("store", "create", f"csv:{shell.directory}", "--region", "none")
    shell.run("add", "Default", "+48600100200")
    assert CsvStore(shell.directory).list_names() == ("Default",)
    rules = (shell.directory / "callsieve.toml").read_text()
    assert check_rules(rules, ["Default"]).forwardings[0].list == "Default"
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").touch()
    output = Shell(other).run("add", "Default", "1", code=5).output
    assert "found other files" in output
    assert [path.name for path in other.iterdir()] == ["letter.txt"]


def test_lost_rules_are_not_replaced_by_empty_ones(shell: Shell) -> None:
    (shell.directory / "callsieve.toml").unlink()
    output = shell.run("add", "Default", "+48600100200", code=5).output
    assert "callsieve.toml: No such file or directory" in output
    assert not (shell.directory / "callsieve.toml").exists()


def test_every_command_shows_an_example_and_its_exit_codes(shell: Shell) -> None:
    for command in COMMANDS:
        path = [command.name or ""]
        below = command.commands if isinstance(command, click.Group) else {}
        for arguments in [path, *([*path, name] for name in below)]:
            output = shell.run(*arguments, "--help").output
            assert "\n  Example:\n    callsieve " in output, arguments
            assert "\n  Exit codes:\n    0  " in output, arguments


def test_hand_made_files_keep_their_rows_and_form(shell: Shell) -> None:
    file = shell.directory / "lists" / "Default.csv"
    file.write_bytes("\ufeffTelefon,Data\r\n600 100 200,2026-01-02\r\nabc,\r\n\r\n*30".encode())
    shell.run("add", "Default", "1000", "--date", "2026-03-04", "--description", "a, b")
    assert file.read_bytes().decode() == (
        "\ufeffnumber,date,description,expires\r\n"
        "600 100 200,2026-01-02\r\nabc,\r\n\r\n*30\r\n"
        '1000,2026-03-04,"a, b",\r\n'
    )
    shell.run("remove", "Default", "600100200")
    assert file.read_bytes().decode() == (
        '\ufeffnumber,date,description,expires\r\nabc,\r\n\r\n*30\r\n1000,2026-03-04,"a, b",\r\n'
    )
    file.write_text("600100200\n+48600100201,2026-01-02,x\n")  # no header
    shell.run("add", "Default", "600100202", "--date", "2026-01-02")
    assert file.read_text() == (
        "number,date,description,expires\n"
        "600100200\n+48600100201,2026-01-02,x\n+48600100202,2026-01-02,,\n"
    )
    assert shell.published().info["entries"] == 3


def test_many_columns_stay_aligned_with_wide_and_unprintable_text(shell: Shell) -> None:
    shell.run("add", "Default", "1", "--description", "東京", "--expires", "2099-01-01")
    shell.run("add", "Default", "2", "--description", "a\u202eb", "--expires", "2099-01-01")
    lines = shell.run("list", "show").output.splitlines()
    assert lines[1].index("2099-01-01") + 2 == lines[2].index("2099-01-01")
    assert "a\\u202eb" in lines[2]


CAMPAIGNS = """\
default_region = "PL"

[campaign."Spring sale"]
lists = ["Opt-outs", "Default"]
"""


def test_a_campaigns_numbers_go_to_the_first_of_its_lists(shell: Shell) -> None:
    shell.run("list", "create", "Opt-outs")
    shell.write("callsieve.toml", CAMPAIGNS)
    output = shell.run("add", "--campaign", "Spring sale", "600100200").output
    assert output == "Opt-outs: added +48600100200 (generation 2, 1 entry)\n"
    assert shell.published("Opt-outs").match("+48600100200") == "+48600100200"
    output = shell.run("add", "--campaign", "Spring sale", "600100200", code=1).output
    assert output == "Opt-outs: +48600100200 is already there\n"
    output = shell.run("remove", "--campaign", "Spring sale", "600100200").output
    assert output == "Opt-outs: removed +48600100200 (generation 3, 0 entries)\n"


@pytest.mark.parametrize("command", ["add", "remove"])
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("600100200",), "expected LIST NUMBER, found '600100200'"),
        (("Default", "600", "100"), "expected LIST NUMBER, found 'Default' '600' '100'"),
        (
            ("--campaign", "Spring sale", "Default", "600100200"),
            "expected NUMBER alone beside --campaign, whose list it is, found 'Default' '600",
        ),
        (("--campaign", "Autumn", "600100200"), "campaign: expected 'Spring sale', found 'Autumn'"),
    ],
    ids=["no list", "too many", "list and campaign", "unknown campaign"],
)
def test_what_names_no_list_and_number_says_what_was_expected(
    shell: Shell, command: str, arguments: tuple[str, ...], found: str
) -> None:
    shell.run("list", "create", "Opt-outs")
    shell.write("callsieve.toml", CAMPAIGNS)
    assert found in shell.run(command, *arguments, code=2).output


def test_a_campaign_where_the_rules_have_none(shell: Shell) -> None:
    output = shell.run("add", "--campaign", "Autumn", "600100200", code=2).output
    assert output == "error: campaign: expected none, for the rules have none, found 'Autumn'\n"


def test_a_range_is_added_in_one_step_and_taken_back_as_one(shell: Shell) -> None:
    output = shell.run("add", "Default", "600100201-600100203").output
    assert output.startswith("Default: '600100201-600100203' is 3 entries: 3 added (")
    published = shell.published()
    assert published.generation == 1
    for number, entry in ("+48600100203", "+48600100203"), ("+48600100204", None):
        assert published.match(number) == entry
    assert "3 already there" in shell.run("add", "Default", "600100201-600100203", code=1).output
    answer = json.loads(shell.run("add", "Default", "600100203-600100204", "--json").output)
    assert answer == {
        "list": "Default",
        "numbers": ["+48600100203", "+48600100204"],
        "outcomes": {"added": 1, "already there": 1},
    }
    log = json.loads(shell.run("log", "show", "--json").output)
    assert log[0]["batch"]["source"] == "600100201-600100203"
    shell.run("undo", log[0]["batch"]["id"])
    assert shell.published().match("+48600100201") is None


def test_a_mask_of_very_many_numbers_is_held_back_as_a_whole(shell: Shell) -> None:
    assert "held back" in shell.run("add", "Default", "60XXXXXXX", code=2).output
    shell.run("find", "600100200", code=1)
    shell.run("add", "Default", "60XXXXXXX", "--yes-really")
    shell.run("find", "600100200")


def test_a_range_does_not_shorten_what_is_for_ever(shell: Shell) -> None:
    shell.run("add", "Default", "600100202")
    ending = ("600100201-600100203", "--expires", "2099-12-31")
    assert "for ever and would end" in shell.run("add", "Default", *ending, code=2).output
    assert shell.published().match("+48600100201") is None


def test_what_was_repaired_and_what_is_in_no_range_is_said(shell: Shell) -> None:
    output = shell.run("add", "Default", "600100200.0").output
    assert "'600100200.0': the .0 of a spreadsheet taken off" in output
    assert "in no range that is in use" in shell.run("add", "Default", "+15552345678").output
    output = shell.run("add", "Default", "2015550123").output  # meant as American, and Egyptian
    assert "'2015550123': international number without its +" in output
    output = shell.run("add", "Default", "+22997123456").output
    assert "by the renumbering of 2024-11-30" in output
    output = shell.run("add", "Default", "+15552345679", "--only-valid", code=2).output
    assert "without --only-valid it is taken" in output


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/Los_Angeles", "UTC"])
def test_the_last_day_of_the_calendar_is_for_ever_in_every_time_zone(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        shell.run("add", "Default", "600100200", "--expires", "9999-12-31")
        assert shell.published().match("+48600100200")
    finally:
        monkeypatch.undo()
        time.tzset()
