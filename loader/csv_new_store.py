"""What a new CSV store has: the list Default, and rules with comments."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from loader.csv_list import HEADER, replacing
from loader.new_rules import NEW_RULES
from loader.store import DEFAULT_LIST


def make_store(
    lists: Path, rules: Path, lock: Callable[[Path], AbstractContextManager[None]]
) -> None:
    """Make what is missing. lock: of a file. Raises StoreError, OSError."""
    lists.mkdir(parents=True, exist_ok=True)
    default = lists / f"{DEFAULT_LIST}.csv"
    # Rules that are missing from a store that has lists were lost: an empty file in their place
    # would take effect with the next reload. So they are made first, and only then.
    is_new = not any(lists.glob("*.csv"))
    for path, text in ((rules, NEW_RULES), (default, HEADER + "\n")):
        if (is_new or path == default) and not path.exists():
            with lock(path):
                if not path.exists():
                    with replacing(path) as file:
                        file.write(text)
