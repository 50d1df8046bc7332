"""catalog.json: what is published, and in which files. Its replacement is the commit."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from lookup_core.errors import CatalogError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

CATALOG_FILE = "catalog.json"
CATALOG_VERSION = 2
_FORMAT = "callsieve catalog"
MAX_CATALOG_BYTES = 64 * 2**20


@dataclass
class Files:
    """Which files a generation is in. delta: 0 when there is none. info: the publisher's."""

    base: int
    delta: int
    info: dict[str, JSON]


@dataclass
class Row:
    """A list in catalog.json."""

    generation: int
    files: Files
    previous: Files | None

    def next(self, base: int, delta: int, info: dict[str, JSON]) -> "Row":
        """The generation after this one."""
        return Row(self.generation + 1, Files(base, delta, info), self.files)


@dataclass
class Contents:
    """catalog.json. last_generations: of withdrawn lists, so that no file name is used twice."""

    sequence: int = 0
    lists: dict[str, Row] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_generations: dict[str, int] = field(default_factory=dict)

    def generations(self) -> Iterator[tuple[str, Files]]:
        """Every list's name with its current generation, and with the one before it."""
        for name, row in self.lists.items():
            yield name, row.files
            if row.previous is not None:
                yield name, row.previous


def encode(path: Path, contents: Contents) -> bytes:
    """The bytes of catalog.json. Raises CatalogError when they are too many; path: its name."""
    data = json.dumps(
        {
            "format": _FORMAT,
            "version": CATALOG_VERSION,
            "sequence": contents.sequence,
            "lists": {name: asdict(row) for name, row in contents.lists.items()},
            "documents": contents.documents,
            "last_generations": contents.last_generations,
        },
        indent=1,
    ).encode("ascii")
    if len(data) > MAX_CATALOG_BYTES:
        raise CatalogError(f"{path}: expected at most {MAX_CATALOG_BYTES} bytes, found {len(data)}")
    return data


def load(path: Path) -> Contents:
    """Reads and checks catalog.json. Raises CatalogError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CATALOG_BYTES + 1)
    except OSError as error:
        raise CatalogError(f"{path}: expected a readable file, found {error}") from error
    if len(data) > MAX_CATALOG_BYTES:
        raise CatalogError(f"{path}: expected at most {MAX_CATALOG_BYTES} bytes, found more")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: expected JSON, found {error}") from error

    def expect(place: str, good: bool, expected: str, value: object) -> None:
        if not good:
            raise CatalogError(f"{path}: {place}: expected {expected}, found {value!r:.60}")

    def count(place: str, value: object, least: int) -> None:
        good = type(value) is int and value >= least
        expect(place, good, f"a whole number from {least}", value)

    expect("document", isinstance(found, dict), "an object", found)
    expect("format", found.get("format") == _FORMAT, repr(_FORMAT), found.get("format"))
    version = found.get("version")
    expect("version", version == CATALOG_VERSION, str(CATALOG_VERSION), version)
    count("sequence", found.get("sequence"), 0)

    def rows(part: str, keys: set[str]) -> dict[str, Any]:
        rows = found.get(part)
        expect(part, isinstance(rows, dict), "an object", rows)
        for name, row in rows.items():
            place = f"{part}[{name!r}]"
            good = isinstance(row, dict) and row.keys() == keys
            expect(place, good, f"an object of {', '.join(sorted(keys))}", row)
            count(f"{place}.generation", row["generation"], 1)
        return rows  # type: ignore[no-any-return]

    def files(place: str, value: Any) -> Files:
        good = isinstance(value, dict) and value.keys() == {"base", "delta", "info"}
        expect(place, good, "an object of base, delta, info", value)
        count(f"{place}.base", value["base"], 1)
        count(f"{place}.delta", value["delta"], 0)
        expect(f"{place}.info", isinstance(value["info"], dict), "an object", value["info"])
        return Files(**value)

    lists = {}
    for name, row in rows("lists", {"generation", "files", "previous"}).items():
        place = f"lists[{name!r}]"
        previous = row["previous"]
        lists[name] = Row(
            row["generation"],
            files(f"{place}.files", row["files"]),
            None if previous is None else files(f"{place}.previous", previous),
        )
    documents = rows("documents", {"generation", "text", "info"})
    for name, row in documents.items():
        place = f"documents[{name!r}]"
        expect(f"{place}.info", isinstance(row["info"], dict), "an object", row["info"])
        expect(f"{place}.text", isinstance(row["text"], str), "text", row["text"])
    withdrawn = found.get("last_generations")
    expect("last_generations", isinstance(withdrawn, dict), "an object", withdrawn)
    for name, generation in withdrawn.items():
        count(f"last_generations[{name!r}]", generation, 1)
    return Contents(found["sequence"], lists, documents, withdrawn)
