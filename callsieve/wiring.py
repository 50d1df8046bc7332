"""Gives the pure parts what they must not import: number reading for the rules."""

from __future__ import annotations

from collections.abc import Collection

from loader.numbers import check_region, read_entry
from screening import Rules, parse_rules


def check_rules(document: str, list_names: Collection[str] | None) -> Rules:
    """The rules in `document`; see `screening.parse_rules`. Raises RulesError, a ValueError."""
    return parse_rules(document, list_names, read_entry, check_region)
