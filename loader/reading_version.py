"""What a text is read by: kept with what is published, because another version may read it anew."""

import phonenumbers

from loader import renumbering


def reading_version() -> str:
    """`phonenumbers 9.0.43, renumberings 1c5f0a2e`: the metadata and the table of renumberings."""
    return f"phonenumbers {phonenumbers.__version__}, renumberings {renumbering.table().version}"
