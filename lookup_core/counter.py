"""8 bytes by which readers notice, without a lock or a system call, that something was published.

One integer, little-endian, that only grows. Even: catalog.json is as it was when the counter got
this value. Odd: a publisher is replacing catalog.json, or died while doing so; readers then do not
rely on the counter but look at the file, until the next publisher has made it even again.
"""

import contextlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from lookup_core.errors import CatalogError
from lookup_core.snapshot_format import replace_file

COUNTER_FILE = "counter"
_BYTES = 8


def create_counter(path: Path) -> None:
    """Makes one that is 0 unless there is one. Raises OSError."""
    if not path.exists():
        replace_file(path, [bytes(_BYTES)])


def map_counter(path: Path) -> memoryview:
    """The counter as one native 64-bit integer, mapped read-only. Raises CatalogError, OSError."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != _BYTES:
                raise CatalogError(f"{path}: expected {_BYTES} bytes, found {size}")
            return memoryview(mmap.mmap(file.fileno(), _BYTES, access=mmap.ACCESS_READ)).cast("Q")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CatalogError(
            f"{path.parent}: expected the directory of a catalog, found no {path.name} in it"
        ) from error


@contextlib.contextmanager
def counted(path: Path) -> Iterator[None]:
    """Within it the counter is odd: for the one publisher that replaces catalog.json.

    Raises OSError. It stays odd when the replacing fails, as when the publisher is killed.
    """
    with path.open("r+b", buffering=0) as file:
        count = (int.from_bytes(os.pread(file.fileno(), _BYTES, 0), "little") + 1) | 1
        os.pwrite(file.fileno(), count.to_bytes(_BYTES, "little"), 0)
        yield
        os.pwrite(file.fileno(), (count + 1).to_bytes(_BYTES, "little"), 0)
