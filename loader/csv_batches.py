"""The rows of batches, in files that nothing writes to once they are in place.

    ID.before.csv, ID.after.csv     a list's columns; see change_log.Batch
    ID.change.csv                   a registry's change file
    SHA256.toml                     a text of the rules

A process killed before its batch was recorded may leave files that no record names.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from loader.change_log import BATCH_ID, Batch, BatchFile, BrokenLogError, Part
from loader.csv_list import (
    ListFile,
    give_to_owner,
    open_regular,
    replacing,
    rows_of,
    sync_directory,
    system_errors,
)
from loader.store import Entry, Reject, quoted

MAX_TEXT_BYTES = 16_000_000
SHA256 = re.compile(r"[0-9a-f]{64}")


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

    def keep_text(self, text: str) -> str:
        """Keep a text of the rules; its SHA-256. Raises StoreError."""
        data = text.encode()
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._text_path(sha256)
        if not path.exists():
            self.make_directory()
            with system_errors(path), replacing(path) as file:
                file.write(text)
            give_to_owner(path, self._directory)
        return sha256

    def text(self, sha256: str) -> str:
        """A text that was kept. Raises BrokenLogError when it is not what it was, StoreError."""
        path = self._text_path(sha256)
        with system_errors(path), open_regular(path) as file:
            data = file.read(MAX_TEXT_BYTES)
        if (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise BrokenLogError(
                f"rules: {path}: expected the SHA-256 {sha256[:16]}..., found {found[:16]}...:"
                " the file was altered"
            )
        return data.decode()

    def _text_path(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise BrokenLogError(f"change log: expected a SHA-256, found {quoted(sha256)}")
        return self._directory / f"{sha256}.toml"

    def rows(self, batch: Batch, part: Part, region: str | None) -> Iterator[Entry | Reject]:
        """region: of the list. Only a list that was removed has rows that were written by hand."""
        if getattr(batch, part) is not None:
            yield from ListFile(self.path(batch.id, part), region)

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
