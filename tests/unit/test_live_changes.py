"""What a command changed is published as a small delta, and never less than what the store has."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from callsieve.stores import Place
from callsieve.supervisor import Job
from callsieve.upkeep import Upkeep
from callsieve.upkeep_command import upkeep
from loader import live_lists
from loader.csv_store import CsvStore
from loader.publishing import next_expiry
from loader.store import Entry
from lookup_core import PublishedList

NUMBERS = [f"+4860010020{digit}" for digit in range(10)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    store = CsvStore(tmp_path / "store", create=True)
    (store.directory / "callsieve.toml").write_text('default_region = "PL"\n')
    place = Place(store)
    store.add("Default", Entry(NUMBERS[0]), "PL")
    place.publish("Default", "PL")
    return place


def published(place: Place) -> PublishedList:
    found = place.catalog.current().lists["Default"]
    assert isinstance(found, PublishedList)
    return found


def put(place: Place, entry: Entry) -> None:
    place.store.add("Default", entry, "PL")
    place.publish_changes("Default", "PL", {entry.number: entry})


def take_out(place: Place, number: str) -> None:
    place.store.remove("Default", number, "PL")
    place.publish_changes("Default", "PL", {number: None})


def tomorrow() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)


def test_a_change_is_a_delta_and_counts_entries(place: Place) -> None:
    base = published(place).base
    put(place, Entry("+4860010*"))
    put(place, Entry(NUMBERS[1]))
    put(place, Entry(NUMBERS[1], description="again"))
    put(place, Entry(NUMBERS[2], expires=tomorrow()))
    take_out(place, NUMBERS[0])
    found = published(place)
    assert found.base == base
    assert set(found.snapshot) == {NUMBERS[1], NUMBERS[2]}
    assert found.snapshot.prefixes == ("+4860010*",)
    assert found.info["entries"] == 3
    end = next_expiry(found)
    assert end is not None
    assert end > tomorrow() - datetime.timedelta(minutes=1)
    take_out(place, NUMBERS[2])
    assert next_expiry(published(place)) is None


@pytest.mark.parametrize("lost", ["a change that nobody published", "an edit by hand"])
def test_what_is_not_published_comes_with_the_next_change(place: Place, lost: str) -> None:
    base = published(place).base
    if lost == "an edit by hand":
        file = place.store.catalog_directory.parent / "lists" / "Default.csv"
        file.write_text(file.read_text() + f"{NUMBERS[5]},,,\n")
    else:
        CsvStore(place.store.catalog_directory.parent).add("Default", Entry(NUMBERS[5]), "PL")
    put(place, Entry(NUMBERS[6]))
    assert set(published(place).snapshot) == {NUMBERS[0], NUMBERS[5], NUMBERS[6]}
    assert published(place).base > base
    put(place, Entry(NUMBERS[7]))
    assert published(place).generation == published(place).base + 1, "a delta again"


def test_a_number_that_another_row_has_for_ever_does_not_end(place: Place) -> None:
    file = place.store.catalog_directory.parent / "lists" / "Default.csv"
    file.write_text(
        f"number,date,description,expires\n{NUMBERS[0]},,,2099-01-01T00:00:00Z\n{NUMBERS[0]},,,\n"
        f"{NUMBERS[1]},,,2099-01-01T00:00:00Z\n{NUMBERS[1]},,,2098-01-01T00:00:00Z\n"
    )
    report = place.publish("Default", "PL")
    assert report.entries == 2
    assert report.next_expiry == datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
    assert next_expiry(published(place)) == report.next_expiry


def run_upkeep(place: Place) -> None:
    result = CliRunner().invoke(upkeep, env={"CALLSIEVE_STORE": place.store.url})
    assert result.exit_code == 0, result.output


def test_upkeep_ends_entries_without_reading_the_list(place: Place) -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(milliseconds=50)
    put(place, Entry(NUMBERS[1], expires=soon))
    put(place, Entry(NUMBERS[2], expires=tomorrow()))
    base = published(place).base
    while datetime.datetime.now(datetime.UTC) <= soon:
        pass
    run_upkeep(place)
    assert set(published(place).snapshot) == {NUMBERS[0], NUMBERS[2]}
    assert published(place).base == base
    generation = published(place).generation
    run_upkeep(place)
    assert published(place).generation == generation, "nothing to do"


def test_upkeep_folds_a_list_that_was_changed_often(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_lists, "MOST_GENERATIONS", 3)
    for number in NUMBERS[1:6]:
        put(place, Entry(number))
    assert published(place).generation - published(place).base == 5
    run_upkeep(place)
    assert published(place).generation == published(place).base
    assert set(published(place).snapshot) == set(NUMBERS[:6])
    put(place, Entry(NUMBERS[6]))
    assert set(published(place).snapshot) == set(NUMBERS[:7])


def test_the_service_starts_upkeep_only_when_there_is_something_to_do(place: Place) -> None:
    started: list[list[str]] = []

    def spawn(job: Job, ended: Callable[[int], None]) -> None:
        assert job.environment == {"CALLSIEVE_STORE": place.store.url}
        started.append(job.command)
        ended(0)

    watch = Upkeep(place.store, place.catalog, spawn)
    watch.check()
    assert started == []
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(milliseconds=50)
    put(place, Entry(NUMBERS[1], expires=soon))
    while not started:
        watch.check()
    assert datetime.datetime.now(datetime.UTC) > soon
    assert started[0][-1] == "upkeep"
