"""The files that a generation of a number list is in: a snapshot, or one and a delta over it.

    <hash of name>-<number>.snapshot    all of a list; immutable
    <hash of name>-<number>.delta       what a later generation changes in it; immutable

Readers have them mapped, so none is ever written again under its name, only deleted.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from lookup_core.catalog_file import Files
from lookup_core.snapshot import Snapshot

_SNAPSHOT, _DELTA = ".snapshot", ".delta"


def snapshot_path(directory: Path, name: str, number: int) -> Path:
    """Where the snapshot that was made for that generation of the list is."""
    return directory / f"{_stem(name, number)}{_SNAPSHOT}"


def delta_path(directory: Path, name: str, number: int) -> Path:
    """Where the delta that was made for that generation of the list is."""
    return directory / f"{_stem(name, number)}{_DELTA}"


def _stem(name: str, number: int) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{digest[:32]}-{number}"


def open_generation(directory: Path, name: str, files: Files) -> Snapshot:
    """The list as it is in these files. Raises what Snapshot.open raises."""
    delta = delta_path(directory, name, files.delta) if files.delta else None
    return Snapshot.open(snapshot_path(directory, name, files.base), delta=delta)


def delete_all_but(directory: Path, kept: Iterable[tuple[str, Files]]) -> None:
    """Deletes every snapshot and delta that is not of one of these lists' generations."""
    paths = {
        path
        for name, files in kept
        for path in (
            snapshot_path(directory, name, files.base),
            delta_path(directory, name, files.delta),
        )
    }
    for path in directory.iterdir():
        if path.suffix in (_SNAPSHOT, _DELTA) and path not in paths:
            path.unlink(missing_ok=True)
