"""Several processes that change one list at once."""

import datetime
import subprocess
import sys
from pathlib import Path

import pytest

from callsieve.stores import place_of
from loader.csv_store import CsvStore
from loader.list_keys import ListKeys
from loader.locking import locked
from loader.publishing import publish_list
from loader.store import Entry, StoreError, open_store
from lookup_core import Catalog, PublishedList
from tests.conftest import NewStore

ADDS = 60

WRITER = """
import sys
from callsieve.stores import place_of
from loader.store import Entry, open_store

place = place_of(open_store(sys.argv[1]))
store, catalog = place.store, place.catalog
first, adds = int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, first + adds):
    store.add("Default", Entry(f"+48{number}", None, "by hand, or so"), "PL")
    if number % 3 == 0:
        store.remove("Default", f"+48{number}", "PL")
    place.publish("Default", "PL")
    # What is published after a change has the change in it, whoever published last.
    assert (f"+48{number}" in catalog.current().lists["Default"].snapshot) == (number % 3 != 0)
"""


def test_no_entry_is_lost_and_what_is_published_has_all(new_store: NewStore) -> None:
    url = new_store()
    place = place_of(open_store(url, create=True))
    place.publish("Default", "PL")
    firsts = [600_000_000, 700_000_000]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(first), str(ADDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in firsts
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    expected = {f"+48{first + at}" for first in firsts for at in range(ADDS) if (first + at) % 3}
    rows = list(place.store.entries("Default", "PL"))
    assert all(isinstance(row, Entry) for row in rows)
    assert sorted(row.number for row in rows if isinstance(row, Entry)) == sorted(expected)
    published = place.catalog.current().lists["Default"]
    assert isinstance(published, PublishedList)
    assert set(published.snapshot) == expected


def test_nobody_changes_a_list_between_its_reading_and_its_publishing(tmp_path: Path) -> None:
    """Else the older reading could be published last."""
    tried = []

    class Watched(CsvStore):
        def keys(self, name: str, region: str | None, now: datetime.datetime) -> ListKeys:
            lock = self.directory / "lists" / f".{name}.csv.lock"
            with pytest.raises(StoreError, match="another command"), locked(lock, name, wait=0):
                pass
            tried.append(name)
            return super().keys(name, region, now)

    store = Watched(tmp_path / "store", create=True)
    catalog = Catalog(store.catalog_directory, create=True)
    publish_list(store, catalog, "Default", "PL", datetime.datetime.now(datetime.UTC))
    assert tried == ["Default"]


def test_a_lock_that_is_never_released_is_an_error_that_names_the_list(tmp_path: Path) -> None:
    path = tmp_path / ".Default.csv.lock"
    with (
        locked(path, "lists/Default.csv"),
        pytest.raises(StoreError, match=r"lists/Default\.csv: another command"),
        locked(path, "lists/Default.csv", wait=0.02),
    ):
        pass


def test_the_lock_of_a_list_that_was_removed_and_made_again_is_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with locked(path, "list"):
        path.unlink()
        with locked(path, "list", wait=0.02):  # another file: not held by anybody
            pass
