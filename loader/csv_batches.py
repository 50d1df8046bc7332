"""The rows of batches, in files that nothing writes to once they are in place.

    ID.before.csv, ID.after.csv     a list's columns; see change_log.Batch
    ID.change.csv                   a registry's change file

A process killed before its batch was recorded may leave files that no record names.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from loader.change_log import BATCH_ID, Batch, BatchFile, BrokenLogError, Part
from loader.csv_list import ListFile, give_to_owner, rows_of, sync_directory, system_errors
from loader.store import Entry, Reject, quoted


class CsvBatches:
    """The batches of a store, in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, identity: str, part: str) -> Path:
        """Raises BrokenLogError for what is no batch's name."""
        if not BATCH_ID.fullmatch(identity):
            raise BrokenLogError(f"change log: expected a batch's name, found {quoted(identity)}")
        return self._directory / f"{identity}.{part}.csv"

    def make_directory(self) -> None:
        with system_errors(self._directory):
            if not self._directory.is_dir():
                self._directory.mkdir(exist_ok=True)
                give_to_owner(self._directory, self._directory.parent)

    def keep(self, identity: str, files: dict[str, Path]) -> list[Path]:
        """Move synced files into their places, part -> file. Raises StoreError; none was then."""
        kept: list[Path] = []
        self.make_directory()
        with system_errors(self._directory):
            try:
                for part, file in files.items():
                    kept.append(file.replace(self.path(identity, part)))
                sync_directory(self._directory)
            except BaseException:
                for path in kept:
                    path.unlink(missing_ok=True)
                raise
        return kept

    def rows(self, batch: Batch, part: Part) -> Iterator[Entry | Reject]:
        if getattr(batch, part) is not None:
            yield from ListFile(self.path(batch.id, part), None)

    def find(self, batch: Batch, part: Part, number: str) -> Iterator[Entry]:
        """The entries that are this number or a prefix of it."""
        if getattr(batch, part) is not None:
            yield from rows_of(ListFile(self.path(batch.id, part), None), number, None)

    def check(self, batch: Batch) -> None:
        """Raises BrokenLogError when the rows are not those that were recorded."""
        for part in ("before", "after"):
            file: BatchFile | None = getattr(batch, part)
            if file is None:
                continue
            path = self.path(batch.id, part)
            with system_errors(path), path.open("rb") as rows:
                found = hashlib.file_digest(rows, "sha256").hexdigest()
            if found != file.sha256:
                raise BrokenLogError(
                    f"batch {batch.id}: {path}: expected the SHA-256 {file.sha256[:16]}...,"
                    f" found {found[:16]}...: the file was altered"
                )
