"""Packed numbers, the snapshot of a number list, and the catalog of generations."""

from lookup_core.catalog import (
    Catalog,
    Document,
    PublishedList,
    UnavailableList,
    View,
)
from lookup_core.errors import (
    CatalogError,
    CorruptSnapshotError,
    FormatVersionError,
    SnapshotError,
)
from lookup_core.packing import pack, unpack
from lookup_core.snapshot import Snapshot

__all__ = [
    "Catalog",
    "CatalogError",
    "CorruptSnapshotError",
    "Document",
    "FormatVersionError",
    "PublishedList",
    "Snapshot",
    "SnapshotError",
    "UnavailableList",
    "View",
    "pack",
    "unpack",
]
