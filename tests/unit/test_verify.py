"""Altered bytes are found by the command and by the service's watch, and are then no answer."""

import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, NoReturn

import gevent
import pytest
import structlog
from click.testing import CliRunner, Result
from gevent.event import AsyncResult

from callsieve.checksums import watch_checksums
from callsieve.verify_command import verify
from loader.csv_store import CsvStore
from lookup_core import Catalog, PublishedList, UnavailableList
from tests.support.altered_files import LINES

NUMBER = "+48600100200"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    store = CsvStore(tmp_path, create=True)
    catalog = Catalog(store.catalog_directory, create=True)
    catalog.publish("Default", [NUMBER])
    catalog.publish("VIP", ["+48600100201"])
    return catalog


def published(catalog: Catalog, name: str) -> PublishedList:
    found = catalog.current().lists[name]
    assert isinstance(found, PublishedList)
    return found


def alter(catalog: Catalog, name: str) -> Path:
    """Turns a bit in the lines of the list's numbers, in place, as a bad disk would."""
    path: Path = published(catalog, name).snapshot.path
    with path.open("r+b") as file:
        file.seek(LINES)
        (byte,) = file.read(1)
        file.seek(LINES)
        file.write(bytes([byte ^ 1]))
    return path


def run(catalog: Catalog, *arguments: str) -> Result:
    store = f"csv:{catalog.directory.parent}"
    return CliRunner().invoke(verify, arguments, env={"CALLSIEVE_STORE": store})


def test_the_command_says_what_is_as_written_and_what_is_not(catalog: Catalog) -> None:
    assert run(catalog).exit_code == 0
    path = alter(catalog, "VIP")
    result = run(catalog)
    assert result.exit_code == 5
    header, default, vip = result.output.splitlines()
    assert header.split() == ["list", "generation", "bytes", "state"]
    assert default.startswith("Default")
    assert default.endswith("as written")
    assert f"{path}: section[1].checksum: expected" in vip
    assert run(catalog, "Default").exit_code == 0
    assert run(catalog, "Default", "Nobody").exit_code == 1
    (row,) = json.loads(run(catalog, "VIP", "--json").output)
    assert row["list"] == "VIP"
    assert row["problem"].startswith(str(path))


def test_the_watch_makes_an_altered_list_unavailable(catalog: Catalog) -> None:
    alter(catalog, "Default")
    told: AsyncResult[MutableMapping[str, Any]] = AsyncResult()

    def tell(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> NoReturn:
        told.set(event)
        raise structlog.DropEvent

    structlog.configure(processors=[tell])
    watch = gevent.spawn(watch_checksums, catalog)
    try:
        assert told.get(timeout=20)["list"] == "Default"
        found = catalog.current().lists["Default"]
        assert isinstance(found, UnavailableList)
        assert "section[1].checksum" in found.reason
        assert published(catalog, "VIP").match("+48600100201")
        # Written anew, it is trusted again.
        catalog.publish("Default", [NUMBER])
        assert published(catalog, "Default").match(NUMBER) == NUMBER
        assert catalog.current().problems == ()
    finally:
        watch.kill()
        structlog.reset_defaults()
