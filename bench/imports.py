"""What an import takes, and what phonenumbers alone takes for the same rows."""

from __future__ import annotations

import csv
import datetime
import random
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberFormat

from bench.process_memory import anonymous_bytes, peak_bytes
from loader.attached_list import new_attached
from loader.csv_import import ImportReport, import_file
from loader.csv_layout import Wanted, read_layout
from loader.csv_store import CsvStore
from loader.publishing import publish_list
from lookup_core import Catalog

REGION = "PL"
_MOBILE = ("50", "51", "53", "57", "60", "66", "69", "72", "78", "79", "88")
_MIXED = (
    "{0}{1}{2}",
    "+48{0}{1}{2}",
    "0048{0}{1}{2}",
    "48{0}{1}{2}",
    "{0} {1} {2}",
    "{0}-{1}-{2}",
    "+48 {0} {1} {2}",
    "(+48) {0}-{1}-{2}",
    "0048 {0} {1} {2}",
)


def _plain(_: random.Random, digits: str) -> str:
    return f"+48{digits}"


def _mixed(rng: random.Random, digits: str) -> str:
    return rng.choice(_MIXED).format(digits[:3], digits[3:6], digits[6:])


def _described(rng: random.Random, digits: str) -> str:
    return f"+48{digits},2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02},asked by e-mail"


SPELLINGS: dict[str, Callable[[random.Random, str], str]] = {
    "plain E.164": _plain,
    "mixed formats": _mixed,
    "with date and note": _described,
}


def write_rows(file: Path, spelling: str, count: int, numbers: int, seed: int = 1) -> None:
    """A CSV file of `count` rows of so many different numbers, in no order."""
    rng = random.Random(seed)
    with file.open("w", encoding="ascii") as out:
        for row in range(count):
            out.write(spelt(rng, spelling, row, numbers) + "\n")


def spelt(rng: random.Random, spelling: str, row: int, numbers: int) -> str:
    """The row of so many different numbers, in no order."""
    at = row * 999_999_937 % numbers  # a prime: every number comes equally often
    digits = f"{_MOBILE[at % len(_MOBILE)]}{at * 7_654_321 % 10_000_000:07}"
    return SPELLINGS[spelling](rng, digits)


def import_rows(directory: Path, file: Path, again: bool) -> dict[str, Any]:
    """Import the file into a new store and publish it, as `callsieve import` does.

    again: once more into the list that has them all; that is what is measured then.
    """
    store_directory = directory / "store"
    shutil.rmtree(store_directory, ignore_errors=True)
    store = CsvStore(store_directory, create=True)
    catalog = Catalog(store.catalog_directory, create=True)
    if again:
        _import(store, file)
    before = anonymous_bytes()
    began, began_cpu = time.perf_counter_ns(), time.process_time_ns()
    report = _import(store, file)
    imported, imported_cpu = time.perf_counter_ns(), time.process_time_ns()
    published = publish_list(store, catalog, "Default", REGION, datetime.datetime.now(datetime.UTC))
    ended, ended_cpu = time.perf_counter_ns(), time.process_time_ns()
    if report.rejected or published.entries > report.accepted:
        raise ValueError(f"expected every row accepted, found {report.named_rejects[:3]}")
    return {
        "rows": report.accepted,
        "entries": published.entries,
        "import_ns": imported - began,
        "import_cpu_ns": imported_cpu - began_cpu,
        "publish_ns": ended - imported,
        "publish_cpu_ns": ended_cpu - imported_cpu,
        "peak": peak_bytes() - before,
    }


def _import(store: CsvStore, file: Path) -> ImportReport:
    report = ImportReport(read_layout(file, Wanted(), REGION))
    import_file(store, "Default", file, report, REGION)
    return report


def phonenumbers_alone(file: Path, rows: int) -> dict[str, int]:
    """The least that an import by phonenumbers would do: read, check and format each number."""
    with file.open(encoding="ascii") as lines:
        texts = [line.split(",")[0].rstrip() for line in islice(lines, rows)]
    began = time.process_time_ns()
    found = set(_e164(texts))
    return {"rows": len(texts), "cpu_ns": time.process_time_ns() - began, "entries": len(found)}


def _e164(texts: list[str]) -> Iterator[str]:
    for text in texts:
        number = phonenumbers.parse(text, REGION)
        if phonenumbers.is_possible_number(number):
            yield phonenumbers.format_number(number, PhoneNumberFormat.E164)


def write_registry(file: Path, rows: int) -> None:
    """A file of the format ftc, ascending, as registries are."""
    with file.open("w", encoding="ascii") as out:
        for row in range(rows):
            digits = str(2_010_000_000 + row * (7_980_000_000 // rows))
            out.write(f"{digits[:3]},{digits[3:]}\n")


def attach_rows(directory: Path, file: Path) -> dict[str, Any]:
    """Attach the file and publish it, as `callsieve list attach` does."""
    store_directory = directory / "store"
    shutil.rmtree(store_directory, ignore_errors=True)
    store = CsvStore(store_directory, create=True)
    catalog = Catalog(store.catalog_directory, create=True)
    began, began_cpu = time.perf_counter_ns(), time.process_time_ns()
    store.attach("Registry", new_attached(file, "ftc", None, None, 31, lambda _: None))
    report = publish_list(store, catalog, "Registry", None, datetime.datetime.now(datetime.UTC))
    return {
        "rows": report.entries,
        "cpu_ns": time.process_time_ns() - began_cpu,
        "wall_ns": time.perf_counter_ns() - began,
        "store_bytes": sum(path.stat().st_size for path in (store_directory / "lists").iterdir()),
        "peak": peak_bytes(),
    }


def csv_into_a_set(file: Path, rows: int) -> dict[str, int]:
    """What a program without Callsieve would do with a registry's file."""
    began = time.process_time_ns()
    with file.open(encoding="ascii", newline="") as lines:
        found = {f"+1{area}{number}" for area, number in islice(csv.reader(lines), rows)}
    return {"rows": len(found), "cpu_ns": time.process_time_ns() - began}
