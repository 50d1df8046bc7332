"""What a text is read by: kept with what is published, because another version may read it anew."""

import phonenumbers

RENUMBERINGS = "none"
"""Version of the table of renumberings that loader.numbers folds by."""


def reading_version() -> str:
    """`phonenumbers 8.13.50, renumberings 2026-11-01`"""
    return f"phonenumbers {phonenumbers.__version__}, renumberings {RENUMBERINGS}"
