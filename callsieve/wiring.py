"""Gives the pure parts what they must not import. A placeholder until the rules can be read."""

import tomllib
from collections.abc import Collection


def check_rules(document: str, list_names: Collection[str] | None) -> object:  # noqa: ARG001
    """The rules in `document`. Raises ValueError."""
    return tomllib.loads(document)


def rules_region(document: str) -> str | None:
    """The region that national numbers of lists are read in. Raises ValueError."""
    region = tomllib.loads(document).get("default_region")
    if region is not None and not isinstance(region, str):
        raise ValueError(f"default_region: expected a country code, got {region!r}")
    return region
