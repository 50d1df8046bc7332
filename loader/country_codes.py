"""The country of a number that stands in a column of its own."""

from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS

from loader.store import BadValueError, quoted

# What people write for regions that ISO 3166 has under other letters.
_ALIASES = {"UK": "GB", "EL": "GR"}
_NON_GEOGRAPHIC = "001"
_CODE_OF = {
    region: code for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() for region in regions
}


@lru_cache(1024)
def country_of(text: str) -> tuple[str | None, int]:
    """The region and calling code from `1`, `+48`, `0048`, `PL`. Raises BadValueError.

    The region is the first of those that share a calling code, and None for a code of no country.
    """
    digits = text.removeprefix("+").lstrip("0")
    if digits.isdecimal() and digits.isascii() and len(digits) <= 3:
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits))
        if regions:
            return (regions[0] if regions[0] != _NON_GEOGRAPHIC else None), int(digits)
    region = _ALIASES.get(text.upper(), text.upper())
    if region in SUPPORTED_REGIONS:
        return region, _CODE_OF[region]
    raise BadValueError(
        f"country: expected a calling code such as 48 or a region such as PL, found {quoted(text)}"
    )
