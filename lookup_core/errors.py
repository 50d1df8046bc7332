"""What can be wrong with a file of this package. Every error names the file and the field."""

from pathlib import Path


class SnapshotError(Exception):
    """A snapshot file that cannot be used.

    path: the file. field: its name in docs/snapshot-format.md. expected, found: what stood there.
    """

    def __init__(self, path: str | Path, field: str, expected: object, found: object) -> None:
        super().__init__(path, field, expected, found)
        self.path = Path(path)
        self.field = field
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.path}: {self.field}: expected {self.expected}, found {self.found}"


class CorruptSnapshotError(SnapshotError):
    """The file is no snapshot, is incomplete, or was altered."""


class FormatVersionError(SnapshotError):
    """The file is of another version of the format, or of another byte order."""


class CatalogError(Exception):
    """A catalog directory that cannot be used; names the file, what was expected and found."""
