"""Gives the pure parts what they must not import: number reading for the rules."""

from __future__ import annotations

from collections.abc import Collection

from loader.loss_guard import rules_loss
from loader.numbers import check_region, read_entry
from loader.store import quoted
from lookup_core import is_address
from screening import Rules, RulesError, parse_rules


def check_rules(document: str, list_names: Collection[str] | None) -> Rules:
    """The rules in `document`; see `screening.parse_rules`. Raises RulesError, a ValueError."""
    return parse_rules(document, list_names, _number_or_prefix, check_region)


def _number_or_prefix(text: str, region: str | None) -> str:
    """What can be called. Raises ValueError."""
    entry = read_entry(text, region)
    if is_address(entry):
        raise ValueError(f"expected a number or a prefix, found the SIP address {quoted(entry)}")
    return entry


def lost_rules(before: str, after: str) -> str:
    """What is wrong with one text of the rules in place of another; "" when it may be taken, or
    has a mistake that check_rules finds.
    """
    try:
        return rules_loss(_count(before), _count(after), not after.strip())
    except RulesError:
        return ""


def _count(document: str) -> int:
    rules = check_rules(document, None)
    return sum(
        map(len, (rules.forwardings, rules.campaigns, rules.queues, rules.widgets, rules.routes))
    )
