from typing import Final, Literal, final

INTERNATIONAL: Final[int]
UNKNOWN_RANGE: Final[int]
DIALLING_PREFIX: Final[int]
ZERO_ZERO: Final[int]
WITHOUT_PLUS: Final[int]
OWN_CODE: Final[int]
NATIONAL: Final[int]
SHORT: Final[int]
NOT_FULL: Final[int]

@final
class RegionReader: ...

def reader_for(region: str | None) -> RegionReader: ...
def read_plain(
    text: str, reader: RegionReader
) -> tuple[str, int, Literal["valid", "possible", "impossible"] | None, int] | None: ...
def may_exist(e164: str) -> bool: ...

TIERS: Final[tuple[Literal["valid", "possible", "impossible"] | None, ...]]
