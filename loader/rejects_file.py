"""The rows of an import that were rejected, in a file to be corrected and imported again."""

import os
from errno import EISDIR
from pathlib import Path
from typing import TextIO

from loader.csv_layout import REJECT_COLUMNS, Layout
from loader.csv_rows import Row, csv_line
from loader.store import StoreError, os_problem

REJECTS_ENDING = ".rejects.csv"


class RejectsFile:
    """Each row as it was, its line and the reason. A context manager.

    It is made when there is the first row, in UTF-8, and appears whole at keep() or not at all.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self._working = self.path.with_name(f".{self.path.name}.new")
        self._layout = layout
        # Rejects of a file of rejects have a new line and reason, not two of each.
        self._width = layout.width
        if layout.header[-len(REJECT_COLUMNS) :] == REJECT_COLUMNS:
            self._width -= len(REJECT_COLUMNS)
        self._file: TextIO | None = None

    def __enter__(self) -> "RejectsFile":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
            self._working.unlink(missing_ok=True)

    def write(self, row: Row, reason: str) -> None:
        """Raises StoreError."""
        try:
            if self._file is None:
                if self.path.is_dir():
                    raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(self.path))
                self._file = self._working.open(
                    "w", encoding="utf-8", errors="backslashreplace", newline=""
                )
                self._write([*self._header(), *REJECT_COLUMNS])
            unclear = row.problem or len(row.cells) > self._layout.width
            cells = [row.raw.rstrip("\r\n")] if unclear else row.cells[: self._width]
            padding = [""] * (self._width - len(cells))
            self._write([*cells, *padding, str(row.line), reason])
        except OSError as error:
            raise StoreError(os_problem(error, self.path)) from error

    def keep(self) -> Path | None:
        """Put the file in its place; None when no row was rejected. Raises StoreError."""
        if self._file is None:
            return None
        try:
            self._file.close()
            self._working.replace(self.path)
        except OSError as error:
            raise StoreError(os_problem(error, self.path)) from error
        return self.path

    def _write(self, cells: list[str]) -> None:
        assert self._file
        self._file.write(csv_line(cells, self._layout.delimiter))

    def _header(self) -> list[str]:
        """The file's own, or one that maps the columns in the same way when it is imported."""
        if self._layout.header:
            return list(self._layout.header[: self._width])
        names = {at: name for name, at in self._layout.columns.items()}
        return [names.get(at, f"column {at + 1}") for at in range(self._width)]
