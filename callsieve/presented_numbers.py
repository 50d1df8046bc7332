"""Numbers that routes present: each must be one that the called party can call back."""

from __future__ import annotations

from loader.numbers import read_number
from loader.store import BadValueError, Entry, Store, StoreError, quoted
from screening import Rules

_NAMED = 3


def presented_lists(rules: Rules) -> dict[str, str]:
    """The lists that routes present from, each with the name of a route that does."""
    return {
        route.present_from: route.name
        for route in rules.routes.values()
        if route.present_from is not None
    }


def check_presented(number: str, route: str) -> None:
    """Raises BadValueError for a canonical entry that `route` must not present."""
    if not _is_presentable(number):
        raise BadValueError(
            f"expected a full number in use, for {route} presents the numbers of this list, "
            f"found {quoted(number)}"
        )


def check_presented_lists(store: Store, rules: Rules) -> Rules:
    """The rules, if all that their routes would present can be presented.

    Raises BadValueError, which names the route, the list and the first entries that cannot.
    """
    problems = []
    for name, route in presented_lists(rules).items():
        try:
            bad = [
                entry.number
                for entry in store.entries(name, rules.default_region)
                if isinstance(entry, Entry) and not _is_presentable(entry.number)
            ]
        except StoreError:  # the list is not there, or cannot be read: that is said of the list
            continue
        if bad:
            named = ", ".join(map(quoted, bad[:_NAMED]))
            more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
            problems.append(
                f"{route}.present_from: expected full numbers in use in the list {quoted(name)}, "
                f"found {named}{more}"
            )
    if problems:
        raise BadValueError("\n".join(problems))
    return rules


def _is_presentable(number: str) -> bool:
    return number[-1] != "*" and read_number(number, None).tier == "valid"
