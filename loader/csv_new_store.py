"""What a new CSV store has: the list Default, and rules with comments."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from loader.csv_files import RULES_FILE
from loader.csv_list import HEADER, replacing
from loader.new_rules import new_rules
from loader.store import DEFAULT_LIST


def is_new(directory: Path) -> bool:
    """Whether the rules are to be made, too. Those that are missing from a store that has lists, or
    has published some, were lost: others in their place would take effect with the next reload.
    """
    if not directory.is_dir():
        return True
    found = {child.name for child in directory.iterdir()}
    if not found & {RULES_FILE, "snapshots"} and (not found or "lists" in found):
        return not any((directory / "lists").glob("*.csv"))
    return False


def make_store(
    directory: Path, region: str | None, lock: Callable[[Path], AbstractContextManager[None]]
) -> None:
    """Make what is missing. region: the rules' default. lock: of a file. Raises StoreError,
    OSError.
    """
    lists, rules = directory / "lists", directory / RULES_FILE
    begins = is_new(directory)
    lists.mkdir(parents=True, exist_ok=True)
    default = lists / f"{DEFAULT_LIST}.csv"
    for path, text in ((rules, new_rules(region)), (default, HEADER + "\n")):
        if (begins or path == default) and not path.exists():
            with lock(path):
                if not path.exists():
                    with replacing(path) as file:
                        file.write(text)
