"""Files of registries for tests, and what a list that is attached to one has."""

from __future__ import annotations

from loader.csv_store import CsvStore
from loader.store import Entry
from tests.support.shell import Shell


def registry(shell: Shell, name: str, data: str | bytes) -> str:
    """The path of a new file beside the store."""
    file = shell.directory.parent / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(file)


def numbers(shell: Shell, name: str = "US") -> list[str]:
    """Those of the list, in the file's order, as the shell of a Polish store reads them."""
    rows = CsvStore(shell.directory).entries(name, "PL")
    return [row.number for row in rows if isinstance(row, Entry)]
