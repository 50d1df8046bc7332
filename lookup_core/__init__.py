"""Packed numbers, the snapshot of a number list, and the catalog of generations."""

from lookup_core.address_rows import MAX_ADDRESSES, is_address
from lookup_core.catalog import Catalog
from lookup_core.catalog_file import JSON
from lookup_core.errors import (
    CatalogError,
    CorruptSnapshotError,
    FormatVersionError,
    SnapshotError,
)
from lookup_core.packing import pack, pack_entry, unpack, unpack_entry
from lookup_core.readers import Reader, ReaderFile, readers
from lookup_core.snapshot import Snapshot
from lookup_core.views import Document, PublishedList, UnavailableList, View

__all__ = [
    "JSON",
    "MAX_ADDRESSES",
    "Catalog",
    "CatalogError",
    "CorruptSnapshotError",
    "Document",
    "FormatVersionError",
    "PublishedList",
    "Reader",
    "ReaderFile",
    "Snapshot",
    "SnapshotError",
    "UnavailableList",
    "View",
    "is_address",
    "pack",
    "pack_entry",
    "readers",
    "unpack",
    "unpack_entry",
]
