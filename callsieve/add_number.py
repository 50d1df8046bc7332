"""Adds one number for `callsieve.blocking`, in a process of its own.

`python -m callsieve.add_number URL LIST NUMBER WHO WHY` prints a status and a reason, as JSON.
"""

from __future__ import annotations

import json
import sys

from callsieve.adding import add_entry
from callsieve.stores import place_of
from loader.change_log import Origin
from loader.dangerous_entries import DangerousEntryError
from loader.numbers import EntryError, read_entry
from loader.store import BadValueError, Entry, StoreError, escaped, open_store, problem_of
from lookup_core import CatalogError, SnapshotError

ORIGIN = "flow block"


def main() -> None:
    url, name, number, who, why = sys.argv[1:]
    status, reason = _add(url, name, number, Origin(who, why, ORIGIN))
    print(json.dumps([status, escaped(reason, 400)]))


def _add(url: str, name: str, number: str, origin: Origin) -> tuple[str, str]:
    try:
        place = place_of(open_store(url))
        region = place.region_of(name)
        entry = Entry(read_entry(number, region))
        outcome = add_entry(place, name, region, entry, origin).outcome
    except DangerousEntryError as error:
        return "refused: held back", str(error)
    except EntryError as error:
        return "refused: number", str(error)
    except BadValueError as error:
        return "refused: list", str(error)
    except (StoreError, CatalogError, SnapshotError, OSError) as error:
        return "failed: store", problem_of(error)
    return outcome.value, f"asked for by {origin.who}"


if __name__ == "__main__":
    main()
