"""Commands about a whole store, on every kind of store: status, rules, store create and copy."""

from __future__ import annotations

import datetime
import json
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from loader.change_log import BatchDetails
from loader.redis_store import RedisStore
from loader.store import Entry, open_store
from tests.conftest import NewStore
from tests.support.redis_servers import RedisServer, one_server, until
from tests.support.service import CALLSIEVE, Service, run, running

RULES = 'default_region = "PL"\n'


@pytest.fixture
def url(new_store: NewStore) -> str:
    """A store that was made."""
    url = new_store()
    done = run("store", "create", url, "--region", "none")
    assert done.returncode == 0, done.stderr
    return url


def on(url: str, *arguments: str, code: int = 0) -> CompletedProcess[str]:
    done = run(*arguments, store=url)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def test_a_store_is_made_once(url: str) -> None:
    assert (
        on(url, "store", "create", url, "--region", "none", code=1).stdout
        == f"{url}: there is a store already\n"
    )
    assert open_store(url).list_names() == ("Default",)


def test_commands_do_the_same_on_every_store(url: str) -> None:
    on(url, "reload")
    assert "Default: added +48600100200 (" in on(url, "add", "Default", "+48600100200").stdout
    assert on(url, "add", "Default", "+48600100200", code=1).stdout == (
        "Default: +48600100200 is already there\n"
    )
    assert "created" in on(url, "list", "create", "Łódź & co").stdout
    assert on(url, "list", "create", "Łódź & co", code=1).stdout == "Łódź & co: already there\n"
    on(
        url,
        "add",
        "Łódź & co",
        "+48600100*",
        "--expires",
        "2099-01-01",
        "--description",
        "all, of 6",
    )
    found = json.loads(on(url, "find", "+48600100200", "--json").stdout)
    assert [entry["list"] for entry in found["entries"]] == ["Default", "Łódź & co"]
    assert "hangup" in on(url, "decide", "--caller", "+48600100200", "--called", "1").stdout
    assert "removed" in on(url, "remove", "Default", "+48600100200").stdout
    assert "continue" in on(url, "decide", "--caller", "+48600100200", "--called", "1").stdout
    rows = json.loads(on(url, "list", "ls", "--json").stdout)
    assert [(row["list"], row["entries"]) for row in rows] == [("Default", 0), ("Łódź & co", 1)]
    assert "it always exists" in on(url, "list", "remove", "Default", code=2).stderr
    assert "expected one of Default" in on(url, "add", "Nope", "1", code=2).stderr
    on(url, "list", "remove", "Łódź & co")
    followed = url.startswith("csv")
    assert [row["list"] for row in status(url, 0 if followed else 1)["lists"]] == ["Default"]


def test_an_import_larger_than_one_step(url: str, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    rows = [f"+48{600_000_000 + at}\n" for at in range(12_000)]
    file.write_text("".join(rows))
    dry = json.loads(on(url, "import", "Default", str(file), "--dry-run", "--json").stdout)
    assert (dry["added"], dry["already_there"]) == (12_000, 0)
    assert list(open_store(url).entries("Default", None)) == []
    on(url, "add", "Default", "+48600000005", "--description", "kept")
    done = json.loads(on(url, "import", "Default", str(file), "--json").stdout)
    assert (done["added"], done["already_there"]) == (11_999, 1)
    assert done["entries"] == 12_000
    entries = {e.number: e for e in open_store(url).entries("Default", None)}  # type: ignore[union-attr]
    assert set(entries) == {row.strip() for row in rows}
    assert entries["+48600000005"].description == "kept"  # type: ignore[union-attr]


def test_every_change_is_in_the_log_and_can_be_taken_back(url: str, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("".join(f"+48{600_000_000 + at}\n" for at in range(6000)))
    on(url, "add", "Default", "+48600000001", "--reason", "asked us")
    on(url, "import", "Default", str(file))
    records = json.loads(on(url, "log", "show", "--json").stdout)
    assert [record["what"] for record in records] == ["add", "import"]
    assert records[0]["reason"] == "asked us"
    happened = json.loads(on(url, "evidence", "+48600000001", "--json").stdout)
    assert [event["what"] for event in happened["events"]] == ["add"]
    on(url, "undo", records[1]["batch"]["id"])
    assert [row.number for row in open_store(url).entries("Default", None)] == ["+48600000001"]  # type: ignore[union-attr]
    on(url, "list", "create", "Other")
    on(url, "add", "Other", "+48600000002")
    on(url, "list", "remove", "Other")
    removed = json.loads(on(url, "log", "show", "--json").stdout)[-1]
    on(url, "undo", removed["batch"]["id"])
    assert [row.number for row in open_store(url).entries("Other", None)] == ["+48600000002"]  # type: ignore[union-attr]
    on(url, "log", "verify")


def altered_record(store: RedisStore) -> None:
    line = store.client.call("LINDEX", store.key("log"), 0)
    store.client.call("LSET", store.key("log"), 0, line.replace(b"+48600000000", b"+48600000009"))


def altered_last_record(store: RedisStore) -> None:
    line = store.client.call("LINDEX", store.key("log"), -1)
    store.client.call("LSET", store.key("log"), -1, line.replace(b"import", b"undone"))


def record_taken_out(store: RedisStore) -> None:
    store.client.call("RPOP", store.key("log"))


def altered_batch(store: RedisStore) -> None:
    [key] = store.client.call("KEYS", store.key("batch", "*", "after"))
    store.client.call("LSET", key, 0, zlib.compress(b"\0" * 8 + b"\0\3" + b"\0" * 3))


def torn_batch(store: RedisStore) -> None:
    [key] = store.client.call("KEYS", store.key("batch", "*", "after"))
    store.client.call("LSET", key, 0, b"torn")


@pytest.mark.parametrize(
    "tamper",
    [altered_record, altered_last_record, record_taken_out, altered_batch, torn_batch],
)
def test_verify_finds_what_was_altered_in_redis(
    new_redis_store: NewStore, tmp_path: Path, tamper: Callable[[RedisStore], None]
) -> None:
    store = RedisStore(new_redis_store(), create=True)
    file = tmp_path / "numbers.csv"
    file.write_text("+48600000000\n+48600000001\n")
    store.add("Default", Entry("+48600000000"), None)
    on(store.url, "import", "Default", str(file))
    on(store.url, "log", "verify")
    tamper(store)
    assert "error: " in on(store.url, "log", "verify", code=1).stderr


def status(url: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on(url, "status", "--json", code=code).stdout)
    return found


def test_status_shows_every_list(url: str, tmp_path: Path) -> None:
    is_redis = url.startswith("redis")
    told = on(url, "status", code=1 if is_redis else 0).stderr
    assert ("no rules are in force" in told) == is_redis
    assert ("nothing on this node follows the store" in told) == is_redis
    on(url, "reload")
    on(url, "add", "Default", "+48600100200")
    with running(tmp_path / "service", url=url):
        until(lambda: json.loads(run("status", "--json", store=url).stdout)["problems"] == [])
        until(lambda: run("status", store=url).returncode == 0)
        found = status(url)
        [row] = found["lists"]
        assert row["list"] == "Default"
        assert row["source"] == open_store(url).source("Default")
        assert (row["entries"], row["rejects"], row["problem"]) == (1, 0, None)
        assert row["generation"] >= 2
        assert row["bytes"] > 0
        assert row["age_seconds"] >= 0
        assert found["store"]["url"] == url
        assert found["store"]["state"] in ("ready", "following")
        assert found["store"]["changes_behind"] == 0
        assert found["rules"]["generation"] >= 1
        lines = on(url, "status").stdout.splitlines()
        assert lines[0].startswith(f"store {url}: ")
        assert lines[1].split() == [
            *("list", "entries", "rejects", "generation", "age", "bytes", "source")
        ]
        assert lines[2].startswith("Default ")
        if url.startswith("redis"):
            assert lines[-1].startswith("node ")


def test_rejects_show_in_status(new_csv_store: NewStore) -> None:
    url = new_csv_store()
    run("store", "create", url, "--region", "none")
    (Path(url.removeprefix("csv:")) / "lists" / "Default.csv").write_text(
        "number\nnonsense\n+48600100200\n"
    )
    on(url, "reload")
    assert "Default: 1 row cannot be read" in on(url, "status", code=1).stderr
    assert status(url, code=1)["lists"][0]["rejects"] == 1


def test_rules_go_out_and_come_back(url: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    on(url, "rules", "get", str(file))
    first, rest = file.read_text().split("\n", 1)
    assert first.startswith("# Rules of version ")
    assert rest == open_store(url).rules_text()
    file.write_text(f"{first}\n{RULES}")
    assert "is in force" in on(url, "rules", "put", str(file)).stdout
    assert open_store(url).rules_text() == RULES
    assert on(url, "rules", "get").stdout.endswith(f"\n{RULES}")
    on(url, "add", "Default", "600 100 200")
    assert "+48600100200" in on(url, "find", "600100200").stdout


def test_bad_rules_do_not_get_in(url: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    before = open_store(url).rules_text()
    file.write_text(RULES)
    assert "expected the version" in on(url, "rules", "put", str(file), code=2).stderr
    version = on(url, "rules", "get").stdout.split()[4].rstrip(".")
    file.write_text('[[forwarding]]\nlist = "Nope"\naction = "hangup"\n')
    done = on(url, "rules", "put", str(file), "--version", version, code=2)
    assert "forwarding[1].list" in done.stderr
    file.write_bytes(b"# \xff\n")
    done = on(url, "rules", "put", str(file), "--version", version, code=2)
    assert "expected UTF-8" in done.stderr
    assert open_store(url).rules_text() == before


def block(service: Service, number: str) -> dict[str, Any]:
    asked = ("--flow", "block", "--caller", "1000", "--number", number, "--list", "Default")
    return service.probe(*asked)


def test_a_number_from_a_phone_goes_to_every_store(url: str, tmp_path: Path) -> None:
    leg = ("--flow", "inbound", "--caller", "+48600100200", "--called", "1")
    with running(tmp_path / "service", "--block-time", "30", url=url) as service:
        assert block(service, "+48600100200")["status"] == "added"
        assert service.probe(*leg)["action"] == "hangup"
        assert block(service, "+48600100200")["status"] == "already there"
    (event,) = json.loads(on(url, "evidence", "+48600100200", "--json").stdout)["events"]
    assert event["command"] == "flow block"
    assert event["who"].startswith("1000@")
    on(url, "log", "verify")


def test_an_agent_is_told_when_redis_is_down(tmp_path: Path) -> None:
    node = {"CALLSIEVE_NODE_DIRECTORY": str(tmp_path / "node")}
    with one_server(tmp_path / "redis") as server:
        url = f"redis://127.0.0.1:{server.port}"
        assert run("store", "create", url, "--region", "none", **node).returncode == 0
        options = ("--block-time", "30")
        with running(tmp_path / "service", *options, url=url, **node) as service:
            server.kill()
            answer = block(service, "+48600100200")
    assert answer["status"] == "failed: store"
    assert answer["reason"].startswith(url)


def test_two_operators_do_not_overwrite_each_other(url: str, tmp_path: Path) -> None:
    """Both got the same version; whichever is put first, the other is told and nothing is lost."""
    files = [tmp_path / f"rules{at}.toml" for at in range(4)]
    for at, file in enumerate(files):
        on(url, "rules", "get", str(file))
        with file.open("a") as more:
            more.write(f"# change {at}\n")
    operators = [
        subprocess.Popen(
            [*CALLSIEVE, "rules", "put", str(file), "--store", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for file in files
    ]
    told = [operator.communicate(timeout=60)[1] for operator in operators]
    codes = [operator.returncode for operator in operators]
    assert sorted(codes) == [0, 5, 5, 5], told
    assert all("somebody changed them" in text for text in told if text)
    assert open_store(url).rules_text().endswith(f"# change {codes.index(0)}\n")


KINDS = ["csv", "redis"]


@pytest.mark.parametrize("source_kind", KINDS)
@pytest.mark.parametrize("target_kind", KINDS)
def test_a_copy_has_everything(
    source_kind: str,
    target_kind: str,
    new_csv_store: NewStore,
    new_redis_store: NewStore,
    tmp_path: Path,
) -> None:
    makers = {"csv": new_csv_store, "redis": new_redis_store}
    source_url, target_url = makers[source_kind](), makers[target_kind]()
    source = open_store(source_url, create=True)
    later = datetime.datetime(2099, 1, 1, 1, 2, 3, tzinfo=datetime.UTC)
    day = datetime.date(2020, 2, 29)
    content = {
        "Default": [
            Entry("+48600100200", day, 'said "no", twice', later),
            Entry("anonymous", None, ""),
            Entry("+4870*", day, "Łódź, 東京", None),
        ],
        "Łódź & co": [Entry(f"+48{600_000_000 + at}", day) for at in range(7000)],
        "Empty": [],
    }
    for name, entries in content.items():
        source.create_list(name)
        with source.edit(name, None) as edit:
            for entry in entries:
                edit.write(entry, None)
            edit.commit(BatchDetails())
    rules = tmp_path / "rules.toml"
    on(source_url, "rules", "get", str(rules))
    rules.write_text(rules.read_text().split("\n", 1)[0] + "\n" + RULES)
    on(source_url, "rules", "put", str(rules))

    done = run("store", "copy", source_url, target_url)
    assert done.returncode == 0, done.stderr
    assert "Łódź & co: 7000 copied, 0 not read\n" in done.stdout
    target = open_store(target_url)
    assert target.rules_text() == RULES
    assert target.list_names() == tuple(sorted(content))
    for name, entries in content.items():
        found = [row for row in target.entries(name, None) if isinstance(row, Entry)]
        assert sorted(found, key=lambda e: e.number) == sorted(entries, key=lambda e: e.number)
    again = run("store", "copy", source_url, target_url)
    assert again.returncode == 2
    assert "expected a store without entries" in again.stderr


def test_a_copy_names_the_rows_it_leaves_behind(
    new_csv_store: NewStore, new_redis_store: NewStore
) -> None:
    source_url, target_url = new_csv_store(), new_redis_store()
    run("store", "create", source_url, "--region", "none")
    directory = Path(source_url.removeprefix("csv:"))
    (directory / "callsieve.toml").write_text(RULES)
    (directory / "lists" / "Default.csv").write_text("600100200\nnonsense\n")
    done = run("store", "copy", source_url, target_url)
    assert done.returncode == 3
    assert "Default: 1 copied, 1 not read\n  line 2: 'nonsense': " in done.stdout
    [entry] = open_store(target_url).entries("Default", None)
    assert isinstance(entry, Entry)
    assert entry.number == "+48600100200"


def test_user_and_password_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    acl = ["--user default off", "--user pbx on >hunter2 ~{callsieve}:* +@all -@dangerous"]
    options = [word for user in acl for word in user.split()]
    node = {"CALLSIEVE_NODE_DIRECTORY": str(tmp_path / "node")}
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    with one_server(tmp_path / "redis", *options) as server:
        url = server.url()
        for given, code in (
            ({}, 5),
            ({"CALLSIEVE_REDIS_USERNAME": "pbx", "CALLSIEVE_REDIS_PASSWORD": "wrong"}, 5),
            ({"CALLSIEVE_REDIS_USERNAME": "pbx", "CALLSIEVE_REDIS_PASSWORD": "hunter2"}, 0),
            ({"CALLSIEVE_REDIS_USERNAME": "pbx", "CALLSIEVE_REDIS_PASSWORD_FILE": str(secret)}, 1),
            ({"CALLSIEVE_REDIS_PASSWORD_FILE": str(tmp_path / "none")}, 5),
            (
                {
                    "CALLSIEVE_REDIS_PASSWORD": "hunter2",
                    "CALLSIEVE_REDIS_PASSWORD_FILE": str(secret),
                },
                2,
            ),
        ):
            done = run("store", "create", url, "--region", "none", **node, **given)
            assert done.returncode == code, (given, done.stderr)
            assert "hunter2" not in done.stdout + done.stderr
        given = {"CALLSIEVE_REDIS_USERNAME": "pbx", "CALLSIEVE_REDIS_PASSWORD_FILE": str(secret)}
        with running(tmp_path / "service", url=url, **node, **given) as service:
            added = run("add", "Default", "+48600100200", store=url, **node, **given)
            assert added.returncode == 0, added.stderr
            leg = ("--flow", "inbound", "--caller", "+48600100200", "--called", "1")
            assert service.probe(*leg)["action"] == "hangup"
            children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
            until(lambda: children.read_text().split())
            for pid in (str(service.process.pid), *children.read_text().split()):
                assert b"hunter2" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_tls_needs_the_right_certificate(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(key), "-out", str(cert), "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    node = {"CALLSIEVE_NODE_DIRECTORY": str(tmp_path / "node")}
    options = ("--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    port = RedisServer(tmp_path / "unused").port
    with one_server(tmp_path / "redis", *options, "--tls-port", str(port)):
        unknown = run("store", "create", f"rediss://127.0.0.1:{port}", "--region", "none", **node)
        assert unknown.returncode == 5
        assert "certificate" in unknown.stderr.lower()
        known = run(
            "store", "create", f"rediss://127.0.0.1:{port}?ca={cert}", "--region", "none", **node
        )
        assert known.returncode == 0, known.stderr
